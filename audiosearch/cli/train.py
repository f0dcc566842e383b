"""`audiosearch train`: teach a model your own sounds and words."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.cli.talk import Talk
from audiosearch.errors import InvalidQuery
from audiosearch.paths import shown, user_path

if TYPE_CHECKING:
    from audiosearch.training.pairs import Pairs
    from audiosearch.training.run import Outcome


app = command_app()


@command(app)
def train(
    *,
    data: Annotated[
        Path | None,
        typer.Argument(
            parser=user_path,
            metavar="DATA",
            show_default="with --from-library",
            help="A csv with columns file and caption, a folder with a folder of sounds for each "
            "class, or AudioCaps, Clotho or FSD50K.",
        ),
    ] = None,
    run: Annotated[
        Path,
        typer.Option(
            "--run",
            parser=user_path,
            metavar="DIR",
            help="The folder of this run: log, curves and bundle. The same command goes on with a "
            "run that was stopped.",
        ),
    ],
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start from this model, a ClapModel's directory, or a file of MS-CLAP.",
        ),
    ] = "mini",
    scratch: Annotated[
        bool,
        typer.Option("--scratch", help="Draw all weights anew; MODEL gives the architecture."),
    ] = False,
    from_library: Annotated[
        bool, typer.Option("--from-library", help="Learn from the descriptions in the library.")
    ] = False,
    library: options.LibraryDirectory = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="NAME",
            help="The layout of DATA, if it is not recognised: csv, folder, audiocaps, clotho or "
            "fsd50k.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="COLUMN",
            show_default="the column group, or each file alone",
            help="Never split sounds that share this column of the csv, or 'folder'.",
        ),
    ] = None,
    freeze: Annotated[
        Literal["none", "audio", "text", "both-but-projections"],
        typer.Option("--freeze", help="Leave these towers as they are, but for their projections."),
    ] = "none",
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Train for N epochs at most.")
    ] = 20,
    batch: Annotated[
        int, typer.Option("--batch", min=2, help="Compare N pairs with each other at each step.")
    ] = 64,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            "--micro-batch",
            min=1,
            show_default="as many as fit",
            help="Put N pairs through the towers at once; the loss stays that of the batch.",
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option("--rate", help="The learning rate of projections; towers have a tenth."),
    ] = 1e-3,
    held_out: Annotated[
        float, typer.Option("--held-out", help="Choose the best epoch by this share of the sounds.")
    ] = 0.1,
    test: Annotated[
        float, typer.Option("--test", help="Measure on this share of the sounds, before and after.")
    ] = 0.2,
    patience: Annotated[
        int, typer.Option("--patience", min=1, help="Stop after N epochs without a better one.")
    ] = 5,
    augment: Annotated[
        Literal["none", "plain", "full"],
        typer.Option(
            "--augment",
            help="Vary sounds: plain by level, shift, noise and other sounds behind; full by rooms, "
            "filters, speed and pitch too, which needs torchaudio.",
        ),
    ] = "plain",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        typer.Option("--precision", help="auto takes bf16 on a GPU that has it."),
    ] = "auto",
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option("--device", help="auto takes the GPU where there is one."),
    ] = "auto",
    longest: Annotated[
        float, typer.Option("--longest", metavar="SECONDS", help="Hear no more of a sound.")
    ] = 60.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draw other splits and batches.")] = 0,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", show_default="the run's", help="Name the model."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            metavar="DIR",
            show_default="from the hub",
            help="Take the tokenizer of an MS-CLAP file from here.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a model on pairs of sounds and words, from a model that you have.

    It learns which caption is which sound's (CLAP, arXiv 2206.04769), measures retrieval before and
    after on sounds that it did not learn from, and writes a model that index --model takes. It
    needs torch and transformers: pip install 'audiosearch[train]'.
    """
    from audiosearch.training.options import Options
    from audiosearch.training.rooms_check import check_torchaudio
    from audiosearch.training.run import check_extra

    settings = Options(
        run=run,
        start=start,
        scratch=scratch,
        freeze=freeze,
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        rate=rate,
        held_out=held_out,
        test=test,
        patience=patience,
        augment=augment,
        precision=precision,
        device=device,
        longest=longest,
        seed=seed,
        name=name,
        tokenizer=tokenizer,
        command=shlex.join(["audiosearch", *sys.argv[1:]]),
    )
    pairs = _pairs(data, from_library, library, layout, group)
    check_torchaudio(needed=augment == "full")
    check_extra()
    from audiosearch.training.run import train as train_run

    talk = Talk()
    try:
        outcome = train_run(pairs, settings, talk)
    except KeyboardInterrupt:
        talk.tell("stopped: the same command goes on from here")
        raise
    finally:
        talk.close()
    if as_json:
        render.json_line(asdict(outcome) | {"bundle": str(outcome.bundle)})
    else:
        _print(outcome)
    _advise(outcome)


def _pairs(
    data: Path | None,
    from_library: bool,
    library: str | None,
    layout: str | None,
    group: str | None,
) -> Pairs:
    from audiosearch.training.pairs import library_pairs, read_pairs

    if (data is None) != from_library:
        raise InvalidQuery("give either DATA or --from-library")
    if data is not None:
        return read_pairs(data, layout, group)
    if layout or group:
        raise InvalidQuery("--layout and --group are of DATA: leave them out with --from-library")
    from audiosearch.library import Library

    with Library.open(library) as opened:
        return library_pairs(opened.sounds(), opened.store.name)


def _print(outcome: Outcome) -> None:
    ways = dict.fromkeys(change.way for change in outcome.changes)
    for way in ways:
        changes = [change for change in outcome.changes if change.way == way]
        rows = [
            (
                change.figure,
                _with(change.before, change.before_interval),
                _with(change.after, change.after_interval),
                _with(change.change, change.change_interval, "+"),
            )
            for change in changes
        ]
        typer.echo(f"{way}, {changes[0].queries} queries")
        render.table(("", "before", "after", "change"), rows, (False, True, True, True))


def _with(value: float, interval: tuple[float, float], sign: str = "") -> str:
    low, high = interval
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _advise(outcome: Outcome) -> None:
    if outcome.best_epoch == 0:
        typer.echo(
            "audiosearch: no epoch was better than the start on the held-out sounds: the bundle is "
            "the model as it was; try a lower --rate, --freeze, or more pairs",
            err=True,
        )
    typer.echo("brackets hold 95 % intervals by bootstrap, on sounds kept apart", err=True)
    typer.echo(
        f"epoch {outcome.best_epoch} of {outcome.epochs} was kept; use it with: audiosearch index "
        f"--model {shlex.quote(shown(str(outcome.bundle)))}",
        err=True,
    )
