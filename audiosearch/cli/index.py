"""`audiosearch index`: bring a library up to date with folders of sounds."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import default_library, shown

if TYPE_CHECKING:
    from indexer.progress import Progress
    from indexer.summary import Summary

_FAILURES_SHOWN = 10

# The line fits in 80 columns, with room for a bar.
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}"


app = command_app()


@command(app)
def index(
    *,
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            parser=options.path_text,
            metavar="FOLDER...",
            show_default="all folders of the library",
            help="Folders of sounds.",
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Embed with this model. It answers once every sound is embedded.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out files whose name or path matches, also in later runs. Repeatable.",
        ),
    ] = None,
    follow_symlinks: Annotated[
        bool | None,
        typer.Option(
            "--follow-symlinks/--no-follow-symlinks",
            show_default=False,
            help="Follow symbolic links, also in later runs.",
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Forget vanished sounds even if they are most of the library."
        ),
    ] = False,
    rehash: Annotated[
        bool,
        typer.Option("--rehash", help="Read files again whose size and date are unchanged."),
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed files again.")] = False,
    dry_run: options.DryRun = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            show_default="one for each processor",
            help="Decode with N processes.",
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Wait while another program writes to the library."),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="auto|HOST:PORT|local:N",
            show_default="this machine alone",
            help="Decode and embed on the machines of a Ray cluster.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Index folders of sounds, or bring them up to date.

    Unchanged files are skipped, moved files are recognised, and vanished files are forgotten. A
    folder remembers its --exclude and --follow-symlinks (see audiosearch roots). You can stop a run
    at any time with Ctrl-C: the next run goes on from there.
    """
    from indexer.options import Options
    from indexer.run import index as run

    run_options = Options(
        exclude=tuple(exclude) if exclude else None,
        follow_symlinks=follow_symlinks,
        prune=prune,
        rehash=rehash,
        retry=retry,
        dry_run=dry_run,
        model=model,
        workers=workers,
        wait=None if wait else 0.0,
        cluster=cluster,
    )
    cancel = threading.Event()
    _on_interrupt(cancel)
    bar = _Bar()
    try:
        summary = run(
            library or default_library(),
            folders or (),
            run_options,
            on_progress=bar.show,
            cancel=cancel,
            files=False,
        )
    finally:
        bar.close()
    _print_summary(summary)
    if as_json:
        render.json_line(asdict(summary))
    if summary.interrupted:
        raise typer.Exit(130)


def _on_interrupt(cancel: threading.Event) -> None:
    """End the run after the current batch at the first Ctrl-C or SIGTERM, and at once at the
    second.
    """

    def interrupted(number: int, frame: Any) -> None:
        if cancel.is_set():
            os._exit(130)  # the database takes it like a power cut: committed batches stay
        cancel.set()
        typer.echo("\naudiosearch: finishing the batch (again: stop at once)", err=True)

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)


class _Bar:
    """The progress bar on stderr, where stderr is a terminal."""

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


def _print_summary(summary: Summary) -> None:
    """Print the summary on stderr."""
    for notice in summary.notices:
        typer.echo(f"audiosearch: {notice}", err=True)
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
        typer.echo(f"would be: {what}", err=True)
        for suffix, count in summary.passed_over.items():
            name = "." + shown(suffix) if suffix else "no suffix"
            typer.echo(f"  passed over: {count} files with {name}", err=True)
        return
    speed = ""
    if summary.seconds:
        rate = summary.seconds / max(summary.elapsed, 1e-3)
        speed = f" ({render.clock(summary.seconds, tenths=False)} of audio, {rate:.0f}x realtime)"
    took = f" in {summary.elapsed:.1f} s"
    typer.echo(what + took + speed, err=True)
    for failure in summary.failures[:_FAILURES_SHOWN]:
        typer.echo(f"  {render.near(failure.path)}: {shown(failure.reason)}", err=True)
    more = len(summary.failures) - _FAILURES_SHOWN
    if more > 0:
        typer.echo(f"  and {more} more: see audiosearch status --failed", err=True)
    for remark in summary.remarks[:_FAILURES_SHOWN]:
        typer.echo(f"  {render.near(remark.path)}: {shown(remark.text)}", err=True)
    more = len(summary.remarks) - _FAILURES_SHOWN
    if more > 0:
        typer.echo(f"  and {more} more remarks: see index --json", err=True)
    passed = sum(summary.passed_over.values())
    if passed:
        typer.echo(
            f"{passed} other files passed over (index --dry-run lists them by suffix)", err=True
        )
    if summary.switched:
        typer.echo("the new model answers from now on", err=True)
    if summary.interrupted:
        typer.echo("interrupted: what is done is kept, run it again to go on", err=True)
