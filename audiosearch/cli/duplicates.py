"""`audiosearch duplicates`: list sounds that are copies of one sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.cli.query import explain_no_hits
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.duplicates.finding import DuplicateProgress
    from audiosearch.duplicates.records import DuplicateGroup

app = command_app()

_STAGES = {"decode": "reading sounds", "compare": "comparing"}


@command(app)
def duplicates(
    *,
    library: options.LibraryDirectory = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="0..1",
            show_default="0.7",
            help="The least agreement of a copy with the best one. Higher finds fewer.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    paths: Annotated[
        bool,
        typer.Option("--paths", help="Print the paths of all copies but the best, one a line."),
    ] = False,
    null: Annotated[
        bool,
        typer.Option("-0", "--null", help="As --paths, each path ended by a NUL, for xargs -0."),
    ] = False,
    filters: options.Filters,
) -> None:
    """List sounds that are copies of one sound, the best copy first.

    Copies have identical content, or are one recording in another format, rate, level, number of
    channels, or cut to no less than half. Nothing is deleted. The first run reads the sounds that
    may be copies; later runs remember them. You can stop a run at any time with Ctrl-C: the next
    run goes on from there.
    """
    from audiosearch.library import Library

    bar = _Bar()
    with Library.open(library) as opened:
        try:
            groups = opened.duplicates(
                where=filters.where, threshold=threshold, on_progress=bar.show
            )
        except KeyboardInterrupt:
            typer.echo("interrupted: what is done is kept, run it again to go on", err=True)
            raise
        finally:
            bar.close()
        if not groups:
            _explain_none(opened.status().sounds, bool(filters.where))
    if as_json:
        for number, group in enumerate(groups, start=1):
            render.json_line({"group": number, **asdict(group)})
    elif paths or null:
        copies = (sound.path for group in groups for sound in group.sounds[1:])
        render.print_paths(copies, b"\0" if null else b"\n")
    else:
        _print_groups(groups)


def _explain_none(sounds: int, filtered: bool) -> None:
    if sounds and not filtered:
        typer.echo(f"none of the {sounds} sounds is a copy of another", err=True)
    elif sounds:
        typer.echo("none of the sounds that pass the filters is a copy of another", err=True)
    else:
        explain_no_hits(sounds, filtered)


def _print_groups(groups: Sequence[DuplicateGroup]) -> None:
    """Print each group under its best copy: a line for the path, and one for the reason below it."""
    width = render.terminal_width()
    for number, group in enumerate(groups, start=1):
        head = f"{number}. "
        for sound in group.sounds:
            typer.echo(head + render.fitted(render.near(sound.path), width - len(head)))
            head = " " * len(head)
            score = "" if sound.by == "best" else f"{sound.score:.2f} "
            # A reason may quote a decoder.
            text = f"{score}{shown(sound.reason)} ({render.clock(sound.duration)})"
            space = " " * (len(head) + 2)
            for line in wrap(text, width - len(space)):
                typer.echo(space + line)
    if groups:
        copies = sum(len(group.sounds) - 1 for group in groups)
        size = sum(group.bytes for group in groups) / 1e6
        noun = "group" if len(groups) == 1 else "groups"
        typer.echo(
            f"{len(groups)} {noun}; copies beside the best: {copies} ({size:.1f} MB)",
            err=True,
        )


class _Bar:
    """The progress bar on stderr, where stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def show(self, progress: DuplicateProgress) -> None:
        if progress.stage not in _STAGES:
            return
        from tqdm import tqdm

        if progress.stage != self._stage:
            self.close()
            self._stage = progress.stage
            # `None`: only where stderr is a terminal.
            self._bar = tqdm(
                total=progress.total, desc=_STAGES[progress.stage], disable=None, leave=False
            )
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
