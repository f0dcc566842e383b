"""The table of tasks that `audiosearch eval --tasks` prints. It is no command of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import typer

from audiosearch.cli import render
from audiosearch.cli.talk import Talk

if TYPE_CHECKING:
    import numpy as np

    from audiosearch.evaluation.examples import Examples
    from audiosearch.evaluation.task import Task
    from audiosearch.evaluation.task_run import Figure, TaskResult, Tune


def run_tasks(
    folder: Path,
    names: list[str] | None,
    models: list[str],
    fine_tune: Path | None,
    *,
    limit: int | None,
    zero_shot_only: bool,
    as_json: bool,
) -> None:
    """Measure the tasks whose data is below `folder` and print a table for each model, then what is
    missing.

    `names` are the tasks to measure, all by default. `fine_tune` is the folder of fine-tuning, if
    the audio tower is to be trained on each task.
    """
    from audiosearch.evaluation.datasets import DatasetError
    from audiosearch.evaluation.task import all_tasks
    from audiosearch.training.run import check_extra

    if not folder.is_dir():
        raise DatasetError(f"there is no folder {folder}: name the one that holds the datasets")
    if fine_tune:
        check_extra()
    tasks = all_tasks()
    chosen = {name: tasks[name] for name in names} if names else tasks
    present = {name: root for name, task in chosen.items() if (root := task.root(folder))}
    missing = [task for name, task in chosen.items() if name not in present]
    if names and missing:
        raise DatasetError(f"{missing[0].title} is not in {folder}: {_where(missing[0])}")
    rows: dict[str, list[tuple[str, ...]]] = {model: [] for model in models}
    for name, root in present.items():
        for model in models:
            result = _measure(chosen[name], root, model, fine_tune, limit, zero_shot_only)
            if as_json:
                render.json_line({**asdict(result), **_about(chosen[name])})
            else:
                rows[model].append(_row(chosen[name], result))
    if as_json:
        for task in missing:
            render.json_line({"task": task.name, "missing": True, **_about(task)})
        return
    for model in models if present else ():
        typer.echo(f"{render.near(model)}, beside CLAP's paper")
        render.table(_HEADS, rows[model], [False, False, *[True] * 6, False])
        typer.echo()
    if present:
        typer.echo(_LEGEND, err=True)
    if missing:
        where = "here" if folder == Path() else f"in {render.near(str(folder))}"
        typer.echo(f"{len(missing)} of {len(chosen)} tasks are not {where}:")
    for task in missing:
        typer.echo(f"  {task.title}: put it in {task.folders[0]}/")
        for text in (f"{task.size}; {task.licence}", task.source):
            typer.echo(fill(text, 80, initial_indent=_SPACE, subsequent_indent=_SPACE))


_SPACE = " " * 4
_HEADS = ("task", "of", "sounds", "zero", "paper", "head", "tuned", "paper", "interval")
_LEGEND = """\
zero: zero-shot. head: a classifier on the model's frozen vectors, trained on
the other folds or the training part. tuned: the same, with the audio tower
trained too (--fine-tune DIR). paper: its zero-shot figure, and its best.
interval: 95 %, of the last of ours."""


def _where(task: Task) -> str:
    return f"put it in {task.folders[0]}/; {task.size}, {task.licence}; {task.source}"


def _about(task: Task) -> dict[str, Any]:
    return {
        "title": task.title,
        "folder": task.folders[0],
        "source": task.source,
        "size": task.size,
        "licence": task.licence,
        "metric": task.metric,
        "prompt": task.prompt,
        "paper": {"zero_shot": task.zero_shot, "best": task.best},
        "note": task.note,
    }


def _measure(
    task: Task,
    root: Path,
    model: str,
    fine_tune: Path | None,
    limit: int | None,
    zero_shot_only: bool,
) -> TaskResult:
    from tqdm import tqdm

    from audiosearch.evaluation.task_run import read_task, run_task
    from audiosearch.models.registry import load_model

    data = read_task(task, root, limit, with_head=not zero_shot_only)
    with tqdm(
        total=len(data.items), desc=f"{task.name}, {model}", unit=" sounds", disable=None,
        leave=False,
    ) as bar:  # fmt: skip
        result = run_task(
            task,
            data,
            load_model(model),
            with_head=not zero_shot_only,
            tune=_tuner(model, fine_tune) if fine_tune else None,
            on_progress=bar.update,
        )
    if result.left_out:
        typer.echo(
            f"audiosearch: {task.name}: left out {result.left_out} files that cannot be read",
            err=True,
        )
    return result


def _tuner(model: str, folder: Path) -> Tune:
    def tune(examples: Examples) -> np.ndarray:
        from audiosearch.training.fine_tuning import fine_tuned_logits

        talk = Talk()
        try:
            return fine_tuned_logits(examples, model, folder, talk)
        except KeyboardInterrupt:
            talk.tell("stopped: the same command goes on from here")
            raise
        finally:
            talk.close()

    return tune


def _row(task: Task, result: TaskResult) -> tuple[str, ...]:
    low, high = (result.tuned or result.head or result.zero_shot).interval
    return (
        task.name,
        "R@10" if task.metric == "retrieval" else {"accuracy": "acc"}.get(task.metric, task.metric),
        str(result.sounds),
        _three(result.zero_shot),
        _paper(task.zero_shot),
        _three(result.head),
        _three(result.tuned),
        _paper(task.best),
        f"{low:.2f}-{high:.2f}",
    )


def _three(figure: Figure | None) -> str:
    return f"{figure.value:.3f}" if figure else "-"


def _paper(figure: float | None) -> str:
    return f"{figure:.3f}" if figure is not None else "-"
