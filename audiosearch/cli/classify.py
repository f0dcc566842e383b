"""`audiosearch classify`: score files against labels that you make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from audiosearch.cli import options, render


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--labels",
    multiple=True,
    required=True,
    metavar="A,B,...",
    help="Labels, separated by commas. Repeatable.",
)
@click.option("--template", metavar="TEXT", help="Wording around a label; '{}' is the label.")
@click.option(
    "--multi", is_flag=True, help="Labels do not exclude each other: look for each by itself."
)
@click.option(
    "--model",
    default="mini",
    show_default=True,
    metavar="NAME",
    help="The model to classify with.",
)
@options.as_json
def classify(
    files: Sequence[str],
    labels: Sequence[str],
    template: str | None,
    multi: bool,
    model: str,
    as_json: bool,
) -> None:
    """Score sounds against labels, without training.

    Such as: audiosearch classify door.wav --labels door,dog. Scores are cosines. Without --multi
    the share is a softmax over the labels given: it says which of them fits best, not whether any
    does.
    """
    from audiosearch.models.registry import load_model
    from audiosearch.search.classification import classify as run

    chosen = [label.strip() for part in labels for label in part.split(",") if label.strip()]
    for result in run(load_model(model), files, chosen, template, multi):
        if as_json:
            render.json_line(asdict(result))
            continue
        click.echo(f"{render.near(result.path)}  (prompt: {result.prompts[0]!r})")
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
