"""The figures themselves: golden values, the perfect case, and what must hold whatever the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from audiosearch.evaluation import bootstrap, retrieval, zero_shot

# Two queries over four items. Rankings: items 2, 0, 3, 1 and 1, 3, 0, 2.
SCORES = np.array([[0.5, 0.1, 0.9, 0.3], [0.2, 0.8, 0.1, 0.6]])
RELEVANT = np.array([[True, False, False, True], [False, True, False, False]])


def test_retrieval_golden() -> None:
    assert retrieval.first_ranks(SCORES, RELEVANT).tolist() == [2, 1]
    assert retrieval.recall_at(SCORES, RELEVANT, 1).tolist() == [0, 1]
    # Places 2 and 3: (1/2 + 2/3) / 2.
    assert retrieval.average_precision(SCORES, RELEVANT) == pytest.approx([7 / 12, 1])
    assert retrieval.average_precision(SCORES, RELEVANT, 2) == pytest.approx([0.25, 1])
    found = retrieval.evaluate(SCORES, RELEVANT)
    assert found.queries == 2
    assert found.items == 4
    assert found.recall_at_5 == 1
    assert found.map == pytest.approx(19 / 24)
    assert found.median_rank == 1.5


def test_ties_go_to_the_earlier_item() -> None:
    scores = np.zeros((1, 3))
    assert retrieval.first_ranks(scores, np.array([[False, True, True]])).tolist() == [2]


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 12)))
    scores = draw(arrays.arrays(np.float32, shape, elements=st.floats(-1, 1, width=32)))
    relevant = draw(arrays.arrays(np.bool_, shape))
    relevant[np.arange(shape[0]), draw(st.integers(0, shape[1] - 1))] = True
    return scores, relevant


@settings(max_examples=150, deadline=None)
@given(problems())
def test_retrieval_invariants(problem: tuple[np.ndarray, np.ndarray]) -> None:
    scores, relevant = problem
    found = retrieval.evaluate(scores, relevant)
    assert 0 < found.map <= 1
    assert found.recall_at_1 <= found.recall_at_5 <= found.recall_at_10 <= 1
    assert found.median_rank >= 1
    perfect = retrieval.evaluate(relevant.astype(np.float32), relevant)
    assert (perfect.map, perfect.map_at_10, perfect.recall_at_1, perfect.median_rank) == (
        1,
        1,
        1,
        1,
    )
    # Only the order counts.
    again = retrieval.evaluate(scores.astype(np.float64) * 4, relevant)
    assert again == found


@pytest.mark.parametrize(
    ("scores", "relevant", "why"),
    [
        (np.zeros((2, 3)), np.ones((3, 2), bool), "one matrix"),
        (np.zeros((2, 3)), np.ones((2, 3)), "bool"),
        (np.full((2, 3), np.nan), np.ones((2, 3), bool), "finite"),
        (np.zeros((2, 3)), np.zeros((2, 3), bool), "without a relevant item"),
    ],
)
def test_what_is_no_problem_is_refused(scores: np.ndarray, relevant: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        retrieval.evaluate(scores, relevant)


# Four sounds, three classes; the last class has none.
CLASS_SCORES = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.7, 0.3, 0], [0.6, 0.5, 0]])
TRUTH = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)


def test_zero_shot_golden() -> None:
    found = zero_shot.evaluate(CLASS_SCORES, TRUTH)
    assert found.accuracy == 0.75
    # Class 0: ranked 0, 2, 3, 1, right at 1 and 3. Class 1: ranked 1, 3, 2, 0, right at 1 and 3.
    assert found.map == pytest.approx((1 + 2 / 3) / 2)
    # Class 0: 2 of 3 predicted and 2 there, 4/5. Class 1: 1 of 1 and 2 there, 2/3.
    assert found.f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert zero_shot.confusion(CLASS_SCORES, TRUTH).tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_zero_shot_perfect() -> None:
    found = zero_shot.evaluate(TRUTH.astype(np.float32), TRUTH)
    assert (found.accuracy, found.map, found.f1) == (1, 1, 1)


def test_bootstrap_is_seeded_and_covers() -> None:
    values = np.random.default_rng(1).normal(5, 1, 400)
    low, high = bootstrap.mean_interval(values)
    assert (low, high) == bootstrap.mean_interval(values)
    assert low < values.mean() < high
    # The normal interval of the mean is 2 x 1.96 / sqrt(400) wide.
    assert high - low == pytest.approx(0.196, rel=0.15)
    assert bootstrap.mean_interval(np.ones(7)) == (1, 1)
    with pytest.raises(ValueError, match="nothing to draw"):
        bootstrap.mean_interval(np.empty(0))
