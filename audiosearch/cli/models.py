"""`audiosearch models`: what there is to embed with, and adding to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from audiosearch.cli import options, render
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.models.registry import Installed


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List, add, remove and check models."""
    if context.invoked_subcommand is None:
        context.invoke(list_models)


@models.command("list")
@options.as_json
def list_models(as_json: bool = False) -> None:
    """List the models that can be used by name."""
    from audiosearch.models.registry import list_bundles

    found = list_bundles()
    if as_json:
        for model in found:
            render.json_line(_record(model))
        return
    heads = ("model", "revision", "window", "size", "licence", "directory")
    rows = [_row(model) for model in found]
    render.table(heads, rows, (False, False, True, True, False, False))
    for model in found:
        if model.problem:
            click.echo(f"audiosearch: {shown(model.problem)}", err=True)


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


@models.command()
@click.argument("source", metavar="CHECKPOINT")
@click.option("--name", metavar="NAME", help="What to call it. Default: as it is called.")
@click.option("--revision", metavar="COMMIT", help="A branch, tag or commit on the hub.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    help="auto: int8 where it is faster here and real sounds keep their vectors; bf16: to index on a "
    "GPU. [default: auto]",
)
def add(source: str, name: str | None, revision: str | None, precision: str) -> None:
    """Compile a CLAP checkpoint, once, so that it can be used by name.

    CHECKPOINT: a hub id, such as laion/clap-htsat-unfused, or a directory.

    Needs torch and transformers: pip install 'audiosearch[clap]'. Searching then needs neither.
    """
    from audiosearch.models.compile import compile_checkpoint

    def tell(step: str) -> None:
        click.echo(f"{shown(step)} ...", err=True)

    bundle = compile_checkpoint(
        source, name=name, revision=revision, precision=precision, on_progress=tell
    )
    click.echo(f"added {bundle.identity}: audiosearch index --model {bundle.name}", err=True)


@models.command()
@click.argument("name")
@options.dry_run
def remove(name: str, dry_run: bool) -> None:
    """Delete a model that was added. Libraries built with it can be searched when it is back."""
    from audiosearch.models.registry import remove_bundle

    directory = remove_bundle(name, dry_run=dry_run)
    did = "would remove" if dry_run else "removed"
    click.echo(f"{did} {name}: {shown(str(directory))}", err=True)


@models.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@options.as_json
def check(names: Sequence[str], as_json: bool) -> None:
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
            click.echo(f"{name}: {shown(problem) if problem else 'works'}")
    if broken:
        raise SystemExit(1)
