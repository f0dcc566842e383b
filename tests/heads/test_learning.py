"""Learning, calibration and folds, on vectors whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch.errors import InvalidQuery
from audiosearch.heads.calibration import calibrate, calibration_error
from audiosearch.heads.fit import Layers, example_weights, fit, loss_of, sigmoid, softmax
from audiosearch.heads.folds import group_folds, group_numbers, possible_folds
from audiosearch.heads.lbfgs import minimise
from audiosearch.heads.training import Recipe, train
from audiosearch.vectors.codec import unit

LABELS = ("bell", "dog", "rain")


def clouds(
    count: int = 30, groups: int = 10, spread: float = 0.3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors (3 * count, 16) around three centres, their truth, and groups."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(3, 16))
    which = np.repeat(np.arange(3), count)
    vectors = unit(centres[which] + spread * rng.normal(size=(3 * count, 16)) * 4)
    truth = which[:, None] == np.arange(3)
    return vectors, truth, np.tile(np.arange(count) % groups, 3) + which * groups


def test_minimum_of_a_narrow_valley() -> None:
    def rosenbrock(point: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = point
        by_x = -2 * (1 - x) - 400 * x * (y - x**2)
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2, np.array([by_x, 200 * (y - x**2)])

    assert minimise(rosenbrock, np.array([-1.2, 1.0]), tolerance=1e-8) == pytest.approx([1, 1])


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("balanced", [False, True])
def test_gradient_of_the_loss(multi: bool, balanced: bool) -> None:
    rng = np.random.default_rng(1)
    logits, truth = rng.normal(size=(7, 3)), np.eye(3, dtype=bool)[rng.integers(0, 3, 7)]
    weights = example_weights(truth, multi, balanced)
    _, gradient = loss_of(logits, truth, multi, weights)
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-6
        high, low = (loss_of(logits + s, truth, multi, weights)[0] for s in (step, -step))
        assert gradient[place] == pytest.approx((high - low) / 2e-6, abs=1e-8)


@pytest.mark.parametrize("hidden", [0, 4])
@pytest.mark.parametrize("multi", [False, True])
def test_a_fit_is_a_minimum(hidden: int, multi: bool) -> None:
    """The layers that come back, for vectors as they are, are the best of their neighbourhood."""
    vectors, truth, _ = clouds(6)
    layers = fit(vectors, truth, multi=multi, hidden=hidden, strength=0.05)
    centred = vectors - vectors.mean(axis=0)
    scale = np.sqrt((centred.astype(np.float64) ** 2).mean())

    def loss(trial: Layers) -> float:
        first = trial.layers[0][0] * scale  # the penalty is on the weights of scaled vectors
        size = (first**2).sum() + sum((w**2).sum() for w, _ in trial.layers[1:])
        weights = example_weights(truth, multi, False)
        return loss_of(trial.logits(vectors), truth, multi, weights)[0] + 0.025 * float(size)

    least, rng = loss(layers), np.random.default_rng(0)
    for _ in range(20):
        moved = tuple(
            (w + rng.normal(0, 0.02, w.shape), b + rng.normal(0, 0.02, b.shape))
            for w, b in layers.layers
        )
        assert loss(Layers(moved)) > least


def test_it_equals_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    vectors, truth, _ = clouds()
    centred = vectors - vectors.mean(axis=0)
    scaled = centred / np.sqrt((centred.astype(np.float64) ** 2).mean())
    theirs = linear_model.LogisticRegression(C=1 / (0.1 * len(vectors)), tol=1e-8, max_iter=1000)
    theirs.fit(scaled, truth.argmax(axis=1))
    ours = softmax(fit(vectors, truth, strength=0.1).logits(vectors))
    assert ours == pytest.approx(theirs.predict_proba(scaled), abs=2e-3)


def test_few_examples_in_many_dimensions() -> None:
    """Examples that are given twice weigh the same, and take the way of many examples."""
    few, truth, _ = clouds(2)
    assert len(few) < few.shape[1] < 4 * len(few)
    many = fit(np.tile(few, (4, 1)), np.tile(truth, (4, 1)), strength=0.1)
    assert fit(few, truth, strength=0.1).layers[0][0] == pytest.approx(many.layers[0][0], abs=3e-3)


def test_rare_classes_count_as_much_when_balanced() -> None:
    truth = np.array([[True, False]] * 9 + [[False, True]])
    weights = example_weights(truth, False, True)
    assert weights[truth[:, 0]].sum() == pytest.approx(weights[truth[:, 1]].sum())
    assert weights.mean() == pytest.approx(1)


def test_a_prior_is_kept_where_there_is_little_to_learn() -> None:
    vectors, truth, _ = clouds(1)
    prior = np.random.default_rng(3).normal(size=(16, 3))
    stiff = fit(vectors, truth, strength=1e6, prior=prior)
    assert stiff.layers[0][0] == pytest.approx(prior, abs=1e-3)
    loose = fit(vectors, truth, strength=1e-3, prior=prior)
    assert np.abs(loose.layers[0][0] - prior).max() > 0.1


@pytest.mark.parametrize("multi", [False, True])
def test_calibration_finds_the_slope(multi: bool) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, size=(4_000, 3))
    if multi:
        truth = rng.random((4_000, 3)) < sigmoid(logits)
    else:
        chosen = (softmax(logits).cumsum(axis=1) > rng.random((4_000, 1))).argmax(axis=1)
        truth = chosen[:, None] == np.arange(3)
    steps = calibrate(3 * logits, truth, multi)
    assert steps.slope == pytest.approx(1 / 3, rel=0.1)
    assert steps.offset == pytest.approx(0, abs=0.1)
    after = steps.probabilities(3 * logits, multi).max(axis=1)
    right = truth[np.arange(4_000), logits.argmax(axis=1)]
    assert calibration_error(after, right) < 0.03


def test_calibration_error_of_boasting() -> None:
    assert calibration_error(np.full(10, 0.9), np.repeat([1.0, 0.0], 5)) == pytest.approx(0.4)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=60),
    st.integers(2, 5),
)
def test_groups_are_never_split(rows: list[tuple[int, int]], folds: int) -> None:
    truth = np.array([[label == column for column in range(3)] for label, _ in rows])
    groups = group_numbers([str(group) for _, group in rows])
    made = group_folds(groups, truth, folds)
    for group in set(groups.tolist()):
        assert len(set(made[groups == group].tolist())) == 1


def test_two_groups_of_a_class_are_in_two_folds() -> None:
    _, truth, groups = clouds(20, groups=2)
    made = group_folds(groups, truth, possible_folds(groups, truth, LABELS, 5))
    for column in range(3):
        assert len(set(made[truth[:, column]].tolist())) == 2


@pytest.mark.parametrize("hidden", [0, 3])
def test_it_learns_and_says_how_well(hidden: int) -> None:
    vectors, truth, groups = clouds(spread=0.15)
    trained = train(vectors, truth, groups, LABELS, Recipe(hidden=hidden, folds=3))
    right = trained.held_out.argmax(axis=1) == truth.argmax(axis=1)
    assert right.mean() > 0.8
    assert trained.held_out.sum(axis=1) == pytest.approx(1)


def test_noise_is_not_learned() -> None:
    """Held-out figures of labels by chance are those of chance."""
    vectors, truth, _ = clouds(40, groups=40)
    shuffled = truth[np.random.default_rng(5).permutation(len(truth))]
    trained = train(vectors, shuffled, np.arange(len(truth)), LABELS, Recipe(folds=3))
    assert (trained.held_out.argmax(axis=1) == shuffled.argmax(axis=1)).mean() < 0.5


def test_what_cannot_be_learned_from() -> None:
    vectors, truth, groups = clouds(4)
    recipe = Recipe(folds=2)

    def refused(match: str, **changed: object) -> None:
        given = {"vectors": vectors, "truth": truth, "groups": groups, "labels": LABELS} | changed
        with pytest.raises(InvalidQuery, match=match):
            train(**given, recipe=recipe)  # type: ignore[arg-type]

    refused("only 'bell'", truth=truth[:, :1] | True, labels=("bell",))
    refused("in one group", groups=np.zeros(12, dtype=int))
    refused("'bell' has 4 sounds in one group", groups=np.where(truth[:, 0], 0, groups + 1))
    refused(
        "'dog' has 1 sound", truth=np.array([[1, 0, 0], [0, 1, 0], *[[1, 0, 0], [0, 0, 1]] * 5]) > 0
    )
    broken = vectors.copy()
    broken[3, 2] = np.nan
    refused("1 of 12 vectors hold NaN or infinity, the first is number 3", vectors=broken)
    with pytest.raises(InvalidQuery, match="every sound has the label 'bell'"):
        train(vectors, truth | np.array([1, 0, 0]) > 0, groups, LABELS, Recipe(multi=True))
