"""Facets count the sounds that filters allow."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosearch import Library
from audiosearch.search.words import match_words
from tests.e2e.conftest import SAMPLES
from tests.effort import tries
from tests.libraries import random_units, synthetic


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Iterator[Library]:
    """The library of sample_library, with metadata on some sounds."""
    copy = tmp_path_factory.mktemp("facets") / "library"
    shutil.copytree(sample_directory, copy)
    with Library.open(copy) as opened:
        rights = itertools.cycle(["own", "cleared", ["own", "licensed"]])
        opened.describe_many(
            [(s.id, None, {"rights": next(rights)}) for s in opened.page(k=40) if s.content]
        )
        yield opened


def test_each_count_is_what_its_filter_finds(library: Library) -> None:
    facets = library.facets()
    total = library.status().sounds
    assert facets.sounds == total
    for name in ("format", "duration", "rate", "channels", "root", "folder"):
        assert sum(getattr(facets, name).values()) == total
    for name in ("format", "rate", "channels", "root", "folder", "since"):
        filter_name = "root" if name == "folder" else name
        for value, count in getattr(facets, name).items():
            assert len(list(library.sounds({filter_name: value}))) == count
    for band, count in facets.duration.items():
        low, _, high = band.partition("-")
        longest = float(high) - 1e-9 if high else None
        assert len(list(library.sounds({"duration": (float(low), longest)}))) == count


def test_facets_of_a_filter(library: Library) -> None:
    """A property's own filter is left out of its counts, and of no others."""
    every, facets = library.facets(), library.facets({"format": "flac"})
    assert facets.format == every.format
    assert facets.sounds == sum(facets.root.values()) == every.format["flac"]
    assert library.facets({"format": "none"}).root == {}
    assert library.facets({"format": "none"}).format == every.format


WHERE = st.fixed_dictionaries(
    {},
    optional={
        "min_duration": st.sampled_from([0, 2, 5]),
        "max_duration": st.sampled_from([5, 12, 60]),
        "format": st.lists(st.sampled_from(["ogg", "mp3", "flac", "oga", "vorbis"]), max_size=2),
        "channels": st.sampled_from([[1], [2], [1, 2]]),
        "rate": st.lists(st.sampled_from([22_050, 44_100, 48_000]), max_size=2),
        "root": st.lists(
            st.sampled_from([str(SAMPLES), str(SAMPLES / "animals"), str(SAMPLES / "fire")]),
            max_size=2,
        ),
        "path": st.sampled_from([[], ["*/animals/*"], ["dog", "rain"], ["*[a-m]*.ogg"]]),
        "tag": st.sampled_from([[], ["rights=own"], ["own"]]),
        "metadata": st.sampled_from([{}, {"rights": "own"}, {"rights": ["cleared", "own"]}]),
        "since": st.sampled_from([None, "1d", "2001-01-01"]),
    },
)


@settings(max_examples=tries(5, 100), suppress_health_check=[HealthCheck.too_slow])
@given(where=WHERE, query=st.sampled_from([None, "dog barking", "water"]))
def test_each_choice_passes_as_many_as_its_facet_counts(
    library: Library, where: dict[str, Any], query: str | None
) -> None:
    """One more choice, in place of the filter's own, leaves as many sounds as were counted."""

    def hits(where: dict[str, Any]) -> int:
        ids = {sound.id for sound in library.sounds(where)}
        return len(ids & standing_out if query else ids)

    everywhere = library.facets(query=query)
    if query:
        scores = library.search(query, k=1_000, match="sound")
        standing_out = {h.id for h in scores if h.score >= (everywhere.min_score or 0) - 1e-6}
        with library._reader.snapshot() as connection:
            matches = match_words(connection, [query], everywhere.sounds)
        standing_out |= {sound for sound, match in matches.items() if match.score >= 0.5}
    facets = library.facets(where, ["rights"], query=query)
    assert facets.min_score == everywhere.min_score
    assert facets.sounds == hits(where)
    others = {name: value for name, value in where.items() if name != "format"}
    for value, count in facets.format.items():
        assert hits({**others, "format": value}) == count
    others = {name: value for name, value in where.items() if name != "metadata"}
    for value, count in facets.metadata["rights"].items():
        assert hits({**others, "metadata": {"rights": value}}) == count
    others = {name: value for name, value in where.items() if name != "channels"}
    for number, count in facets.channels.items():
        assert hits({**others, "channels": number}) == count


def test_facets_follow_the_query(library: Library) -> None:
    dogs, every = library.facets(query="dog barking"), library.facets()
    assert 10 <= dogs.sounds < every.sounds / 2
    folders = list(dogs.folder)
    assert folders[0] == str(SAMPLES / "animals")
    assert sum(dogs.format.values()) == dogs.sounds


def test_a_bound_given(library: Library) -> None:
    scores = [hit.score for hit in library.search("rain", k=1_000, match="sound")]
    facets = library.facets(query="rain", min_score=scores[7])
    assert (facets.sounds, facets.min_score) == (8, scores[7])
    assert library.facets(query="rain", min_score=1.0).sounds == 0
    assert library.facets(query="rain", min_score=-1.0).sounds == len(scores)


def test_small_and_empty_libraries(tmp_path: Path) -> None:
    """Where nothing can stand out, all do; where there is nothing, there is nothing to count."""
    with synthetic(tmp_path / "library") as made, Library.open(made.directory) as library:
        query = random_units(1, 0)[0]
        assert library.facets(query=query).sounds == library.facets().sounds == 0
        for number in range(3):
            made.add(f"{number}.wav", random_units(2, number))
        made.refresh()
        made.add("new.flac", random_units(2, 9), format="flac")  # after the cache
        assert library.facets(query=query).format == {"wav": 3, "flac": 1}
        library.remove(1)
        assert library.facets(query=query, min_score=-1.0).sounds == 3


def test_folders_below_the_chosen_one(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made, Library.open(made.directory) as library:
        names: list[str | bytes] = [
            "top.wav",
            "a/1.wav",
            "a/b/2.wav",
            "a/b/c/3.wav",
            "d/4.wav",
            b"\xff/5.wav",
        ]
        for number, name in enumerate(names):
            made.add(name, random_units(1, number))
        root = str(made.root)
        strange = os.fsdecode(os.fsencode(root) + b"/\xff")
        top = {f"{root}/a": 3, f"{root}/d": 1, strange: 1}
        assert library.facets().folder == top
        assert library.facets({"root": f"{root}/a/"}).folder == top | {f"{root}/a/b": 2}


def test_embedded_tags_and_suffixes(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made, Library.open(made.directory) as library:
        made.add("1.WAV", random_units(1, 1), tags={"category": "RAIN", "keywords": "wet, roof"})
        made.add("2.wav", random_units(1, 2), tags={"category": "RAIN", "keywords": "roof;tin,"})
        made.add("none", random_units(1, 3), tags={"category": 7})
        facets = library.facets()
        assert facets.category == {"RAIN": 2}
        assert facets.keywords == {"roof": 2, "tin": 1, "wet": 1}
        assert facets.suffix == {"wav": 2}
        assert library.facets({"tag": "category=RAIN"}).category == {"RAIN": 2}
        assert library.facets({"tag": ["category=RAIN", "odd"]}).category == {"RAIN": 2}
        assert library.facets({"tag": "keywords=tin"}).category == {"RAIN": 1}


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
