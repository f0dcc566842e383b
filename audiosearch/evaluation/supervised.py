"""The figures of a trained head, from its cross-validation.

Conventions: `probabilities` (sounds, labels) of each sound come from a head that did not see the
sound's group; `truth` (sounds, labels) is bool. Intervals are bootstraps over groups, 95 %. All
figures are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosearch.evaluation import bootstrap, zero_shot
from audiosearch.evaluation.bootstrap import Interval
from audiosearch.heads.calibration import calibration_error

# A draw of mAP sorts every column; the interval needs fewer draws than the cells would cost.
_MOST_CELLS = 200_000_000


@dataclass(frozen=True)
class HeadFigures:
    """What a cross-validation gave.

    `recall` has the share of each label's sounds that were recognised, `support` their number. With
    `multi`, a label is recognised where its probability is at least 0.5, and `accuracy` is the share
    of sounds whose most probable label is right. `calibration_error` is the mean distance between
    stated and true probabilities; `uncalibrated_error` is the same without calibration. A row of
    `confusion` is a true label, a column the most probable one.
    """

    sounds: int
    groups: int
    folds: int
    accuracy: float
    accuracy_interval: Interval
    map: float
    map_interval: Interval
    f1: float
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    calibration_error: float
    uncalibrated_error: float
    recall: tuple[float, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]


def head_figures(
    probabilities: np.ndarray,
    uncalibrated: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    folds: Sequence[int] | np.ndarray,
    *,
    multi: bool = False,
    draws: int = bootstrap.DRAWS,
) -> HeadFigures:
    """Return the figures of held-out probabilities; `groups` and `folds` are numbers (sounds,)."""
    right = zero_shot.correct(probabilities, truth)
    predicted = predictions(probabilities, multi)
    recalls = recall(predicted, truth)
    fewer = max(50, min(draws, _MOST_CELLS // max(1, probabilities.size)))

    def mean_precision(rows: np.ndarray) -> float:
        return float(zero_shot.class_precisions(probabilities[rows], truth[rows]).mean())

    def mean_recall(rows: np.ndarray) -> float:
        return float(np.nanmean(recall(predicted[rows], truth[rows])))

    return HeadFigures(
        sounds=len(truth),
        groups=len(np.unique(groups)),
        folds=len(np.unique(folds)),
        accuracy=float(right.mean()),
        accuracy_interval=bootstrap.group_interval(
            groups, lambda rows: float(right[rows].mean()), draws
        ),
        map=float(zero_shot.class_precisions(probabilities, truth).mean()),
        map_interval=bootstrap.group_interval(groups, mean_precision, min(fewer, draws)),
        f1=macro_f1(predicted, truth),
        balanced_accuracy=float(np.nanmean(recalls)),
        balanced_accuracy_interval=bootstrap.group_interval(groups, mean_recall, draws),
        calibration_error=_error(probabilities, truth, multi),
        uncalibrated_error=_error(uncalibrated, truth, multi),
        recall=tuple(np.nan_to_num(recalls).tolist()),
        support=tuple(truth.sum(axis=0).tolist()),
        confusion=tuple(map(tuple, zero_shot.confusion(probabilities, truth).tolist())),
    )


def predictions(probabilities: np.ndarray, multi: bool) -> np.ndarray:
    """Return the labels (sounds, labels) bool that are taken as heard."""
    if multi:
        result: np.ndarray = probabilities >= 0.5
        return result
    chosen = np.zeros(probabilities.shape, dtype=bool)
    chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
    return chosen


def recall(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (labels,): the share of each label's sounds that were recognised; NaN without sounds."""
    support = truth.sum(axis=0)
    figures = np.full(truth.shape[1], np.nan)
    np.divide((predicted & truth).sum(axis=0), support, out=figures, where=support > 0)
    return figures


def macro_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over the labels of F1, 0 for a label that was neither heard nor predicted."""
    both = 2 * (predicted & truth).sum(axis=0)
    total = predicted.sum(axis=0) + truth.sum(axis=0)
    return float(np.mean(both / np.maximum(total, 1)))


def _error(probabilities: np.ndarray, truth: np.ndarray, multi: bool) -> float:
    if multi:
        return calibration_error(probabilities.ravel(), truth.ravel())
    return calibration_error(probabilities.max(axis=1), zero_shot.correct(probabilities, truth))
