"""The schema, the filters, and the opening of databases of all kinds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from audiosearch import Library
from audiosearch.catalog import database, migrations, reading
from audiosearch.catalog.filters import make_filter, parse_since
from audiosearch.errors import (
    InvalidQuery,
    LibraryDamaged,
    LibraryNotFound,
    LibraryTooNew,
    SoundNotFound,
)
from tests.libraries import Synthetic, random_units, synthetic


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Synthetic]:
    with synthetic(tmp_path / "library") as library:
        yield library


@pytest.fixture
def library(made: Synthetic) -> Iterator[Library]:
    with Library.open(made.directory) as opened:
        yield opened


def names(library: Library, where: dict[str, Any]) -> set[str]:
    """Return the names of a search's hits, which must equal those of the listed sounds."""
    hits = {Path(hit.path).name for hit in library.search(random_units(1, 0)[0], 99, where=where)}
    assert hits == {Path(sound.path).name for sound in library.sounds(where)}
    return hits


def test_filters(made: Synthetic, library: Library) -> None:
    now = datetime.now(UTC)
    old = int((now - timedelta(days=30)).timestamp() * 1e9)
    new = int(now.timestamp() * 1e9)
    made.add("a.wav", random_units(1, 1), duration=3.0, mtime_ns=new, tags={"title": "Big Door"})
    made.add("deep/b.flac", random_units(1, 2), duration=30.0, mtime_ns=old, format="flac")
    made.add("deep/c.mp3", random_units(1, 3), duration=9.0, mtime_ns=old, format="mp3", channels=2)
    made.add(
        "d [x].wav",
        random_units(1, 4),
        mtime_ns=new,
        sample_rate=96_000,
        external_id="asset-9",
        metadata={"project": "Storm", "take": 3, "done": True},
    )
    everything = {"a.wav", "b.flac", "c.mp3", "d [x].wav"}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, everything),
        ({"min_duration": 9}, {"b.flac", "c.mp3"}),
        ({"max_duration": 3.0}, {"a.wav", "d [x].wav"}),
        ({"duration": (2, 10)}, {"a.wav", "c.mp3"}),
        ({"duration": (None, 10)}, everything - {"b.flac"}),
        ({"format": "WAV"}, {"a.wav", "d [x].wav"}),
        ({"format": [".flac", "mp3"]}, {"b.flac", "c.mp3"}),
        ({"channels": 2}, {"c.mp3"}),
        ({"rate": [96_000]}, {"d [x].wav"}),
        ({"path": "deep/*"}, {"b.flac", "c.mp3"}),
        ({"path": str(made.root) + "/deep/?.mp3"}, {"c.mp3"}),
        ({"path": "eep"}, {"b.flac", "c.mp3"}),
        ({"path": "d [[]x].wav"}, {"d [x].wav"}),
        ({"root": str(made.root)}, everything),
        ({"root": "/elsewhere"}, set()),
        ({"since": "7d"}, {"a.wav", "d [x].wav"}),
        ({"since": now - timedelta(days=60)}, everything),
        ({"tag": "big door"}, {"a.wav"}),
        ({"tag": "title=DOOR"}, {"a.wav"}),
        ({"tag": "comment=door"}, set()),
        ({"tag": "storm"}, {"d [x].wav"}),
        ({"external_id": "asset-9"}, {"d [x].wav"}),
        ({"metadata": {"project": "Storm"}}, {"d [x].wav"}),
        ({"metadata": {"take": 3, "done": True}}, {"d [x].wav"}),
        ({"metadata": {"take": 4}}, set()),
        ({"format": "wav", "min_duration": 2}, {"a.wav"}),
    ]
    for where, expected in cases:
        assert names(library, where) == expected, where


@pytest.mark.parametrize(
    "where",
    [
        {"nonsense": 1},
        {"min_duration": "long"},
        {"duration": 3},
        {"duration": (9, 2)},
        {"channels": "two"},
        {"since": "yesterday-ish"},
        {"metadata": 5},
    ],
)
def test_filters_that_cannot_be(where: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery):
        make_filter(where)


def test_since() -> None:
    now = datetime(2026, 5, 6, tzinfo=UTC)
    assert parse_since("2w", now) == datetime(2026, 4, 22, tzinfo=UTC)
    assert parse_since("36h", now) == datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert parse_since("2026-01-31").date().isoformat() == "2026-01-31"


INJECTIONS = ["'; DROP TABLE sounds; --", '" OR 1=1 --', "%", "_", "\\", "*'*", "[", "\x00", "💥"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(words=st.one_of(st.sampled_from(INJECTIONS), st.text(max_size=20)))
def test_no_filter_is_sql(made: Synthetic, library: Library, words: str) -> None:
    if not list(library.sounds()):
        made.add("plain.wav", random_units(1, 1))
    for where in (
        {"path": words},
        {"format": words},
        {"root": "/" + words.replace("\x00", "")},
        {"tag": words},
        {"tag": f"{words}=x"},
        {"external_id": words},
        {"metadata": {words: words}},
    ):
        library.search(random_units(1, 0)[0], where=where)
    assert len(list(library.sounds())) == 1


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(st.binary(min_size=1, max_size=40).filter(lambda b: b"\0" not in b and b"/" not in b))
def test_any_name_survives(made: Synthetic, library: Library, name: bytes) -> None:
    if not list(library.sounds()):
        made.add(
            "another.wav", random_units(1, 0)
        )  # else the root would vanish with its last sound
    made.add(name + b".wav", random_units(1, 1))
    path = bytes(made.root) + b"/" + name + b".wav"
    sound = library.sound(os.fsdecode(path))
    assert os.fsencode(sound.path) == path
    library.remove(sound.id)
    with pytest.raises(SoundNotFound):
        library.sound(sound.id)


def test_generation_rises_with_every_write(made: Synthetic, library: Library) -> None:
    seen = [library.status().generation]
    made.add("a.wav", random_units(1, 1))
    seen.append(library.status().generation)
    library.describe(library.sound(made.root / "a.wav").id, metadata={"a": 1})
    seen.append(library.status().generation)
    library.remove(made.root / "a.wav")
    seen.append(library.status().generation)
    assert seen == sorted(set(seen))


def test_describe(made: Synthetic, library: Library) -> None:
    made.add("a.wav", random_units(1, 1))
    path = made.root / "a.wav"
    assert library.describe(path, metadata={"x": [1, "ü"]}).metadata == {"x": [1, "ü"]}
    assert library.describe(path, external_id="7").metadata == {"x": [1, "ü"]}
    assert library.sound(path).external_id == "7"
    with pytest.raises(InvalidQuery):
        library.describe(path, metadata={"x": float("nan")})
    with pytest.raises(InvalidQuery):
        library.describe(path, metadata={"x": object()})
    with pytest.raises(SoundNotFound):
        library.describe(path.with_name("b.wav"), external_id="8")


def test_remove_by_id_path_and_folder(made: Synthetic, library: Library) -> None:
    for i, name in enumerate(("a.wav", "deep/b.wav", "deep/er/c.wav", "deeper.wav")):
        made.add(name, random_units(1, i))
    assert len(library.remove(made.root / "deep", dry_run=True).paths) == 2
    assert len(names(library, {})) == 4
    assert (
        len(library.remove([made.root / "deep", library.sound(made.root / "a.wav").id]).paths) == 3
    )
    assert names(library, {}) == {"deeper.wav"}
    with pytest.raises(SoundNotFound):
        library.remove("/nowhere/at/all.wav")


def test_export(made: Synthetic, library: Library, tmp_path: Path) -> None:
    import numpy as np

    made.add("a.wav", random_units(3, 1))
    made.add(b"\xff.wav", random_units(2, 2))
    assert library.export(tmp_path / "out.npz") == 5
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        assert file["vector"].shape == (5, 512)
        assert file["vector"][:3] == pytest.approx(random_units(3, 1), abs=1e-3)
        assert file["start"].tolist() == [0, 1, 2, 0, 1]
        assert file["path"][3].endswith("\\xff.wav")
    pytest.importorskip("pyarrow")
    import pyarrow.parquet

    assert library.export(tmp_path / "out.parquet", where={"path": "a.wav"}) == 3
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["end"].to_pylist() == [1, 2, 3]
    assert len(table["vector"][0]) == 512


# -- opening ----------------------------------------------------------------------------------


def test_newer_library(made: Synthetic) -> None:
    with made.engine.begin() as connection:
        connection.execute(text("INSERT INTO migrations VALUES (999, 'later', 'now')"))
    with pytest.raises(LibraryTooNew, match=r"schema 999.*pip install -U"):
        Library.open(made.directory)


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_no_library_and_no_database(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="audiosearch index"):
        Library.open(tmp_path)
    (tmp_path / database.DATABASE).write_bytes(b"plainly not a database, but long enough" * 9)
    with pytest.raises(LibraryDamaged, match="doctor"):
        Library.open(tmp_path)
    (tmp_path / database.DATABASE).unlink()
    with sqlite3.connect(tmp_path / database.DATABASE) as other:
        other.execute("CREATE TABLE somebody_elses (x)")
    with pytest.raises(LibraryDamaged, match="not a library"):
        Library.open(tmp_path)


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_reader_cannot_write(made: Synthetic) -> None:
    with made.reading() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(text("DELETE FROM meta"))


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_pragmas(made: Synthetic) -> None:
    """These pragmas keep the promise of durability."""
    with made.engine.connect() as connection:

        def pragma(name: str) -> Any:
            return connection.execute(text(f"PRAGMA {name}")).scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert migrations.schema_version(connection) == migrations.SCHEMA_VERSION
        assert reading.get_meta(connection, "library_id")
