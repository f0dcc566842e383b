"""The measurement of a model on a task: zero-shot, by a head on its frozen vectors, and fine-tuned.

Zero-shot figures are of every fold, or of the test part. A head learns from the other folds, or
from the training part; its strength is chosen by held-out groups of what it learns from. So does a
tuner, which trains the audio tower too. Figures of folds are means over folds. Intervals are
bootstraps over groups, 95 %.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.evaluation import bootstrap, retrieval, zero_shot
from audiosearch.evaluation.bootstrap import Interval
from audiosearch.evaluation.datasets import Dataset, DatasetError
from audiosearch.evaluation.examples import Examples
from audiosearch.evaluation.items import Item
from audiosearch.evaluation.measuring import EmbeddedSounds, embed_sounds
from audiosearch.evaluation.task import Task
from audiosearch.heads.fit import fit
from audiosearch.heads.folds import group_numbers
from audiosearch.heads.training import Recipe, choose_strength
from audiosearch.models.embedding import mean_of
from audiosearch.models.model import Model, apply_template

_DRAWS = 300

# Fine-tunes a model on each part of a task, and returns the logits (sounds, classes) of the sounds
# that are measured; others are NaN. `audiosearch.training.fine_tuning` has one.
Tune = Callable[[Examples], np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A figure in [0, 1] with its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class TaskResult:
    """The figures of a model on a task.

    Of a retrieval task, `zero_shot` is recall@10 of sounds by captions. `head` is `None` for it, and
    where the dataset has no training part; `tuned` also where no tuner was given. `left_out` counts
    files that could not be read.
    """

    task: str
    model: str
    sounds: int
    classes: int
    zero_shot: Figure
    head: Figure | None
    tuned: Figure | None
    left_out: int


def read_task(task: Task, root: Path, limit: int | None = None, with_head: bool = True) -> Dataset:
    """Return the sounds of a task at `root`; without `with_head`, those alone that are measured.

    `limit` keeps so many of each part, evenly spread. Raises `DatasetError`.
    """
    try:
        items = list(task.read(root) if with_head else task.measured(root))
    except OSError as error:
        where = error.filename or root
        raise DatasetError(f"{task.title} at {root}: {where}: {error.strerror}") from error
    except (KeyError, ValueError, IndexError, StopIteration, csv.Error) as error:
        raise DatasetError(
            f"{root} is not in the layout of {task.title}: {type(error).__name__} {error}"
        ) from error
    if not items:
        raise DatasetError(f"there are no sounds of {task.title} in {root}")
    if limit:
        parts: dict[str, list[Item]] = {}
        for item in items:
            parts.setdefault(item.split, []).append(item)
        items = [item for part in parts.values() for item in _spread(part, limit)]
    return Dataset(task.name, task.name, tuple(items))


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def run_task(
    task: Task,
    data: Dataset,
    model: Model,
    *,
    prompt: str | None = None,
    with_head: bool = True,
    tune: Tune | None = None,
    on_progress: Callable[[], object] = lambda: None,
) -> TaskResult:
    """Measure a model on the sounds of a task. `prompt` replaces the task's own; without
    `with_head`, zero-shot alone.
    """
    sounds = embed_sounds(model, data, on_progress)
    template = task.prompt if prompt is None else prompt
    if task.metric == "retrieval":
        return _retrieval(task, sounds, model, template)
    classes = tuple(sorted({name for item in data.items for name in item.classes}))
    examples = Examples(
        task,
        tuple(item.path for item in sounds.items),
        classes,
        np.stack([mean_of(windows) for windows in sounds.vectors]),
        np.array([[name in item.classes for name in classes] for item in sounds.items]),
        group_numbers([item.group or str(item.path) for item in sounds.items]),
        np.array([item.split for item in sounds.items]),
    )
    if not examples.tested.any():
        raise DatasetError(f"no sound of the test part of {task.title} can be read")
    texts = model.embed_text([apply_template(template, name) for name in classes])
    learnable = with_head and bool(examples.parts())
    return TaskResult(
        task.name,
        model.bundle.name,
        int(examples.tested.sum()),
        len(classes),
        _figure(examples, examples.vectors @ texts.T),
        _figure(examples, _head_scores(examples)) if learnable else None,
        _figure(examples, tune(examples)) if learnable and tune else None,
        len(sounds.failed),
    )


def _head_scores(examples: Examples) -> np.ndarray:
    """Return the logits (sounds, classes) of the sounds that are measured."""
    logits = np.full(examples.truth.shape, np.nan)
    for _, inside, outside in examples.parts():
        recipe = Recipe(multi=examples.task.multi)
        learned = examples.vectors[inside], examples.truth[inside]
        strength = choose_strength(*learned, examples.groups[inside], recipe)
        layers = fit(*learned, multi=recipe.multi, strength=strength)
        logits[outside] = layers.logits(examples.vectors[outside])
    return logits


def _figure(examples: Examples, scores: np.ndarray) -> Figure:
    """Return the task's figure: a mean over folds, or of all; its interval is of all sounds."""
    tested = examples.tested
    scores, truth, folds = scores[tested], examples.truth[tested], examples.folds[tested]

    def of(rows: np.ndarray) -> float:
        if examples.task.metric == "mAP":
            return float(zero_shot.class_precisions(scores[rows], truth[rows]).mean())
        return float(zero_shot.correct(scores[rows], truth[rows]).mean())

    parts = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    value = float(np.mean([of(rows) for rows in parts]))
    return Figure(value, bootstrap.group_interval(examples.groups[tested], of, _DRAWS))


def _retrieval(task: Task, sounds: EmbeddedSounds, model: Model, template: str) -> TaskResult:
    captions = tuple(dict.fromkeys(c for item in sounds.items for c in item.captions))
    texts = model.embed_text([apply_template(template, caption) for caption in captions])
    relevant = np.array([[c in item.captions for item in sounds.items] for c in captions])
    right = retrieval.recall_at(sounds.best_windows(texts), relevant, 10)
    figure = Figure(float(right.mean()), bootstrap.mean_interval(right, _DRAWS))
    return TaskResult(
        task.name,
        model.bundle.name,
        len(sounds.items),
        0,
        figure,
        None,
        None,
        len(sounds.failed),
    )
