"""`audiosearch index`: bring a library up to date with folders of sounds."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiosearch.cli import options, render
from audiosearch.paths import default_library, shown

if TYPE_CHECKING:
    from indexer.progress import Progress
    from indexer.summary import Summary

_FAILURES_SHOWN = 10

# Within 80 columns, with room for a bar.
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1)
@options.library
@click.option(
    "--model", metavar="NAME", help="Embed with this model, and switch to it when all is done."
)
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Leave out names or paths that match."
)
@click.option("--follow-symlinks", is_flag=True, help="Go through symbolic links.")
@click.option("--prune", is_flag=True, help="Forget vanished sounds even if they are most of them.")
@click.option("--rehash", is_flag=True, help="Look into files whose size and date are unchanged.")
@click.option("--retry", is_flag=True, help="Try files again that failed.")
@options.dry_run
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Decoding processes. Default: one a processor.",
)
@click.option("--wait", is_flag=True, help="Wait for another program that writes the library.")
@options.as_json
def index(
    folders: Sequence[str],
    library: Path | None,
    model: str | None,
    exclude: Sequence[str],
    follow_symlinks: bool,
    prune: bool,
    rehash: bool,
    retry: bool,
    dry_run: bool,
    workers: int | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Index folders of sounds, or bring them up to date.

    Without FOLDER, all folders of the library. What is unchanged is skipped, what was moved keeps
    its place, and files that are gone are forgotten. Can be interrupted at any time: the next run
    goes on from there.
    """
    from indexer.options import Options
    from indexer.run import index as run

    where = library if library is not None else default_library()
    chosen = Options(
        exclude=tuple(exclude),
        follow_symlinks=follow_symlinks,
        prune=prune,
        rehash=rehash,
        retry=retry,
        dry_run=dry_run,
        model=model,
        workers=workers,
        wait=None if wait else 0.0,
    )
    cancel = threading.Event()
    _on_interrupt(cancel)
    bar = _Bar()
    try:
        summary = run(
            where.expanduser(),
            folders,
            chosen,
            on_progress=bar.show,
            cancel=cancel,
            files=False,
        )
    finally:
        bar.close()
    _tell(summary)
    if as_json:
        render.json_line(asdict(summary))
    if summary.interrupted:
        raise SystemExit(130)


def _on_interrupt(cancel: threading.Event) -> None:
    """The first Ctrl-C (or SIGTERM) ends the run after the batch in hand, the second at once."""

    def interrupted(number: int, frame: Any) -> None:
        if cancel.is_set():
            os._exit(130)  # the database takes it like a power cut: what was committed stays
        cancel.set()
        click.echo("\naudiosearch: finishing the batch (again: stop at once)", err=True)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)


class _Bar:
    """Progress on stderr, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def show(self, progress: Progress) -> None:
        from tqdm import tqdm

        if progress.stage != self._stage:
            self.close()
            self._stage = progress.stage
            titles = {"scan": "scanning", "index": "indexing", "cache": "finishing"}
            self._bar = tqdm(
                total=progress.total,
                desc=titles[progress.stage],
                unit=" files",
                bar_format=_FORMAT if progress.total else None,
                disable=None,
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.update(progress.done - self._bar.n)
        if progress.stage == "index":
            speed = progress.seconds / max(self._bar.format_dict["elapsed"], 1e-3)
            failed = f", {progress.failed} failed" if progress.failed else ""
            self._bar.set_postfix_str(
                f"{progress.seconds / 3600:.2f} h, {speed:.0f}x realtime{failed}", refresh=False
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _tell(summary: Summary) -> None:
    """The summary, on stderr."""
    for notice in summary.notices:
        click.echo(f"audiosearch: {notice}", err=True)
    names = {
        "added": "added",
        "updated": "updated",
        "moved": "moved",
        "copied": "copies",
        "unchanged": "unchanged",
        "removed": "removed",
        "gone": "gone but kept",
        "truncated": "truncated",
        "failed": "failed",
        "known_failures": "failed before",
    }
    counts = [
        f"{getattr(summary, key)} {name}" for key, name in names.items() if getattr(summary, key)
    ]
    what = ", ".join(counts) or "nothing to do"
    if summary.dry_run:
        click.echo(f"would be: {what}", err=True)
        return
    speed = ""
    if summary.seconds:
        rate = summary.seconds / max(summary.elapsed, 1e-3)
        speed = f" ({render.clock(summary.seconds, tenths=False)} of audio, {rate:.0f}x realtime)"
    took = f" in {summary.elapsed:.1f} s"
    click.echo(what + took + speed, err=True)
    for failure in summary.failures[:_FAILURES_SHOWN]:
        click.echo(f"  {render.near(failure.path)}: {shown(failure.reason)}", err=True)
    more = len(summary.failures) - _FAILURES_SHOWN
    if more > 0:
        click.echo(f"  and {more} more: see audiosearch status --failed", err=True)
    if summary.switched:
        click.echo("the new model answers from now on", err=True)
    if summary.interrupted:
        click.echo("interrupted: what is done is kept, run it again to go on", err=True)
