"""`audiosearch eval`: measure models on a dataset of one's own, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiosearch.cli import options, render
from audiosearch.errors import AudioSearchError

if TYPE_CHECKING:
    from audiosearch.evaluation.datasets import Dataset
    from audiosearch.evaluation.measuring import CaptionResult, ClassResult

    Results = list[tuple[str, CaptionResult | None, ClassResult | None]]


@click.command("eval")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--model", multiple=True, default=["mini"], metavar="NAME", help="Repeatable.")
@click.option(
    "--layout",
    metavar="NAME",
    help="folder, csv, esc50, urbansound8k, fsd50k, clotho or audiocaps, if it is not seen.",
)
@click.option(
    "--template",
    multiple=True,
    metavar="TEXT",
    help="Wording; '{}' is the text. Repeatable, to compare.",
)
@click.option(
    "--task",
    type=click.Choice(["all", "captions", "classes"]),
    default="all",
    help="What to measure.",
)
@click.option(
    "--bootstrap",
    "draws",
    type=click.IntRange(min=1),
    default=1_000,
    show_default=True,
    metavar="N",
    help="Draws for the intervals.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N sounds.")
@click.option(
    "--confusion",
    type=click.Path(path_type=Path),
    metavar="FILE.svg",
    help="Draw what was taken for what (the first model).",
)
@options.as_json
def evaluate(
    dataset: Path,
    model: Sequence[str],
    layout: str | None,
    template: Sequence[str],
    task: str,
    draws: int,
    limit: int | None,
    confusion: Path | None,
    as_json: bool,
) -> None:
    """Measure how well models find and tell apart sounds.

    DATASET: a folder of classes, a csv (file and caption or label), or a public dataset.

    Captions: recall@k, mAP@10 and median rank, both ways. Classes: zero-shot accuracy, mAP and
    macro F1. In brackets, 95 % intervals by bootstrap.
    """
    from audiosearch.evaluation.datasets import Dataset, read_dataset

    found = read_dataset(dataset, layout)
    if limit:
        found = Dataset(found.name, found.layout, found.items[:limit])
    results: Results = []
    for name in model:
        results += _measure(name, found, template, task, draws)
    if as_json:
        for name, captions, classes in results:
            render.json_line(_record(name, found, captions, classes))
    else:
        _print(found, results)
    if confusion:
        _draw(confusion, found, results)


def _measure(
    name: str, dataset: Dataset, templates: Sequence[str], task: str, draws: int
) -> Results:
    from tqdm import tqdm

    from audiosearch.evaluation import measuring
    from audiosearch.models.registry import load_model

    loaded = load_model(name)
    with tqdm(
        total=len(dataset.items), desc=name, unit=" sounds", disable=None, leave=False
    ) as bar:
        sounds = measuring.embed_sounds(loaded, dataset, bar.update)
    for path, reason in sounds.failed:
        click.echo(f"audiosearch: left out {render.near(str(path))}: {reason}", err=True)
    with_captions = bool(dataset.captions) and task in ("all", "captions")
    with_classes = bool(dataset.classes) and task in ("all", "classes")
    if not (with_captions or with_classes):
        raise AudioSearchError(f"{dataset.name} has no {task} to measure by")
    return [
        (
            name,
            measuring.evaluate_captions(loaded, sounds, chosen, draws) if with_captions else None,
            measuring.evaluate_classes(loaded, sounds, chosen, draws) if with_classes else None,
        )
        for chosen in templates or [loaded.bundle.query_template]
    ]


def _record(
    name: str, dataset: Dataset, captions: CaptionResult | None, classes: ClassResult | None
) -> dict[str, Any]:
    record: dict[str, Any] = {"dataset": dataset.name, "layout": dataset.layout, "model": name}
    if captions:
        record["captions"] = asdict(captions)
    if classes:
        record["classes"] = asdict(classes) | {"confusion": classes.confusion.tolist()}
    return record


def _print(dataset: Dataset, results: Results) -> None:
    click.echo(f"{dataset.name}: {len(dataset.items)} sounds (layout {dataset.layout})")
    rows: dict[str, list[str]] = {"prompt": []}
    for _, captions, classes in results:
        chosen = captions or classes
        assert chosen
        rows["prompt"].append(repr(chosen.prompt))
        for label, text in [*_caption_rows(captions), *_class_rows(classes)]:
            rows.setdefault(label, []).append(text)
    heads = ["", *(name for name, _, _ in results)]
    body = [[label, *texts] for label, texts in rows.items()]
    render.table(heads, body, [False] * len(heads))


def _with(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _caption_rows(result: CaptionResult | None) -> list[tuple[str, str]]:
    if not result:
        return []
    rows = []
    for title, figures, interval in (
        ("text to audio", result.text_to_audio, result.text_to_audio_map_interval),
        ("audio to text", result.audio_to_text, result.audio_to_text_map_interval),
    ):
        recalls = (figures.recall_at_1, figures.recall_at_5, figures.recall_at_10)
        rows += [
            (f"{title}: queries, items", f"{figures.queries}, {figures.items}"),
            (f"{title}: recall@1/5/10", " ".join(f"{recall:.3f}" for recall in recalls)),
            (f"{title}: mAP@10", _with(figures.map_at_10, interval)),
            (f"{title}: median rank", f"{figures.median_rank:g}"),
        ]
    return rows


def _class_rows(result: ClassResult | None) -> list[tuple[str, str]]:
    if not result:
        return []
    figures = result.zero_shot
    return [
        ("classes", str(figures.classes)),
        ("zero-shot accuracy", _with(figures.accuracy, result.accuracy_interval)),
        ("zero-shot mAP", _with(figures.map, result.map_interval)),
        ("zero-shot macro F1", f"{figures.f1:.3f}"),
        ("class to audio: mAP", f"{result.text_to_audio.map:.3f}"),
    ]


def _draw(file: Path, dataset: Dataset, results: Results) -> None:
    from audiosearch.evaluation.picture import confusion_svg

    name, _, classes = results[0]
    if not classes:
        raise AudioSearchError(f"{dataset.name} has no classes to confuse")
    title = f"{dataset.name}, {name}, {classes.prompt!r}"
    try:
        file.write_text(confusion_svg(classes.confusion, classes.classes, title), encoding="utf-8")
    except OSError as error:
        raise AudioSearchError(f"cannot write {file}: {error.strerror or error}") from error
