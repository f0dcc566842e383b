"""Training of a head: cross-validation by groups, choice of the strength, calibration, and the last
fit on everything.

Nothing is measured on what chose it. The strength of a fold is chosen within its own training part;
the temperature that calibrates a fold's probabilities comes from the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audiosearch.errors import InvalidQuery
from audiosearch.heads.calibration import Calibration, calibrate
from audiosearch.heads.fit import STRENGTH, STRENGTHS, Layers, example_weights, fit, loss_of
from audiosearch.heads.folds import group_folds, possible_folds, possible_label_folds

# An inner choice holds out this many parts in turn; beyond that many examples, one part is enough.
_INNER = 3
_ONE_PART_FROM = 5_000


@dataclass(frozen=True)
class Recipe:
    """How to train: `hidden` units (0 is a linear head), labels of their own or not (`multi`),
    equal weight for each class (`balanced`), the most `folds`, and the `seed` of what is drawn.
    """

    multi: bool = False
    hidden: int = 0
    balanced: bool = False
    folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """A trained head and what its cross-validation gave.

    `held_out` (n, labels) are the probabilities of each sound by heads that did not see its group,
    calibrated by the other folds; `uncalibrated` are the same without calibration. `folds` (n,) is
    the fold of each sound.
    """

    layers: Layers
    calibration: Calibration
    strength: float
    held_out: np.ndarray
    uncalibrated: np.ndarray
    folds: np.ndarray


def train(
    vectors: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    labels: Sequence[str],
    recipe: Recipe,
    *,
    prior: np.ndarray | None = None,
    on_progress: Callable[[], object] = lambda: None,
) -> Trained:
    """Train a head on vectors (n, d) with truth (n, labels) bool and groups (n,) int.

    `prior` is as in `fit`. `on_progress` is called once for each fold, and once at the end. Raises
    `InvalidQuery` for examples that cannot be learned from and measured on.
    """
    check_vectors(vectors)
    possible = possible_label_folds if recipe.multi else possible_folds
    count = possible(groups, truth, labels, recipe.folds)
    folds = group_folds(groups, truth, count, recipe.seed)
    logits = np.empty(truth.shape)
    for fold in range(count):
        inside = folds != fold
        strength = choose_strength(
            vectors[inside], truth[inside], groups[inside], recipe, prior=prior
        )
        layers = _fit(vectors[inside], truth[inside], recipe, strength, prior)
        logits[~inside] = layers.logits(vectors[~inside])
        on_progress()
    plain = Calibration()
    held_out = np.empty(truth.shape)
    for fold in range(count):
        inside = folds != fold
        steps = calibrate(logits[inside], truth[inside], recipe.multi, recipe.balanced)
        held_out[~inside] = steps.probabilities(logits[~inside], recipe.multi)
    strength = choose_strength(vectors, truth, groups, recipe, prior=prior)
    trained = Trained(
        _fit(vectors, truth, recipe, strength, prior),
        calibrate(logits, truth, recipe.multi, recipe.balanced),
        strength,
        held_out,
        plain.probabilities(logits, recipe.multi),
        folds,
    )
    on_progress()
    return trained


def choose_strength(
    vectors: np.ndarray,
    truth: np.ndarray,
    groups: np.ndarray,
    recipe: Recipe,
    *,
    prior: np.ndarray | None = None,
) -> float:
    """Return the strength of `STRENGTHS` with the least loss on held-out groups."""
    numbers = np.unique(groups, return_inverse=True)[1]
    parts = min(_INNER, int(numbers.max()) + 1)
    if parts < 2:
        return STRENGTH
    folds = group_folds(numbers, truth, parts, recipe.seed + 1)
    losses = np.zeros(len(STRENGTHS))
    for fold in range(1 if len(vectors) >= _ONE_PART_FROM else parts):
        inside = folds != fold
        if inside.all() or not inside.any():
            continue
        weights = example_weights(truth[~inside], recipe.multi, recipe.balanced)
        for at, strength in enumerate(STRENGTHS):
            layers = _fit(vectors[inside], truth[inside], recipe, strength, prior)
            logits = layers.logits(vectors[~inside])
            losses[at] += loss_of(logits, truth[~inside], recipe.multi, weights)[0]
    return STRENGTHS[int(losses.argmin())]


def _fit(
    vectors: np.ndarray,
    truth: np.ndarray,
    recipe: Recipe,
    strength: float,
    prior: np.ndarray | None,
) -> Layers:
    return fit(
        vectors,
        truth,
        multi=recipe.multi,
        hidden=recipe.hidden,
        strength=strength,
        balanced=recipe.balanced,
        prior=prior,
        seed=recipe.seed,
    )


def check_vectors(vectors: np.ndarray) -> None:
    """Raise `InvalidQuery` where vectors are not an array (n, d) of finite numbers."""
    if vectors.ndim != 2 or not len(vectors):
        raise InvalidQuery(f"a head learns from vectors (n, d), not from {vectors.shape}")
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise InvalidQuery(
            f"{int(broken.sum())} of {len(vectors)} vectors hold NaN or infinity, the first is "
            f"number {int(broken.argmax())}: see audiosearch doctor"
        )
