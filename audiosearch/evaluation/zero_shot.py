"""The figures of classification by class names, without training.

Conventions: `scores` (sounds, classes), higher is nearer; `truth` (sounds, classes) bool, with at
least one class for each sound. The predicted class has the highest score; of equal scores the first
class counts. All figures are in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.evaluation import retrieval


def correct(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (sounds,): 1.0 where the predicted class is one of the sound's, else 0.0."""
    right: np.ndarray = truth[np.arange(len(scores)), scores.argmax(axis=1)].astype(np.float64)
    return right


def confusion(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (classes, classes) int: the number of sounds by true class and predicted class.

    A row is a true class; of several the first counts. A column is a predicted class.
    """
    classes = scores.shape[1]
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth.argmax(axis=1), scores.argmax(axis=1)), 1)
    return matrix


def f1(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (classes,): the F1 of each class that has sounds or was predicted; NaN for the others."""
    predicted = np.zeros_like(truth)
    predicted[np.arange(len(scores)), scores.argmax(axis=1)] = True
    both = (predicted & truth).sum(axis=0)
    total = predicted.sum(axis=0) + truth.sum(axis=0)
    figures = np.full(len(total), np.nan)
    np.divide(2 * both, total, out=figures, where=total > 0)
    return figures


def class_precisions(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (classes with sounds,): the average precision of the sounds ranked for each class."""
    used = truth.any(axis=0)
    return retrieval.average_precision(scores.T[used], truth.T[used])


@dataclass(frozen=True)
class ZeroShot:
    """The figures of one matrix. `map` is the mean over classes of the average precision of sounds;
    `f1` is the macro mean.
    """

    sounds: int
    classes: int
    accuracy: float
    map: float
    f1: float


def evaluate(scores: np.ndarray, truth: np.ndarray) -> ZeroShot:
    """Return all figures of one matrix. Raises `ValueError` for what `retrieval.validate` refuses."""
    retrieval.validate(scores, truth)
    return ZeroShot(
        sounds=scores.shape[0],
        classes=scores.shape[1],
        accuracy=float(correct(scores, truth).mean()),
        map=float(class_precisions(scores, truth).mean()),
        f1=float(np.nanmean(f1(scores, truth))),
    )
