"""A library of the first released schema opens after every migration, and one cut short leaves
nothing half done.

`schema_001.sql` is never edited. It stands for every library that people have.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.catalog import database, migrations
from audiosearch.catalog.store import store_at
from audiosearch.catalog.words import sounds_with_word
from audiosearch.errors import LibraryNotFound
from tests.libraries import random_units

pytestmark = pytest.mark.sqlite("older libraries are in SQLite")

FIRST = Path(__file__).with_name("schema_001.sql")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    directory = tmp_path / "library"
    directory.mkdir()
    with closing(sqlite3.connect(directory / database.DATABASE)) as connection:
        connection.executescript(FIRST.read_text(encoding="utf-8"))
    return directory


def _answers(directory: Path) -> None:
    with Library.open(directory) as library:
        hits = library.search(random_units(1, 2)[0], where={"root": "/sounds"})
        assert [hit.path for hit in hits] == [
            "/sounds/rain/copy.flac",
            "/sounds/rain/heavy.flac",
            "/sounds/fire.wav",
        ]
        assert hits[0].score == pytest.approx(1, abs=1e-3)
        fire = library.sound("/sounds/fire.wav")
        assert (fire.external_id, fire.metadata, fire.tags) == (
            "A-1",
            {"take": 3},
            {"title": "Fire"},
        )
        assert [failure.path for failure in library.failures()] == ["/sounds/broken.wav"]
    assert [f for f in check(directory) if f.level == "error"] == []


def test_the_first_schema_opens(old: Path) -> None:
    assert [finding.code for finding in check(old)] == ["old"]  # and no error
    _answers(old)
    with Library.open(old) as library, library._reader.snapshot() as connection:
        # What it held has words now.
        (heavy,) = sounds_with_word(connection, "heavy", 10)["name"].tolist()
    with Library.open(old) as library:
        assert Path(library.sound(heavy).path).name == "heavy.flac"
    with closing(sqlite3.connect(old / database.DATABASE)) as connection:
        (number,) = connection.execute("SELECT max(number) FROM migrations").fetchone()
    assert number == migrations.SCHEMA_VERSION


def _add_a_table(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE later (id INTEGER)"))
    connection.execute(text("UPDATE sounds SET external_id = 'changed'"))


def test_a_migration_that_fails_leaves_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(connection: Connection) -> None:
        _add_a_table(connection)
        raise RuntimeError("in the middle")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, fails))
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", migrations.SCHEMA_VERSION + 1)
    with pytest.raises(RuntimeError):
        Library.open(old)
    monkeypatch.undo()
    _answers(old)


def test_a_migration_that_is_added_is_applied_once(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, _add_a_table))
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", migrations.SCHEMA_VERSION + 1)
    for _ in range(2):
        with Library.open(old) as library:
            assert library.sound("/sounds/fire.wav").external_id == "changed"


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import text
from audiosearch import Library
from audiosearch.catalog import migrations

def dies(connection):
    connection.execute(text("CREATE TABLE later (id INTEGER)"))
    connection.execute(text("DELETE FROM sounds"))
    os.kill(os.getpid(), signal.SIGKILL)

migrations.MIGRATIONS += (dies,)
migrations.SCHEMA_VERSION += 1
Library.open(Path(sys.argv[1]), create=True)
"""


def test_a_migration_survives_a_kill(old: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, old], check=False)
    assert done.returncode == -signal.SIGKILL
    _answers(old)


def test_a_kill_while_a_library_is_made_leaves_none(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / database.DATABASE).exists()
    assert not store_at(tmp_path).exists()
    for use in (Library.open, check):
        with pytest.raises(LibraryNotFound, match="make one with"):
            use(tmp_path)
    with Library.open(tmp_path, create=True) as library:
        assert library.status().sounds == 0
    assert [each for each in check(tmp_path) if each.level == "error"] == []


def test_paths_out_of_the_root_are_refused(old: Path) -> None:
    from audiosearch.errors import LibraryDamaged

    for path in (b"../../etc/passwd.wav", b"/etc/passwd.wav", b"rain/../../x.wav"):
        with closing(sqlite3.connect(old / database.DATABASE)) as connection, connection:
            connection.execute("UPDATE sounds SET path = ? WHERE id = 1", (path,))
        with Library.open(old) as library, pytest.raises(LibraryDamaged, match="outside its root"):
            list(library.sounds())


def test_notices_come_with_schema_2(old: Path) -> None:
    """An upgraded library and a new one have the same tables; what failed is read once more, for
    by now it may be heard."""
    with closing(sqlite3.connect(old / database.DATABASE)) as connection:
        stamps = dict(connection.execute("SELECT id, mtime_ns FROM sounds"))
        failed = {row[0] for row in connection.execute("SELECT sound_id FROM failures")}
    with Library.open(old) as library:
        assert library.sound("/sounds/fire.wav").notices == ()
    with closing(sqlite3.connect(old / database.DATABASE)) as connection:
        later = dict(connection.execute("SELECT id, mtime_ns FROM sounds"))
        columns = {row[1:5] for row in connection.execute("PRAGMA table_info(contents)")}
    assert failed
    assert {number for number in stamps if later[number] != stamps[number]} == failed
    Library.open(old.with_name("new"), create=True).close()
    with closing(sqlite3.connect(old.with_name("new") / database.DATABASE)) as connection:
        fresh = {row[1:5] for row in connection.execute("PRAGMA table_info(contents)")}
    assert columns == fresh


def test_an_old_library_has_nothing_set_for_its_folders(old: Path) -> None:
    with Library.open(old) as library:
        assert {(root.exclude, root.follow_symlinks) for root in library.status().roots} == {
            ((), False)
        }
        (root, *_) = library.status().roots
        library.set_root(root.path, exclude=["*.flac"])
        assert library.status().roots[0].exclude == ("*.flac",)
