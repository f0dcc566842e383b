"""`audiosearch eval`: measure models on a dataset, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.errors import AudioSearchError
from audiosearch.paths import user_path

if TYPE_CHECKING:
    from audiosearch.evaluation.datasets import Dataset
    from audiosearch.evaluation.measuring import CaptionResult, ClassResult, EmbeddedSounds
    from audiosearch.models.model import Model

    Results = list[tuple[str, CaptionResult | None, ClassResult | None]]


app = command_app()


@command(app, "eval")
def evaluate(
    *,
    context: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(
            parser=user_path,
            metavar="[DATASET]",
            show_default="the current directory, with --tasks",
            help="A folder of classes, a csv (file and caption or label), or a public dataset; with "
            "--tasks, the folder that holds public datasets.",
        ),
    ] = None,
    tasks: Annotated[
        bool,
        typer.Option(
            "--tasks", help="Measure every public task whose data is there, beside CLAP's paper."
        ),
    ] = False,
    fine_tune: Annotated[
        Path | None,
        typer.Option(
            "--fine-tune",
            parser=user_path,
            metavar="DIR",
            help="Train the whole audio tower on each public task too, fold by fold, and keep what "
            "is done in DIR: the same command goes on. It takes hours without a GPU.",
        ),
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Train no heads, and read no training parts.")
    ] = False,
    prompts: Annotated[
        str | None,
        typer.Option(
            "--prompts",
            metavar="FILE|list",
            help="Compare the templates of a file, one a line, or of the built-in list, and their "
            "ensemble.",
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries",
            parser=user_path,
            metavar="FILE.csv",
            help="Measure short queries instead: a csv with columns query and kind, a class of the "
            "dataset.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep", metavar="NAME", help="Keep the best of --prompts as a head of the library."
        ),
    ] = None,
    library: options.LibraryDirectory = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            show_default="mini",
            help="Measure this model. Repeatable, to compare.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="NAME",
            help="The layout of the dataset, if it is not recognised: folder, csv, esc50, "
            "urbansound8k, fsd50k, clotho or audiocaps.",
        ),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="Put each text in these words instead of the model's; '{}' is the text. "
            "Repeatable, to compare.",
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="NAME",
            help="Measure this only: captions or classes, or a public task such as esc50 "
            "(repeatable) in DATASET.",
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option("--bootstrap", min=1, metavar="N", help="Draw N samples for the intervals."),
    ] = 1_000,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Use only the first N sounds."),
    ] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(
            "--confusion",
            parser=user_path,
            metavar="FILE.svg",
            help="Draw which classes the first model takes for which others.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure how well models find sounds and tell them apart.

    Captions give recall@k, mAP@10 and median rank, both ways. Classes give zero-shot accuracy, mAP
    and macro F1. Queries give hits at the first place and within the first three, mAP, spread over
    rewordings and k-occurrence. Brackets hold 95 % intervals by bootstrap. Public tasks keep their
    official parts and metric; zero is zero-shot, head is a classifier on the frozen vectors, tuned
    is one with the audio tower fine-tuned, paper is CLAP's.
    """
    from audiosearch.evaluation.datasets import Dataset, read_dataset

    part = _part(task)
    if fine_tune is not None and (zero_shot or not (tasks or part is None)):
        context.fail("--fine-tune goes with --tasks or --task NAME, and without --zero-shot.")
    if tasks or part is None:
        from audiosearch.cli.tasks import run_tasks

        run_tasks(
            dataset or Path(),
            None if part else task,
            model or ["mini"],
            fine_tune,
            limit=limit,
            zero_shot_only=zero_shot,
            as_json=as_json,
        )
        return
    if dataset is None:
        context.fail("Name a DATASET, or --tasks.")
    if keep is not None and prompts is None:
        context.fail("--keep goes with --prompts.")
    if queries is not None and prompts is not None:
        context.fail("--queries and --prompts measure different things: name one.")
    data = read_dataset(dataset, layout)
    if limit:
        data = Dataset(data.name, data.layout, data.items[:limit])
    if prompts is not None:
        _study(data, prompts, (model or ["mini"])[0], keep, library, as_json)
        return
    if queries is not None:
        from audiosearch.cli.query_figures import run_queries

        run_queries(data, queries, model or ["mini"], _embedded, template or (), draws, as_json)
        return
    results: Results = []
    for name in model or ["mini"]:
        results += _measure(name, data, template or (), part, draws)
    if as_json:
        for name, captions, classes in results:
            render.json_line(_record(name, data, captions, classes))
    else:
        _print(data, results)
    if confusion:
        _draw(confusion, data, results)


def _part(tasks: Sequence[str] | None) -> str | None:
    """Return the part of a dataset to measure; `None` where public tasks are named.

    Raises `InvalidQuery` for a name that is neither.
    """
    if not tasks:
        return "all"
    if len(tasks) == 1 and tasks[0] in ("all", "captions", "classes"):
        return tasks[0]
    from audiosearch.errors import InvalidQuery
    from audiosearch.evaluation.task import all_tasks

    known = all_tasks()
    for name in tasks:
        if name not in known:
            raise InvalidQuery(
                f"there is no task {name[:80]!r}: there is captions, classes, {', '.join(known)}"
            )
    return None


def _study(
    data: Dataset, source: str, name: str, keep: str | None, library: str | None, as_json: bool
) -> None:
    """Print the figures of prompts, and keep the best as a head of a library if `keep` names it."""
    from audiosearch.evaluation import prompts
    from audiosearch.library import Library

    listed = prompts.read_prompts(source)
    model, sounds = _embedded(name, data)
    figures = prompts.study(model, sounds, listed)
    if as_json:
        for figure in figures:
            render.json_line({"dataset": data.name, "model": name, **asdict(figure)})
    else:
        rows = [
            (_with(figure.accuracy, figure.accuracy_interval), f"{figure.map:.3f}", figure.prompt)
            for figure in figures
        ]
        render.table(("accuracy", "mAP", "prompt"), rows, (False, True, False))
    if keep is not None:
        chosen = prompts.best_prompts(figures, listed)
        head = prompts.prompt_head(keep, model, data.classes, chosen)
        with Library.open(library, model=model) as opened:
            opened.heads.keep(head)
        best = chosen[0] if len(chosen) == 1 else f"the ensemble of {len(chosen)}"
        typer.echo(f"kept {best} as the head {keep}: classify FILE --head {keep}", err=True)


def _embedded(name: str, dataset: Dataset) -> tuple[Model, EmbeddedSounds]:
    from tqdm import tqdm

    from audiosearch.evaluation import measuring
    from audiosearch.models.registry import load_model

    loaded = load_model(name)
    with tqdm(
        total=len(dataset.items), desc=name, unit=" sounds", disable=None, leave=False
    ) as bar:
        sounds = measuring.embed_sounds(loaded, dataset, bar.update)
    for path, reason in sounds.failed:
        typer.echo(f"audiosearch: left out {render.near(str(path))}: {reason}", err=True)
    return loaded, sounds


def _measure(
    name: str, dataset: Dataset, templates: Sequence[str], task: str, draws: int
) -> Results:
    from audiosearch.evaluation import measuring

    loaded, sounds = _embedded(name, dataset)
    with_captions = bool(dataset.captions) and task in ("all", "captions")
    with_classes = bool(dataset.classes) and task in ("all", "classes")
    if not (with_captions or with_classes):
        raise AudioSearchError(f"{dataset.name} has no {task} to measure by")
    return [
        (
            name,
            measuring.evaluate_captions(loaded, sounds, prompt, draws) if with_captions else None,
            measuring.evaluate_classes(loaded, sounds, prompt, draws) if with_classes else None,
        )
        for prompt in templates or [loaded.bundle.query_template]
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
    typer.echo(f"{dataset.name}: {len(dataset.items)} sounds (layout {dataset.layout})")
    rows: dict[str, list[str]] = {"prompt": []}
    for _, captions, classes in results:
        result = captions or classes
        assert result
        rows["prompt"].append(repr(result.prompt))
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
