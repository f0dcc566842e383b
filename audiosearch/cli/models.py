"""`audiosearch models`: list, add, remove and check the models that embed sounds."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.paths import shown

if TYPE_CHECKING:
    from audiosearch.models.registry import Installed


app = command_app(invoke_without_command=True)


@app.callback()
def models(context: typer.Context) -> None:
    """List, add, remove and check models."""
    if context.invoked_subcommand is None:
        list_models()


@command(app, "list")
def list_models(as_json: options.AsJson = False) -> None:
    """List the models that can be used by name."""
    from audiosearch.models.registry import list_bundles

    installed = list_bundles()
    if as_json:
        for model in installed:
            render.json_line(_record(model))
        return
    heads = ("model", "revision", "window", "size", "licence", "directory")
    rows = [_row(model) for model in installed]
    render.table(heads, rows, (False, False, True, True, False, False))
    for model in installed:
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
            "revision": model.bundle.revision,  # where only words changed, the identity's is older
            "digest": identity.digest,
            "dimension": model.bundle.dimension,
            "query_template": model.bundle.query_template,
            "licence": model.bundle.licence,
            "origin": model.bundle.origin,
        }
    return record


@command(app)
def add(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            show_default="list what can be had",
            help="A name of that list, an id on the Hugging Face hub, a directory, msclap-2022, "
            "msclap-2023, or a .pth file of those.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            show_default="the id, or the directory's name",
            help="Name the model.",
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            metavar="COMMIT",
            help="Take this branch, tag or commit of the id; a name of the list then means the "
            "checkpoint, which is compiled.",
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "fp16", "int8", "bf16"],
        typer.Option(
            "--precision",
            help="auto takes int8 for sounds where it is faster on this machine and real sounds keep "
            "their vectors; fp16 and int8 take what keeps them; bf16 compiles for a GPU.",
        ),
    ] = "auto",
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            metavar="DIR",
            show_default="from the hub",
            help="The directory with the tokenizer.json of an MS-CLAP file: gpt2's for 2023, "
            "bert-base-uncased's for 2022.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Add a model, so that you can use it by name; without MODEL, list what can be had.

    A model that its hub holds in ONNX is downloaded ready for use. Any other CLAP checkpoint is
    compiled, which needs torch and transformers: pip install 'audiosearch[clap]'. No other command
    uses the network.
    """
    if source is None:
        _list_known(as_json)
        return
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # its client would tell the hub of torch
    from audiosearch.models.add import add_model

    talk = _Talk()
    try:
        bundle = add_model(
            source,
            name=name,
            revision=revision,
            precision=precision,
            tokenizer=tokenizer,
            on_progress=talk.step,
            on_bytes=talk.count,
        )
    except KeyboardInterrupt:
        if talk.downloaded:
            talk.step("\nstopped: the same command goes on from what came")
        raise
    finally:
        talk.close()
    if as_json:
        from audiosearch.models.registry import Installed

        render.json_line(_record(Installed(bundle.name, bundle.directory, bundle, None)))
    typer.echo(f"added {bundle.identity}: audiosearch index --model {bundle.name}", err=True)


def _list_known(as_json: bool) -> None:
    from audiosearch.models.known import KNOWN

    if as_json:
        for model in KNOWN.values():
            render.json_line(asdict(model))
        return
    rows = [(m.name, f"{m.bytes / 1e9:.2f} GB", m.hears) for m in KNOWN.values()]
    render.table(("model", "download", "hears better than mini"), rows, (False, True, False))
    typer.echo("add one with: audiosearch models add MODEL", err=True)


class _Talk:
    """The talk of an addition: steps as lines, and a bar for downloads where stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self.downloaded = 0

    def step(self, step: str) -> None:
        self.close()
        typer.echo(f"{shown(step)} ...", err=True)

    def count(self, done: int, total: int) -> None:
        from tqdm import tqdm

        self.downloaded = done
        if self._bar is None:
            self._bar = tqdm(
                total=total,
                initial=done,
                unit="B",
                unit_scale=True,
                disable=None,
                leave=False,
                dynamic_ncols=True,
            )
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@command(app)
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the model.")],
    dry_run: options.DryRun = False,
) -> None:
    """Delete a model that was added.

    A library that was built with it needs it again to be searched.
    """
    from audiosearch.models.registry import remove_bundle

    directory = remove_bundle(name, dry_run=dry_run)
    did = "would remove" if dry_run else "removed"
    typer.echo(f"{did} {name}: {shown(str(directory))}", err=True)


@command(app)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", show_default="all", help="Models."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check that a model is whole and works.

    Its files must have their checksums, and both of its towers must work. The exit code is 1 if one
    of them fails.
    """
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
