"""`audiosearch models`: what there is to embed with, and adding to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import render
from audiosearch.cli.options import Json
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.models.registry import Installed

app = typer.Typer(help="List, add, remove and check models.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A model's name, as `list` gives it.")]


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that can be used by name."""
    from audiosearch.models.registry import list_bundles

    models = list_bundles()
    if as_json:
        for model in models:
            render.json_line(_record(model))
        return
    heads = ("model", "revision", "window", "size", "licence", "directory")
    rows = [_row(model) for model in models]
    render.table(heads, rows, (False, False, True, True, False, False))
    for model in models:
        if model.problem:
            typer.echo(f"audiosearch: {shown(model.problem)}", err=True)


def _row(model: Installed) -> tuple[str, ...]:
    if model.bundle is None:
        return (model.name, "broken", "", "", "", render.near(str(model.directory)))
    return (
        model.name,
        model.bundle.revision[:12],
        f"{model.bundle.window_seconds:g} s",
        f"{model.bytes / 1e6:.0f} MB",
        model.bundle.licence,
        render.near(str(model.directory)),
    )


def _record(model: Installed) -> dict[str, Any]:
    record = {
        "name": model.name,
        "directory": str(model.directory),
        "problem": model.problem,
        "bytes": model.bytes,
    }
    if model.bundle:
        identity = model.bundle.identity
        record |= {
            **identity.to_json(),
            "digest": identity.digest,
            "dimension": model.bundle.dimension,
            "query_template": model.bundle.query_template,
            "licence": model.bundle.licence,
            "origin": model.bundle.origin,
        }
    return record


@app.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A Hugging Face CLAP checkpoint: hub id (laion/clap-htsat-unfused) or directory.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it. Default: as it is called.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="A branch, tag or commit on the hub.")
    ] = None,
) -> None:
    """Compile a CLAP checkpoint, once, so that it can be used by name.

    Needs torch and transformers: pip install 'audiosearch[clap]'. Searching then needs neither.
    """
    from audiosearch.models.compile import compile_checkpoint

    def tell(step: str) -> None:
        typer.echo(f"{shown(step)} ...", err=True)

    bundle = compile_checkpoint(source, name=name, revision=revision, on_progress=tell)
    typer.echo(f"added {bundle.identity}: audiosearch index --model {bundle.name}", err=True)


@app.command()
def remove(
    name: Name,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Say what would be removed, and do nothing.")
    ] = False,
) -> None:
    """Delete a model that was added. Libraries built with it can be searched when it is back."""
    from audiosearch.models.registry import remove_bundle

    directory = remove_bundle(name, dry_run=dry_run)
    did = "would remove" if dry_run else "removed"
    typer.echo(f"{did} {name}: {shown(str(directory))}", err=True)


@app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Models. Default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a model's files are whole and that both its towers work; exit 1 if not."""
    from audiosearch.errors import ModelBroken
    from audiosearch.models.registry import check_bundle, list_bundles

    broken = False
    for name in names or [model.name for model in list_bundles()]:
        problem = None
        try:
            check_bundle(name)
        except ModelBroken as error:
            problem, broken = str(error), True
        if as_json:
            render.json_line({"name": name, "problem": problem})
        else:
            typer.echo(f"{name}: {shown(problem) if problem else 'works'}")
    if broken:
        raise typer.Exit(1)
