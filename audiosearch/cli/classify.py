"""`audiosearch classify`: score files against labels that you make up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app

app = command_app()


@command(app)
def classify(
    files: Annotated[
        list[str],
        typer.Argument(parser=options.path_text, metavar="FILE...", help="Sounds to classify."),
    ],
    labels: Annotated[
        list[str],
        typer.Option(
            "--labels", metavar="A,B,...", help="The labels, separated by commas. Repeatable."
        ),
    ],
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
        str, typer.Option("--model", metavar="NAME", help="The model to classify with.")
    ] = "mini",
    as_json: options.AsJson = False,
) -> None:
    """Score sounds against labels, without training.

    Such as: audiosearch classify door.wav --labels door,dog. Scores are cosines. The share is a
    softmax over the labels: it says which of them fits best, not whether any of them fits.
    """
    from audiosearch.models.registry import load_model
    from audiosearch.search.classification import classify as run

    names = [label.strip() for part in labels for label in part.split(",") if label.strip()]
    for result in run(load_model(model), files, names, template, multi):
        if as_json:
            render.json_line(asdict(result))
            continue
        typer.echo(f"{render.near(result.path)}  (prompt: {result.prompts[0]!r})")
        rows = [
            (
                f"{label.score:.3f}",
                "" if label.probability is None else f"{label.probability:.1%}",
                f"{render.clock(label.start)}-{render.clock(label.end)}",
                label.label,
            )
            for label in result.labels
        ]
        render.table(("score", "share", "heard at", "label"), rows, (True, True, True, False))
