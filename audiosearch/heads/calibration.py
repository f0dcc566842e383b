"""Calibration: logits of sounds that a head did not see become probabilities.

Classes that exclude each other take one temperature (Guo et al. 2017); labels of their own take
Platt's slope and offset (1999), one pair for all labels, which few examples can carry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiosearch.heads.fit import example_weights, loss_of, sigmoid, softmax
from audiosearch.heads.lbfgs import minimise

_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Calibrated logits are ``slope * logits + offset``. `slope` is above 0."""

    slope: float = 1.0
    offset: float = 0.0

    def logits(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated logits of the same shape."""
        result: np.ndarray = self.slope * logits + self.offset
        return result

    def probabilities(self, logits: np.ndarray, multi: bool) -> np.ndarray:
        """Return probabilities of the same shape: a softmax over labels, or with `multi` a sigmoid."""
        calibrated = self.logits(logits)
        return sigmoid(calibrated) if multi else softmax(calibrated)


def calibrate(
    logits: np.ndarray, truth: np.ndarray, multi: bool, balanced: bool = False
) -> Calibration:
    """Return the calibration under which the labels (n, labels) are most probable.

    `logits` (n, labels) come from heads that did not see these sounds. With `balanced`, the
    probabilities are those of a world in which each class is as frequent as any other.
    """
    weights = example_weights(truth, multi, balanced)

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offset = np.exp(point[0]), point[1]
        value, errors = loss_of(slope * logits + offset, truth, multi, weights)
        by_slope = float((errors * logits).sum()) * slope
        return value, np.array([by_slope, float(errors.sum()) if multi else 0.0])

    slope, offset = minimise(objective, np.zeros(2), tolerance=1e-7)
    # Perfectly separated sounds would ask for an endless slope.
    return Calibration(float(np.exp(np.clip(slope, -5.0, 5.0))), float(offset) if multi else 0.0)


def calibration_error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error: the mean distance of stated probabilities (m,) from
    the share that was right (m,), over ten bins of equal width.
    """
    places = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    total = 0.0
    for place in range(_BINS):
        inside = places == place
        if inside.any():
            total += abs(float(probabilities[inside].sum() - right[inside].sum()))
    return total / len(probabilities)
