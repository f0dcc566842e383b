"""The printing of results: for people as tables within the terminal's width, for programs as JSON
lines or paths.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from audiosearch.cli.options import Answer
from audiosearch.paths import shown
from audiosearch.results import Hit

_NARROWEST = 12


def terminal_width() -> int:
    """Return the number of columns of the terminal, or 80 without one."""
    return shutil.get_terminal_size((80, 24)).columns


def clock(seconds: float, *, tenths: bool = True) -> str:
    """Return a time in seconds as ``m:ss.t`` or ``h:mm:ss.t``."""
    rounded = round(seconds, 1 if tenths else 0)
    minutes, rest = divmod(rounded, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{rest:04.1f}" if tenths else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def columns(text: str) -> int:
    """Return the number of columns of a text in a terminal.

    A wide character takes two columns, a combining character none.
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def fitted(text: str, width: int) -> str:
    """Return a path cut to `width` columns. The cut is in the middle, since the end names the file."""
    if columns(text) <= width:
        return text
    name_room = max(width - 1 - width // 4, 1)
    tail = ""
    for c in reversed(text):
        if columns(c + tail) > name_room:
            break
        tail = c + tail
    head = ""
    for c in text:
        if columns(head + c) > width - 1 - columns(tail):
            break
        head += c
    return head + "…" + tail


def near(path: str) -> str:
    """Return a path as a user would type it: relative where it lies below the current directory."""
    try:
        here = str(Path.cwd())
    except OSError:  # the directory was removed
        return shown(path)
    prefix = here.rstrip(os.sep) + os.sep
    return shown(path[len(prefix) :] if path.startswith(prefix) else path)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> None:
    """Print a table. Its last column, a path, takes the rest of the width."""
    body = [list(row) for row in rows]
    widths = [max(columns(cell) for cell in column) for column in zip(heads, *body, strict=True)]
    room = terminal_width() - sum(widths[:-1]) - 2 * (len(widths) - 1)
    widths[-1] = max(_NARROWEST, min(widths[-1], room))
    for row in [list(heads), *body]:
        cells = []
        for cell, width, to_right in zip(row, widths, right, strict=True):
            text = fitted(cell, width)
            space = " " * (width - columns(text))
            cells.append(space + text if to_right else text + space)
        typer.echo("  ".join(cells).rstrip())


def json_line(record: Any) -> None:
    """Return an object as one line of ASCII JSON. Bytes of paths that are not UTF-8 become lone
    surrogates.
    """
    typer.echo(json.dumps(record, ensure_ascii=True))


def print_hits(hits: Sequence[Hit], answer: Answer) -> None:
    """Print hits in the form that the options in `answer` choose."""
    if answer.as_json:
        for hit in hits:
            json_line(asdict(hit))
    elif answer.null or answer.paths:
        print_paths((hit.path for hit in hits), b"\0" if answer.null else b"\n")
    elif hits:
        _hit_table(hits)


def print_paths(paths: Iterable[str], end: bytes = b"\n") -> None:
    """Print paths as the file system stores them, byte by byte."""
    for path in paths:
        sys.stdout.buffer.write(os.fsencode(path) + end)
    sys.stdout.buffer.flush()


def _hit_table(hits: Sequence[Hit]) -> None:
    rows = []
    for hit in hits:
        copies = f" (+{len(hit.copies)} copies)" if hit.copies else ""
        rows.append(
            (
                str(hit.rank),
                f"{hit.score:.3f}",
                f"{hit.percentile:.1f}",
                f"{clock(hit.start)}-{clock(hit.end)}",
                clock(hit.duration),
                near(hit.path) + _fields(hit) + copies,
            )
        )
    heads = ("#", "score", "pct", "heard at", "length", "sound")
    table(heads, rows, (True, True, True, True, True, False))


def _fields(hit: Hit) -> str:
    """Return the fields that hold words of the query, in brackets: `` [name]``."""
    fields = [reason.removeprefix("words: ") for reason in hit.why if reason != "sound"]
    return f" [{', '.join(fields)}]" if fields else ""
