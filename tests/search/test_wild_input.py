"""Any filter and any query gives an answer, or an `AudioSearchError` of one line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import date, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosearch import Library, Term
from audiosearch.catalog.filters import Filter, make_filter
from audiosearch.errors import AudioSearchError, InvalidQuery, LibraryDamaged, SoundNotFound
from audiosearch.search.query import as_terms
from tests.effort import tries
from tests.libraries import random_units, synthetic

WORDS = st.text(st.characters(exclude_categories=()), max_size=8)  # lone surrogates too
NUMBERS = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.complex_numbers(),
    st.sampled_from([np.float32(2), np.float64("nan"), np.int64(3), np.uint8(3), np.bool_(True)]),
)
ARRAYS = st.sampled_from(
    [
        np.zeros(512),
        np.zeros((2, 512)),
        np.full(512, np.nan),
        np.ones(512, np.float16),
        np.full(512, 1e300),
        np.array(5.0),
        np.array(["a"]),
        np.array([None]),
        np.array([1j]),
        np.empty(0),
    ]
)
SINGLE = st.one_of(
    st.none(),
    WORDS,
    NUMBERS,
    ARRAYS,
    st.binary(max_size=4),
    st.datetimes(),
    st.dates(),
    st.sampled_from(["7d", "999999999y", "2026-01-31", "0001-01-01", "~nobody-there", "a\0b"]),
    st.just(PurePosixPath("a/b")),
    st.builds(object),
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(WORDS, st.integers()), inner, max_size=2),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=5,
)
NAMES = [f.name for f in fields(Filter)]
KEYS = st.one_of(st.sampled_from([*NAMES, "duration"]), WORDS, st.integers(), st.none())
MANY = st.sampled_from(
    [
        {name: [value] * count}
        for name in ("path", "tag", "format", "external_id", "rate", "root")
        for value, count in ((1, 101), (2, 40_000))
    ]
    + [{"metadata": {str(i): i for i in range(500)}}, {"tag": "%" * 60_000}, {"path": "*" * 60_000}]
)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with tempfile.TemporaryDirectory() as folder, synthetic(Path(folder) / "library") as made:
        for number in range(3):
            made.add(f"{number}.wav", random_units(1, number), metadata={"a": number})
        made.refresh()
        with Library.open(made.directory) as opened:
            yield opened


def checked(call: Callable[[], Any]) -> Any:
    """Return the result of a call, or its one-line error; any other error fails the test."""
    try:
        return call()
    except AudioSearchError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        assert len(str(error)) < 500
        assert not isinstance(error, LibraryDamaged), str(error)  # the library is intact
        return error


@settings(deadline=None, max_examples=tries(60, 400), suppress_health_check=[HealthCheck.too_slow])
@given(where=st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3), MANY))
def test_where(library: Library, where: Any) -> None:
    query = random_units(1, 1)[0]
    hits = checked(lambda: library.search(query, k=10, where=where))
    sounds = checked(lambda: list(library.sounds(where)))
    counts = checked(lambda: library.facets(where))
    if isinstance(hits, list):
        assert {hit.id for hit in hits} == {sound.id for sound in sounds}
        assert counts.sounds == len(sounds)
        condition = make_filter(where)
        assert make_filter(condition) == condition
        assert isinstance(hash(condition), int)  # it is a key of a cache


TERMS = st.fixed_dictionaries(
    {},
    optional={
        "text": VALUES,
        "path": VALUES,
        "id": VALUES,
        "vector": VALUES,
        "weight": VALUES,
        "start": VALUES,
        "end": VALUES,
    },
)


@settings(deadline=None, max_examples=tries(60, 400), suppress_health_check=[HealthCheck.too_slow])
@given(query=VALUES, parts=st.lists(TERMS, max_size=2), beside=VALUES)
def test_query(library: Library, query: Any, parts: list[dict[str, Any]], beside: Any) -> None:
    checked(lambda: library.search(query, k=3))
    terms = [checked(partial(Term, **given)) for given in parts]
    good = [term for term in terms if isinstance(term, Term)]
    checked(lambda: library.search([*good, beside], k=3))
    for term in good:
        hits = checked(partial(library.search, term, k=3))
        if isinstance(hits, list):
            assert all(np.isfinite(hit.score) for hit in hits)


@pytest.mark.parametrize(
    "where",
    [
        {"metadata": {"a": [[1]]}},
        {"metadata": {"a": float("nan")}},
        {"metadata": {1: "a"}},
        {"since": 5},
        {"duration": (float("nan"), None)},
        {"duration": "ab"},
        {"min_duration": float("nan")},
        {"max_duration": "nan"},
        {"rate": 2**70},
        {"rate": 44_100.5},
        {"rate": float("inf")},
        {"tag": "\ud800"},
        {"root": "~nobody-there/sounds"},
        {"path": {"a": 1}},
        {"path": np.zeros((2, 2))},
        {"tag": ["a"] * 101},
        Filter(metadata=(("a", [[1]]),)),  # type: ignore[arg-type]
        Filter(min_duration=float("nan")),
        5,
        ["format"],
    ],
    ids=repr,
)
def test_no_filter(where: Any) -> None:
    with pytest.raises(InvalidQuery):
        make_filter(where)


@pytest.mark.parametrize(
    "query",
    [
        ["rain", np.zeros(512)],
        [[0.1, 0.2]],
        [0.1, 0.2],
        5,
        None,
        b"rain",
        {"text": "rain"},
        np.zeros((2, 512)),
        np.array(["rain"]),
    ],
    ids=repr,
)
def test_no_query(query: Any) -> None:
    with pytest.raises(InvalidQuery):
        as_terms(query)


def test_what_is_meant_is_taken(library: Library) -> None:
    assert make_filter({"since": date(2026, 1, 31)}) == make_filter({"since": "2026-01-31"})
    assert make_filter({"rate": np.int64(48_000)}).rate == (48_000,)
    assert make_filter({"path": Path("a") / "b"}).path == ("a/b",)
    assert make_filter({"max_duration": float("inf")}).max_duration == float("inf")
    assert library.search(random_units(1, 1)[0], where={"since": datetime.max}) == []
    assert len(library.search(random_units(1, 1)[0], where={"since": datetime.min})) == 3
    assert len(library.search(random_units(1, 1)[0], where={"metadata": {"a": 1}})) == 1
    with pytest.raises(SoundNotFound):
        library.search(Term(id=2**70))
    with pytest.raises(SoundNotFound):
        library.sound(2**70)
    assert library.page(2**70) == []
    with pytest.raises(InvalidQuery, match="the filter rate cannot be a"):
        make_filter({"rate": 10**5_000})  # which Python does not print
