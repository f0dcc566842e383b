"""Weak hits: those that made-up words would have, too."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from audiosearch import Library, Term
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from audiosearch.search.chance import is_stale, made_up_texts, stored_chance
from scripts.bench.weak import TYPED


def weak(library: Library, text: str, **how: object) -> list[bool]:
    return [hit.weak for hit in library.search(text, 5, match="sound", **how)]  # type: ignore[arg-type]


def test_made_up_words_are_weak_and_real_ones_are_not(sample_directory: Path) -> None:
    assert len(set(made_up_texts())) == len(made_up_texts())
    with Library.open(sample_directory) as library:
        # By what is measured, one made-up text in ten gets beyond; those that resemble words, more.
        beyond = [text for text in TYPED if not all(weak(library, text))]
        assert len(beyond) < 0.4 * len(TYPED), beyond
        assert all(weak(library, "hjkl"))
        for text in ("campfire crackling", "dog barking", "rain"):
            flags = weak(library, text)
            assert not flags[0], text
            assert flags == sorted(flags), text  # what is weak comes last
        # Where nothing was measured, nothing is called weak.
        assert not any(weak(library, "hjkl", template="{}"))
        assert not any(hit.weak for hit in library.search([Term("zzyzx"), Term("hjkl", weight=-1)]))
        assert not any(hit.weak for hit in library.similar(1))


def test_a_word_that_fits_is_not_weak(sample_directory: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_directory, tmp_path / "library")
    with Library.open(tmp_path / "library") as library:
        library.describe(3, metadata={"project": "Zzyzx"})
        hits = library.search("zzyzx", 61)
        assert [hit.id for hit in hits if not hit.weak] == [3]


def test_when_it_is_measured(sample_directory: Path, tmp_path: Path) -> None:
    """At the end of an index run, once; not for another model, nor in a library that says odd things."""
    shutil.copytree(sample_directory, tmp_path / "library")
    with Library.open(tmp_path / "library") as library, library._reader.snapshot() as connection:
        model = load_model()
        chance = stored_chance(connection, model)
        assert chance is not None
        assert chance.windows == library.status().windows
        assert 0.1 < chance.margin < 0.3
        assert not is_stale(chance, round(chance.windows * 1.05))
        assert is_stale(chance, round(chance.windows * 1.2))
        assert is_stale(None, 1)


def test_other_words_are_measured_anew(sample_directory: Path, tmp_path: Path) -> None:
    """A text tower that was taught again scores otherwise, and the library keeps its vectors."""
    shutil.copytree(sample_directory, tmp_path / "library")
    bundle = load_model().bundle
    model = Model(replace(bundle, revision="taught again"))
    assert model.identity == load_model().identity
    with Library.open(tmp_path / "library", model=model) as library:
        assert not any(weak(library, "hjkl"))
        library.add()
        assert all(weak(library, "hjkl"))


@pytest.mark.sqlite("it opens the file of SQLite itself")
@pytest.mark.parametrize("value", ["", "[]", '{"digest": "x"}', '{"odd": 1}'])
def test_odd_rows_are_as_none(sample_directory: Path, tmp_path: Path, value: str) -> None:
    import sqlite3
    from contextlib import closing

    shutil.copytree(sample_directory, tmp_path / "library")
    with closing(sqlite3.connect(tmp_path / "library" / "library.db")) as database, database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'chance'", (value,))
    with Library.open(tmp_path / "library") as library:
        assert not any(weak(library, "zzyzx"))
