"""Scores from memory are those of the database to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from audiosearch import Library
from audiosearch.errors import LibraryDamaged
from audiosearch.vectors import kinds
from audiosearch.vectors.codec import exact_scores
from audiosearch.vectors.held import HeldVectors, vectors_of_index
from audiosearch.vectors.stored import vectors_of
from audiosearch.vectors.window_search import SearchState
from tests.libraries import Synthetic, random_units, synthetic


def test_only_a_flat_index_holds_exact_vectors() -> None:
    vectors = random_units(2_000, 1)
    ids = np.arange(10, 2_010, dtype=np.int64)
    for kind in ("flat", "ivf"):
        index = kinds.empty_index(kind, 512, 2_000)
        if kind == "ivf":
            index.train(vectors)
        assert vectors_of_index(index, kind) is None  # nothing in it yet
        index.add_with_ids(vectors, ids)
        held = vectors_of_index(index, kind)
        assert (held is None) == (kind == "ivf")
        if held:
            mask, rows = held.of(np.array([1_500, 3, 11, 2_010]))
            assert mask.tolist() == [True, False, True, False]
            assert np.array_equal(rows, vectors[[1_490, 1]].astype(np.float16))


def test_nothing_is_held() -> None:
    mask, rows = HeldVectors(np.empty(0, np.int64), np.empty((0, 4))).of(np.array([1, 2]))
    assert (mask.tolist(), rows.shape) == ([False, False], (0, 4))


def _library(made: Synthetic) -> None:
    for i in range(30):
        made.add(f"{i}.wav", random_units(3, i))
    made.refresh()
    made.delete([4, 5])
    made.add("behind the cache.wav", random_units(3, 99))


@pytest.mark.parametrize("flat_upto", [1_000, 10])
def test_scores_are_those_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat_upto: int
) -> None:
    monkeypatch.setattr(kinds, "FLAT_UPTO", flat_upto)
    monkeypatch.setattr("audiosearch.vectors.window_search._BLOCK", 7)
    query = random_units(1, 500)[0]
    with synthetic(tmp_path / "library") as made:
        _library(made)
        with made.reading() as connection:
            ids = np.array([r[0] for r in connection.execute(text("SELECT id FROM windows"))])
            shuffled = np.random.default_rng(1).permutation(ids)
            search = SearchState(made.directory).current(connection, made.model)
            scores = search.scores_of(connection, query, shuffled)
            existing, vectors = vectors_of(connection, shuffled, 512)
            expected = exact_scores(vectors, query)
            assert np.array_equal(scores, expected[np.searchsorted(existing, shuffled)])


def test_windows_that_the_database_lost_are_damage(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        _library(made)
        with made.engine.begin() as connection:
            connection.execute(text("DELETE FROM windows WHERE content_id = 20"))
        with Library.open(made.directory) as library, pytest.raises(LibraryDamaged, match="cache"):
            library.search(random_units(3, 19)[0], match="sound")
