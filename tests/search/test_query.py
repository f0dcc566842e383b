"""The terms of a query, and their mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch.errors import InvalidQuery
from audiosearch.search.composition import compose
from audiosearch.search.query import Term, as_terms, check_text

X, Y = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)


def test_compose_is_a_weighted_sum_of_unit_length() -> None:
    assert compose([X], [3.0]) == pytest.approx([1, 0])
    assert compose([X, Y], [1, 1]) == pytest.approx([0.5**0.5] * 2)
    assert compose([X, 5 * Y], [1, -1]) == pytest.approx([0.5**0.5, -(0.5**0.5)])


@pytest.mark.parametrize(
    ("vectors", "weights", "why"),
    [([X, X], [1, -1], "cancel"), ([X * np.nan], [1], "NaN"), ([X * 0], [1], "cancel")],
)
def test_what_has_no_direction(vectors: list[np.ndarray], weights: list[float], why: str) -> None:
    with pytest.raises(InvalidQuery, match=why):
        compose(vectors, weights)


@given(st.text(max_size=30))
def test_text_is_a_query_if_it_has_a_letter_or_digit(text: str) -> None:
    if any(c.isalnum() for c in text):
        check_text(text)
    elif not text.strip():
        with pytest.raises(InvalidQuery, match="empty"):
            check_text(text)


@pytest.mark.parametrize("text", ["?", "... --", "¿!", "«»"])
def test_punctuation_alone(text: str) -> None:
    with pytest.raises(InvalidQuery, match="punctuation"):
        check_text(text)


def test_forms_of_a_query() -> None:
    assert [(t.text, t.weight) for t in as_terms("rain")] == [("rain", 1.0)]
    mixed = as_terms(["rain", Term("wind", weight=-1)])
    assert [(t.text, t.weight) for t in mixed] == [("rain", 1.0), ("wind", -1)]
    with pytest.raises(InvalidQuery, match="to look for"):
        as_terms([Term("wind", weight=-1)])
    with pytest.raises(InvalidQuery):
        as_terms([])
    for wrong in ({}, {"text": "a", "id": 1}, {"text": "a", "weight": 0.0}):
        with pytest.raises(InvalidQuery):
            Term(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidQuery):
        Term("a", weight=float("nan"))
