"""The study of prompts: how well each of a list of templates tells classes apart, and all together.

An ensemble's vector of a class is the mean of its unit vectors in all templates, at unit length.
The best template of a list was chosen on these sounds, so that its figure flatters it; `chosen` is
the honest one: each fold of groups is classified by the template that was best on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.errors import InvalidQuery
from audiosearch.evaluation import bootstrap, zero_shot
from audiosearch.evaluation.bootstrap import Interval
from audiosearch.evaluation.measuring import EmbeddedSounds
from audiosearch.heads.calibration import Calibration
from audiosearch.heads.fit import Layers
from audiosearch.heads.folds import group_folds, group_numbers
from audiosearch.heads.head import Head, check_name
from audiosearch.models.embedding import mean_of
from audiosearch.models.model import Model, apply_template
from audiosearch.vectors.codec import unit

# Wordings of the kind that the paper compares in its table 3.
LIST = "list"
PROMPTS = (
    "{}",
    "a sound of {}",
    "this is a sound of {}",
    "this is {}",
    "i can hear {}",
    "i can hear a sound of {}",
    "a recording of {}",
    "{} can be heard",
)
ENSEMBLE, CHOSEN = "(ensemble of all)", "(best of the other folds)"
_FOLDS = 5


@dataclass(frozen=True)
class PromptFigure:
    """The accuracy and the mAP of one template, of the ensemble, or of the choice by folds."""

    prompt: str
    accuracy: float
    accuracy_interval: Interval
    map: float


def read_prompts(source: str) -> tuple[str, ...]:
    """Return the templates of a text file, one a line, or of the built-in `LIST`.

    Raises `InvalidQuery` for a template without ``{}``, fewer than two, or no such file.
    """
    if source == LIST:
        return PROMPTS
    try:
        lines = Path(source).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        raise InvalidQuery(f"cannot read the prompts {source}: {reason}") from error
    prompts = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    for prompt in prompts:
        apply_template(prompt, "x")
    if len(prompts) < 2:
        raise InvalidQuery(f"{source} has {len(prompts)} prompts: a study compares at least two")
    return prompts


def class_vectors(model: Model, classes: Sequence[str], prompts: Sequence[str]) -> np.ndarray:
    """Return the unit vectors (classes, d) of class names, in one template or in an ensemble."""
    parts = [model.embed_text([apply_template(p, name) for name in classes]) for p in prompts]
    return unit(np.mean(parts, axis=0))


def study(model: Model, sounds: EmbeddedSounds, prompts: Sequence[str]) -> list[PromptFigure]:
    """Return the figures of each template, of the ensemble, and of the choice by folds.

    Raises `InvalidQuery` where the dataset has no classes.
    """
    items = [item for item in sounds.items if item.classes]
    classes = tuple(sorted(set().union(*(item.classes for item in items))))
    if len(classes) < 2:
        raise InvalidQuery("the dataset has no classes to tell apart")
    truth = np.array([[name in item.classes for name in classes] for item in items])
    groups = group_numbers([item.group or str(item.path) for item in items])
    vectors = np.stack(
        [
            mean_of(windows)
            for windows, item in zip(sounds.vectors, sounds.items, strict=True)
            if item.classes
        ]
    )
    scores = {
        name: vectors @ class_vectors(model, classes, used).T
        for name, used in [*((p, [p]) for p in prompts), (ENSEMBLE, list(prompts))]
    }
    right = {name: zero_shot.correct(matrix, truth) for name, matrix in scores.items()}
    folds = group_folds(groups, truth, _FOLDS)
    chosen = np.zeros_like(scores[ENSEMBLE])
    for fold in range(_FOLDS):
        outside = folds == fold
        best = max(scores, key=lambda name: float(right[name][~outside].sum()))
        chosen[outside] = scores[best][outside]
    scores[CHOSEN] = chosen
    return [_figure(name, matrix, truth, groups) for name, matrix in scores.items()]


def _figure(name: str, scores: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> PromptFigure:
    right = zero_shot.correct(scores, truth)
    return PromptFigure(
        name,
        float(right.mean()),
        bootstrap.group_interval(groups, lambda rows: float(right[rows].mean())),
        float(zero_shot.class_precisions(scores, truth).mean()),
    )


def best_prompts(figures: Sequence[PromptFigure], prompts: Sequence[str]) -> tuple[str, ...]:
    """Return the templates to keep: all of them where their ensemble is best, else the best one."""
    known = [figure for figure in figures if figure.prompt != CHOSEN]
    best = max(known, key=lambda figure: figure.accuracy).prompt
    return tuple(prompts) if best == ENSEMBLE else (best,)


def prompt_head(name: str, model: Model, classes: Sequence[str], prompts: Sequence[str]) -> Head:
    """Return the choice of prompts for a set of classes as a head, which was not trained: its
    weights are the vectors of the class names.
    """
    if len(classes) < 2:
        raise InvalidQuery("a choice of prompts is for at least two classes")
    vectors = class_vectors(model, classes, prompts)
    weights = model.bundle.logit_scale * vectors.T.astype(np.float64)
    return Head(
        check_name(name),
        tuple(classes),
        False,
        model.identity.digest,
        model.bundle.name,
        Layers(((weights, np.zeros(len(classes))),)),
        Calibration(),
        {"multi": False, "kind": "zero-shot", "prompts": list(prompts)},
    )
