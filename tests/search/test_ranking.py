"""The ranking of windows: moments, ties, copies, percentiles."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch import Library
from audiosearch.errors import InvalidQuery, SoundNotFound
from audiosearch.search.ranking import Moment, merge
from tests.libraries import random_units, synthetic


def curve(scores: list[float], base: float = 0.0) -> list[tuple[float, float, float]]:
    """Return the moments of one sound whose windows last two seconds and begin each second."""
    moments = merge([Moment(1, i, i + 2, score) for i, score in enumerate(scores)], base)
    return sorted((m.start, m.end, m.score) for m in moments)


def test_a_peak_is_one_moment() -> None:
    """A window at least half-way up from the base joins the peak; a lower one is its foot."""
    assert curve([0, 0, 0.1, 0.8, 0.7, 0.1, 0, 0])[0] == (0, 2, 0)
    assert (3, 6, 0.8) in curve([0, 0, 0.1, 0.8, 0.7, 0.1, 0, 0])


def test_a_plateau_is_one_moment() -> None:
    assert curve([0.5] * 10) == [(0, 11, 0.5)]


def test_two_peaks_with_a_pause_are_two_moments() -> None:
    moments = curve([0.9, 0.1, 0.0, 0.0, 0.1, 0.8])
    assert (0, 2, 0.9) in moments
    assert (5, 7, 0.8) in moments


def test_sounds_are_apart() -> None:
    moments = merge([Moment(1, 0, 2, 0.5), Moment(2, 0, 2, 0.5)], 0)
    assert len(moments) == 2


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.floats(-1, 1))
def test_moments_never_overlap(scores: list[float], base: float) -> None:
    moments = curve(scores, base)
    assert max(score for _, _, score in moments) == max(scores)
    for (_, end, _), (start, _, _) in itertools.pairwise(moments):
        assert end < start


def test_best_window_of_each_sound_and_ties_by_path(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        query, other = random_units(2, 3)
        # The contents differ and the vectors are equal: a tie, in any order of arrival.
        made.add("b.wav", np.stack([other, query]))
        made.add("a.wav", np.stack([query, other]))
        made.add("c.wav", np.stack([other]))
        with Library.open(made.directory) as library:
            hits = library.search(query)
            assert [Path(hit.path).name for hit in hits] == ["a.wav", "b.wav", "c.wav"]
            assert [hit.start for hit in hits] == [0, 1, 0]
            assert hits[0].score == hits[1].score == pytest.approx(1, abs=1e-3)
            assert [h.rank for h in library.search(query, k=2)] == [1, 2]
            assert len(library.search(query, k=10**9)) == 3
            with pytest.raises(InvalidQuery):
                library.search(query, k=0)


def test_copies(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        vectors = random_units(2, 3)
        for name in ("z/one.wav", "a/two.wav"):
            made.add(name, vectors[:1], content=b"same".ljust(32))
        made.add("other.wav", vectors[1:])
        with Library.open(made.directory) as library:
            apart = library.search(vectors[0])
            assert [Path(h.path).name for h in apart] == ["two.wav", "one.wav", "other.wav"]
            grouped = library.search(vectors[0], group=True)
            assert [Path(h.path).name for h in grouped] == ["two.wav", "other.wav"]
            assert [Path(p).name for p in grouped[0].copies] == ["one.wav"]
            # A filter that only one copy passes shows that copy.
            (only,) = library.search(vectors[0], k=1, where={"path": "z/*"})
            assert Path(only.path).name == "one.wav"


def test_percentile_is_the_part_of_the_library_below(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        query = random_units(1, 0)[0]
        for i in range(100):
            made.add(f"{i}.wav", random_units(1, i + 1))
        with Library.open(made.directory) as library:
            hits = library.search(query, k=100)
            assert [hit.percentile for hit in hits] == [99.5 - i for i in range(100)]
            # It does not depend on k, nor on filters.
            assert library.search(query, k=1)[0].percentile == 99.5
            last = library.search(query, where={"path": Path(hits[-1].path).name})
            assert last[-1].percentile == 0.5


def test_many_windows_of_one_sound_do_not_crowd_out_others(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        query = random_units(1, 0)[0]
        made.add("long.wav", query + 0.1 * random_units(500, 1))
        for i in range(5):
            made.add(f"{i}.wav", random_units(1, i + 2))
        made.refresh()
        with Library.open(made.directory) as library:
            hits = library.search(query, k=6)
            assert len({hit.path for hit in hits}) == 6
            assert Path(hits[0].path).name == "long.wav"


def test_stored_sound_as_a_query(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made, Library.open(made.directory) as library:
        assert library.search("anything") == []
        made.add("a.wav", random_units(3, 1))
        made.add("b.wav", random_units(3, 2))
        with library._reader.snapshot() as connection:
            from sqlalchemy import text

            ids = [r[0] for r in connection.execute(text("SELECT id FROM sounds ORDER BY path"))]
        assert Path(library.similar(ids[1])[0].path).name == "b.wav"
        with pytest.raises(SoundNotFound):
            library.similar(999)
        with pytest.raises(InvalidQuery, match="shape"):
            library.search(np.ones(7, np.float32))
