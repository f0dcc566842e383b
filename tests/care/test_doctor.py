"""The doctor reports each kind of damage, and repairs what it can."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from audiosearch.care.doctor import check, damaged_contents
from audiosearch.vectors.cachefile import CACHE
from indexer.repair import repair
from tests.libraries import Synthetic, random_units, synthetic


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Synthetic]:
    with synthetic(tmp_path / "library") as library:
        for i in range(4):
            library.add(f"{i}.wav", random_units(2, i))
        library.refresh()
        yield library


def codes(library: Synthetic, level: str = "error", quick: bool = False) -> set[str]:
    return {f.code for f in check(library.directory, quick=quick) if f.level == level}


def damage(library: Synthetic, statement: str) -> None:
    """Change a row behind the back of foreign keys."""
    with closing(sqlite3.connect(library.directory / "library.db")) as raw:
        raw.execute(statement)
        raw.commit()


def test_sound_library(made: Synthetic) -> None:
    assert codes(made) == set()
    assert codes(made, "notice") == {"gone"}  # the files were never there
    assert codes(made, "notice", quick=True) == set()
    assert repair(made.directory) == []


@pytest.mark.sqlite("it opens the file of SQLite itself")
@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE windows SET vector = zeroblob(1024) WHERE id = 1", "vectors"),
        ("UPDATE windows SET vector = x'00' WHERE id = 1", "vectors"),
        (
            "UPDATE windows SET vector = (SELECT replace(hex(vector), 'x', 'y')) WHERE id = 1",
            "vectors",
        ),
        ("DELETE FROM windows WHERE content_id = 1", "rows"),
        ("DELETE FROM embeddings WHERE content_id = 1", "rows"),
        ("DELETE FROM contents WHERE id = 1", "orphan"),
        ("DELETE FROM sounds WHERE id = 1", "rows"),
        ("DELETE FROM words WHERE rowid = 1", "rows"),
        ("INSERT INTO words (rowid, name) VALUES (999, 'stray')", "rows"),
        ("UPDATE sounds SET root_id = 99 WHERE id = 1", "orphan"),
        ("UPDATE sounds SET content_id = NULL WHERE id = 1", "rows"),
        ("INSERT INTO failures (sound_id, kind, reason) VALUES (1, 'nan', 'x')", "rows"),
    ],
)
def test_damage_is_found_and_mended(made: Synthetic, statement: str, code: str) -> None:
    damage(made, statement)
    assert code in codes(made)
    assert repair(made.directory)
    assert codes(made) == set()


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_cache_that_lies(made: Synthetic) -> None:
    damage(made, "DELETE FROM windows WHERE content_id = 1 AND position = 0")
    assert "cache" in codes(made)
    repair(made.directory)
    assert codes(made) == set()


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_damaged_cache_is_a_notice(made: Synthetic) -> None:
    data = bytearray((made.directory / CACHE).read_bytes())
    data[100] ^= 1
    (made.directory / CACHE).write_bytes(data)
    assert codes(made) == set()
    assert "cache" in codes(made, "notice")
    assert repair(made.directory) == ["the vector cache written anew"]
    assert "cache" not in codes(made, "notice")


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_database_that_sqlite_cannot_read(made: Synthetic) -> None:
    made.engine.dispose()
    path = made.directory / "library.db"
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    data = bytearray(path.read_bytes())
    data[:100] = b"x" * 100
    path.write_bytes(data)
    assert codes(made) == {"database"}


def test_a_cache_that_is_far_behind_is_a_notice(made: Synthetic) -> None:
    made.add("new.wav", random_units(1, 99))
    assert codes(made, "notice", quick=True) == set()  # one of eight windows may be behind
    made.add("newer.wav", random_units(1, 100))
    assert codes(made) == set()
    assert codes(made, "notice", quick=True) == {"behind"}


def test_failed_files_are_a_notice(made: Synthetic) -> None:
    made.fail("broken.wav")
    assert codes(made) == set()
    assert "failed" in codes(made, "notice")


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_memory_does_not_grow_with_the_library(tmp_path: Path) -> None:
    """The doctor reads all vectors, and Python's peak memory stays a part of their size."""
    with synthetic(tmp_path / "library") as library:
        for number in range(60):
            library.add(f"{number}.wav", random_units(100, number))
        damage(library, "UPDATE windows SET vector = zeroblob(1028) WHERE id IN (1, 5999)")
        with library.reading() as connection:
            model = library.model
            (size,) = connection.execute(text("SELECT sum(length(vector)) FROM windows")).one()
            tracemalloc.start()
            try:
                assert damaged_contents(connection, model) == [1, 60]
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert peak < size / 2
