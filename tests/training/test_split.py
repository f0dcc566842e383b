"""The split by group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch.training.options import TrainingFailed
from audiosearch.training.split import split


@given(
    st.lists(st.integers(0, 40).map(str), min_size=6, max_size=200),
    st.floats(0.01, 0.5),
    st.floats(0.01, 0.35),
    st.integers(0, 9),
)
def test_no_group_is_in_two_parts(groups: list[str], test: float, held: float, seed: int) -> None:
    if len(set(groups)) < 6:
        return
    made = split(groups, held, test, seed)
    parts = (made.train, made.held_out, made.test)
    assert sorted(row for part in parts for row in part) == list(range(len(groups)))
    names = [{groups[row] for row in part} for part in parts]
    assert all(len(group) >= 2 for group in names)
    assert sum(map(len, names)) == len(set(groups))


def test_shares_and_seeds() -> None:
    groups = [str(i) for i in range(1000)]
    made = split(groups, 0.1, 0.5, 0)
    assert (len(made.held_out), len(made.test)) == (100, 500)
    assert split(groups, 0.1, 0.5, 1) != made
    # The order of files does not matter.
    turned = split(groups[::-1], 0.1, 0.5, 0)
    assert {groups[::-1][row] for row in turned.test} == {groups[row] for row in made.test}


@pytest.mark.parametrize("count", [1, 5])
def test_too_few_groups(count: int) -> None:
    with pytest.raises(TrainingFailed, match=f"the 30 sounds are of {count} group"):
        split([str(i % count) for i in range(30)], 0.1, 0.2, 0)
