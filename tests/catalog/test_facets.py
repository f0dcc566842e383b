"""Facets count the sounds that filters allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiosearch import Library
from tests.e2e.conftest import SAMPLES


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    opened = Library.open(tmp_path_factory.mktemp("facets") / "library", create=True)
    opened.add(SAMPLES)
    return opened


def test_each_count_is_what_its_filter_finds(library: Library) -> None:
    facets = library.facets()
    total = library.status().sounds
    for name in ("format", "duration", "rate", "channels", "root"):
        assert sum(getattr(facets, name).values()) == total
    for name in ("format", "rate", "channels", "root"):
        for value, count in getattr(facets, name).items():
            assert len(list(library.sounds({name: value}))) == count
    for band, count in facets.duration.items():
        low, _, high = band.partition("-")
        longest = float(high) - 1e-9 if high else None
        assert len(list(library.sounds({"duration": (float(low), longest)}))) == count


def test_facets_of_a_filter(library: Library) -> None:
    facets = library.facets({"format": "flac"})
    assert list(facets.format) == ["flac"]
    assert facets.format == {"flac": library.facets().format["flac"]}
    assert library.facets({"format": "none"}).root == {}


def test_pages_walk_through_everything(library: Library) -> None:
    every, after = [], 0
    while page := library.page(after, 7):
        every += page
        after = page[-1].id
    assert sorted(s.path for s in every) == [s.path for s in library.sounds()]
    assert [s.id for s in library.page(where={"format": "flac"}, k=2)] == [
        s.id for s in every if s.format == "flac"
    ][:2]


def test_a_part_of_a_stored_sound(library: Library, tmp_path: Path) -> None:
    from audiosearch import Term

    scene = library.sound(SAMPLES / "scenes" / "wet-evening.ogg")
    by_id = library.search(Term(id=scene.id, start=15, end=20), k=3)
    by_path = library.search(Term(path=scene.path, start=15, end=20), k=3)
    assert by_id == by_path
    assert by_id != library.search(Term(id=scene.id), k=3)
