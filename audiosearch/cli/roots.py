"""`audiosearch roots`: list the folders of a library, set their options, and move them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app, merged
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.results import RootStatus

app = command_app(invoke_without_command=True)


@app.callback()
@merged
def roots(
    ctx: typer.Context,
    library: options.LibraryDirectory = None,
    as_json: options.AsJson = False,
) -> None:
    """List the folders of a library with their state and their options, or change them."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = library
        return
    from audiosearch.library import Library

    with Library.open(library) as opened:
        states = opened.status().roots
    if as_json:
        for state in states:
            render.json_line(asdict(state))
        return
    if states:
        rows = []
        for state in states:
            rows.append((state.state, str(state.sounds), render.near(state.path)))
            rows += [("", "", f"  {line}") for line in _options(state)]
        render.table(("state", "sounds", "folder"), rows, (False, True, False))
    else:
        typer.echo("no folders yet: audiosearch index FOLDER", err=True)


def _options(state: RootStatus) -> Iterator[str]:
    """Yield a line for each folder of a root for which something is set."""
    from audiosearch.catalog.folder_options import FolderRule, in_words

    links = state.follow_symlinks or None
    if state.exclude or links:
        yield in_words(FolderRule(b"", state.exclude, links))
    for part in state.parts:
        words = in_words(FolderRule(b"", part.exclude, part.follow_symlinks))
        yield f"{shown(os.path.relpath(part.path, state.path))}: {words}"


@command(app, "set")
def set_options(
    *,
    ctx: typer.Context,
    folder: Annotated[
        str,
        typer.Argument(
            parser=options.path_text,
            metavar="FOLDER",
            help="A folder of the library, or one inside it.",
        ),
    ],
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out files whose name or path matches, and nothing else. Repeatable.",
        ),
    ] = None,
    no_exclude: Annotated[bool, typer.Option("--no-exclude", help="Leave nothing out.")] = False,
    follow_symlinks: Annotated[
        bool | None,
        typer.Option(
            "--follow-symlinks/--no-follow-symlinks",
            show_default=False,
            help="Follow symbolic links.",
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Set what the library leaves out of FOLDER, and whether it follows links there.

    The patterns take the place of those that FOLDER had; what is not named stays. They match names,
    and paths relative to FOLDER. The next index forgets the sounds that are left out, as if their
    files were gone, and adds those that no longer are.
    """
    from audiosearch.catalog.folder_options import FolderRule, in_words
    from audiosearch.library import Library

    if exclude and no_exclude:
        ctx.fail("--exclude and --no-exclude contradict each other.")
    if not exclude and not no_exclude and follow_symlinks is None:
        ctx.fail("say what to set: --exclude, --no-exclude or --[no-]follow-symlinks.")
    with Library.open(library if library is not None else ctx.obj) as opened:
        summary = opened.set_root(
            folder,
            exclude=() if no_exclude else exclude or None,
            follow_symlinks=follow_symlinks,
            dry_run=dry_run,
        )
    if as_json:
        render.json_line(asdict(summary))
    rule = in_words(FolderRule(b"", summary.exclude, summary.follow_symlinks))
    verb = "would be: " if dry_run else ""
    typer.echo(f"{verb}{render.near(summary.path)} {rule}", err=True)
    if summary.leaves_out:
        count = f"{summary.leaves_out} sound{'' if summary.leaves_out == 1 else 's'}"
        typer.echo(f"the next index forgets {count}", err=True)


@command(app, "move")
def move(
    ctx: typer.Context,
    old: Annotated[
        str,
        typer.Argument(
            parser=options.path_text, metavar="OLD", help="The folder that the library has."
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            parser=options.path_text, metavar="NEW", help="The folder that takes its place."
        ),
    ],
    library: options.LibraryDirectory = None,
    dry_run: options.DryRun = False,
) -> None:
    """Replace the folder OLD of a library by the folder NEW.

    Use it after a folder was moved or renamed. The command reads no file and embeds nothing; sounds
    keep their metadata. Where the library has NEW already, the two become one.
    """
    from audiosearch.library import Library

    with Library.open(library if library is not None else ctx.obj) as opened:
        summary = opened.move_root(old, new, dry_run=dry_run)
    verb = "would be moved" if dry_run else "moved"
    twins = f", {summary.merged} of them were there already" if summary.merged else ""
    typer.echo(f"{summary.moved} sounds {verb} to {render.near(summary.new)}{twins}", err=True)
