"""`audiosearch classify`: score files against labels that you make up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from audiosearch.cli import options, render


def classify(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Sounds, anywhere.")],
    labels: Annotated[
        list[str],
        typer.Option(metavar="A,B,...", help="Labels, separated by commas. Repeatable."),
    ],
    template: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Wording around a label; '{}' is the label."),
    ] = None,
    multi: Annotated[
        bool,
        typer.Option("--multi", help="Labels do not exclude each other: look for each by itself."),
    ] = False,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="The model to classify with.")
    ] = "mini",
    as_json: options.Json = False,
) -> None:
    """Score sounds against labels, without training: audiosearch classify door.wav --labels
    door,dog.

    Scores are cosines. Without --multi the share is a softmax over the labels given: it says which
    of them fits best, not whether any does.
    """
    from audiosearch.classification import classify as run
    from audiosearch.models.registry import load_model

    chosen = [label.strip() for part in labels for label in part.split(",") if label.strip()]
    for result in run(load_model(model), files, chosen, template, multi):
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
