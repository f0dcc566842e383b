"""`audiosearch classify`: score files against labels that you make up, that a head learned, or that
a vocabulary holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app

if TYPE_CHECKING:
    from audiosearch.results import Classification

app = command_app()


@command(app)
def classify(
    *,
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(parser=options.path_text, metavar="FILE...", help="Sounds to classify."),
    ],
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels", metavar="A,B,...", help="The labels, separated by commas. Repeatable."
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="NAME", help="Use this trained head of the library."),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            "--vocabulary",
            metavar="audioset|FILE",
            help="Name the nearest words: of the 527 classes of AudioSet, or of a text file with one "
            "phrase a line.",
        ),
    ] = None,
    most: Annotated[
        int,
        typer.Option("-k", "--results", min=1, metavar="N", help="Name N words of a vocabulary."),
    ] = 10,
    library: Annotated[
        str | None,
        typer.Option(
            "-L",
            "--library",
            parser=options.library_text,
            metavar="DIR",
            show_default="$AUDIOSEARCH_LIBRARY, else your own; it is used with --head only",
            help="The directory or address of the library: its heads, model and stored vectors.",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Put each label in these words instead of the model's; '{}' is the label.",
        ),
    ] = None,
    multi: Annotated[
        bool,
        typer.Option(
            "--multi", help="Look for each label by itself: several may fit, and no share is shown."
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", show_default="mini", help="The model to classify with."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Score sounds against labels, without training, or with a trained head.

    Such as: audiosearch classify door.wav --labels door,dog. Scores are cosines. The share is a
    softmax over the labels: it says which of them fits best, not whether any of them fits. With a
    head, it is a probability that was calibrated on held-out sounds. A vocabulary gives the nearest
    of its phrases: they are looked up, not made up, and the right word may not be among them.
    """
    if sum(option is not None for option in (labels, head, vocabulary)) != 1:
        context.fail("Say what to score by: one of --labels, --head and --vocabulary.")
    if head is not None and (template is not None or multi or model is not None):
        context.fail("A head has its own labels and model: leave --template, --multi, --model out.")
    if head is not None:
        for result in _by_head(library, files, head):
            _print(result, as_json, ("logit", "probability"), f"head: {head}")
        return
    names = [label.strip() for part in labels or () for label in part.split(",") if label.strip()]
    if vocabulary is not None:
        from audiosearch.search.phrases import read_vocabulary

        names = list(read_vocabulary(vocabulary))
    shown = None if vocabulary is None else min(most, len(names))
    for result in _by_text(library, files, names, template, multi, model):
        why = f"prompt: {result.prompts[0]!r}"
        if vocabulary is not None:
            why = f"the nearest {shown} of {len(names)} phrases of {vocabulary}: looked up, not made up"
        _print(result, as_json, ("score", "share"), why, shown)


def _by_head(library: str | None, files: list[str], head: str) -> Iterator[Classification]:
    from audiosearch.library import Library

    with Library.open(library) as opened:
        yield from opened.classify(files, head=head)


def _by_text(
    library: str | None,
    files: list[str],
    labels: list[str],
    template: str | None,
    multi: bool,
    model: str | None,
) -> Iterator[Classification]:
    from audiosearch.models.registry import load_model
    from audiosearch.search.classification import classify as run

    if library is None:
        yield from run(load_model(model or "mini"), files, labels, template, multi)
        return
    from audiosearch.library import Library

    with Library.open(library, model=model) as opened:
        yield from opened.classify(files, labels, template=template, multi=multi)


def _print(
    result: Classification,
    as_json: bool,
    titles: tuple[str, str],
    why: str,
    most: int | None = None,
) -> None:
    labels = result.labels[:most]
    if as_json:
        record = asdict(result)
        if most is not None:
            record["labels"] = record["labels"][:most]
            record["prompts"] = record["prompts"][:1]
        render.json_line(record)
        return
    typer.echo(f"{render.near(result.path)}  ({why})")
    rows = [
        (
            f"{label.score:.3f}",
            "" if label.probability is None else f"{label.probability:.1%}",
            f"{render.clock(label.start)}-{render.clock(label.end)}",
            label.label,
        )
        for label in labels
    ]
    render.table((*titles, "heard at", "label"), rows, (True, True, True, False))
