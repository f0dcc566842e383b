"""The table of short queries that `audiosearch eval --queries` prints. It is no command of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from audiosearch.cli import render

if TYPE_CHECKING:
    from audiosearch.evaluation.datasets import Dataset
    from audiosearch.evaluation.measuring import EmbeddedSounds
    from audiosearch.evaluation.queries import QueryResult
    from audiosearch.models.model import Model


def run_queries(
    data: Dataset,
    source: Path,
    models: Sequence[str],
    embed: Callable[[str, Dataset], tuple[Model, EmbeddedSounds]],
    templates: Sequence[str],
    draws: int,
    as_json: bool,
) -> None:
    """Measure the queries of a csv file with each model and template, and print the figures.

    `embed` loads a model and embeds the sounds of a dataset.
    """
    from audiosearch.evaluation.queries import evaluate_queries, read_queries

    queries = read_queries(source, data.classes)
    results = []
    for name in models:
        model, sounds = embed(name, data)
        results += [
            (name, evaluate_queries(model, sounds, queries, prompt, draws))
            for prompt in templates or [model.bundle.query_template]
        ]
    _print(data, results, as_json)


def _print(data: Dataset, results: Sequence[tuple[str, QueryResult]], as_json: bool) -> None:
    """Print (model, figures) side by side, then what the first one missed."""
    if as_json:
        for name, result in results:
            render.json_line({"dataset": data.name, "model": name, "queries": asdict(result)})
        return
    first = results[0][1]
    typer.echo(f"{data.name}: {first.items} sounds, {first.queries} queries")
    columns = [_column(result) for _, result in results]
    rows = [[label, *(column[label] for column in columns)] for label in columns[0]]
    render.table(["", *(name for name, _ in results)], rows, [False] * (len(results) + 1))
    if first.missed:
        typer.echo(f"another kind comes first: {', '.join(first.missed)}")


def _column(result: QueryResult) -> dict[str, str]:
    def with_interval(value: float, interval: tuple[float, float]) -> str:
        return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"

    return {
        "prompt": repr(result.prompt),
        "first hit right": with_interval(result.first, result.first_interval),
        "one of the first three": with_interval(result.first_three, result.first_three_interval),
        "mAP": with_interval(result.map, result.map_interval),
        "spread over rewordings": "-" if result.spread is None else f"{result.spread:.3f}",
        "in a top ten: mean, most": f"{result.occurrence_mean:.1f}, {result.occurrence_most}",
        "in a top ten: skew": f"{result.occurrence_skew:.2f}",
    }
