"""Several queries at once: each gets the hits that it gets alone, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch import Library, Term
from audiosearch.errors import InvalidQuery
from audiosearch.vectors import kinds
from audiosearch.vectors.held import HeldVectors
from tests.libraries import random_units, synthetic

QUERIES: list[Any] = ["dog barking", [Term(text="rain"), Term(text="wind", weight=-0.5)], "dog"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Iterator[Library]:
    where = tmp_path_factory.mktemp("many") / "library"
    shutil.copytree(sample_directory, where)
    with Library.open(where) as opened:
        yield opened


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k": 40, "match": "sound"},
        {"match": "words"},
        {"where": {"format": "ogg"}, "group": True},
        {"moments": True, "template": "{}"},
    ],
)
def test_each_has_its_own_hits(library: Library, options: dict[str, Any]) -> None:
    alone = [library.search(query, **options) for query in QUERIES]
    assert library.search_many(QUERIES, **options) == alone
    assert alone[0]


def test_no_query_and_bad_ones(library: Library) -> None:
    assert library.search_many([]) == []
    with pytest.raises(InvalidQuery, match="only punctuation"):
        library.search_many(["rain", "..."])
    with pytest.raises(InvalidQuery, match="k must be"):
        library.search_many(["rain"], k=0)


def test_a_library_without_sounds(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", create=True) as empty:
        assert empty.search_many(["rain", "wind"]) == [[], []]


@pytest.mark.sqlite("it is about the cache of FAISS")
@pytest.mark.parametrize(("flat_upto", "deleted"), [(1_000, []), (1_000, [3, 4]), (10, [3])])
def test_over_each_kind_of_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat_upto: int, deleted: list[int]
) -> None:
    """In the index, after it, and without what was deleted since; in one call for all queries."""
    monkeypatch.setattr(kinds, "FLAT_UPTO", flat_upto)
    calls: list[int] = []
    by_faiss, by_product = kinds.search_many, HeldVectors.nearest

    def counted(index: Any, kind: str, queries: np.ndarray, *rest: Any) -> Any:
        calls.append(len(queries))
        return by_faiss(index, kind, queries, *rest)

    def counted_product(self: HeldVectors, queries: np.ndarray, k: int) -> Any:
        calls.append(-len(queries))
        return by_product(self, queries, k)

    monkeypatch.setattr(kinds, "search_many", counted)
    monkeypatch.setattr(HeldVectors, "nearest", counted_product)
    with synthetic(tmp_path / "library") as made:
        for number in range(20):
            made.add(f"{number}.wav", random_units(20, number))
        made.refresh()
        made.delete(deleted)
        made.add("new.wav", random_units(20, 77))
        queries = [*random_units(5, 1), random_units(20, 77)[3]]
        with Library.open(made.directory) as library:
            alone = [library.search(query, k=4, match="sound") for query in queries]
            calls.clear()
            assert library.search_many(queries, k=4, match="sound") == alone
            assert calls[0] == (-6 if flat_upto == 1_000 and not deleted else 6)
            assert alone[-1][0].path.endswith("new.wav")
