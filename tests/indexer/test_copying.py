"""Copies of libraries: whole, resumed, begun anew, refused, and compared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from audiosearch import Library
from audiosearch.care.doctor import Finding, check
from audiosearch.catalog import schema
from audiosearch.catalog.store import store_at
from audiosearch.errors import InvalidQuery, LibraryDamaged
from indexer import copying
from indexer.copying import CopyProgress
from tests.effort import thorough_only
from tests.postgres_server import postgres_url  # noqa: F401


@pytest.fixture
def source(tmp_path: Path, sample_directory: Path) -> Iterator[Library]:
    """A library with what people add: a name, metadata, a collection, and a sound that is gone."""
    shutil.copytree(sample_directory, tmp_path / "Größe 音")
    with Library.open(tmp_path / "Größe 音") as library:
        sounds = list(library.sounds())
        library.describe(sounds[0].id, external_id="A\0Z", metadata={"take": 3, "note": "a\0b"})
        library.remove(sounds[-1].id)
        made = library.collections.make("Für später")
        library.collections.add(made.id, [sounds[0].id, sounds[1].id])
        yield library


def answers(library: Library) -> object:
    hits = library.search("a dog barks", k=12, match="both")
    return (
        hits,
        library.sound(hits[0].id),
        [library.sound(sound.id) for sound in library.sounds()],
        library.facets(),
        library.collections.all(),
    )


def errors(library: Library) -> list[Finding]:
    return [each for each in check(library.store) if each.level == "error"]


@pytest.fixture
def addresses(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:  # noqa: F811
    monkeypatch.setenv("AUDIOSEARCH_FILES", str(tmp_path / "files"))
    return [postgres_url, str(tmp_path / "back")]


@thorough_only
def test_there_and_back(source: Library, addresses: list[str]) -> None:
    there, back = addresses
    copied = source.copy(there)
    assert copied.sounds == source.status().sounds
    with Library.open(there) as library:
        assert answers(library) == answers(source)
        library.copy(back)
        assert errors(library) == []
    with Library.open(back) as library:
        assert answers(library) == answers(source)
        assert errors(library) == []
        # The id of the sound that was removed is not given again.
        gone = [change.id for change in library.changes() if change.kind == "removed"]
        assert gone
        [first] = [sound.path for sound in list(library.sounds())[:1]]
        library.remove(first)
        library.add(first, workers=1)
        assert library.sound(first).id > max(gone)


def test_a_copy_that_ended_early_goes_on(
    source: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_BATCH", 7)
    to = tmp_path / "copy"

    class Killed(Exception):
        pass

    def kill_at(rows: int) -> None:
        def show(progress: CopyProgress) -> None:
            if progress.done >= rows:
                raise Killed

        with pytest.raises(Killed):
            source.copy(to, on_progress=show)

    kill_at(90)
    with Library.open(to) as half:
        assert half.search("dog") == []  # it answers nothing before it is whole
    kill_at(160)
    steps: list[CopyProgress] = []
    source.copy(to, on_progress=steps.append)
    assert steps[0].done > 0  # what was there was not copied again
    with Library.open(to) as library:
        assert answers(library) == answers(source)


def test_a_source_that_changed_is_copied_anew(
    source: Library, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "copy"

    def stop(progress: CopyProgress) -> None:
        if progress.done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.copy(to, on_progress=stop)
    source.remove(next(iter(source.sounds())).id)
    source.copy(to)
    assert "begins anew" in caplog.text
    with Library.open(to) as library:
        assert answers(library) == answers(source)


def test_what_is_refused(source: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidQuery, match="onto itself"):
        source.copy(source.directory)
    source.copy(tmp_path / "copy")
    with pytest.raises(InvalidQuery, match="holds a library already"):
        source.copy(tmp_path / "copy")


def test_a_copy_that_differs_is_noticed(
    source: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = store_at(tmp_path / "copy")
    finish = copying._Copy._finish

    def spoil(copy: copying._Copy) -> None:
        finish(copy)
        with copy.engine.begin() as connection:
            connection.execute(schema.contents.update().values(channels=9))

    monkeypatch.setattr(copying._Copy, "_finish", spoil)
    with pytest.raises(LibraryDamaged, match="differs from its source in the table contents"):
        source.copy(to.name)


def test_rows_of_another_kind(tmp_path: Path) -> None:
    """Folders whose names are bytes alone, and a library without a model."""
    with Library.open(tmp_path / "empty", create=True) as empty:
        with store_at(empty.directory).writer().begin() as connection:
            connection.execute(insert(schema.roots).values(path=b"/\xff\xfe", whole=1))
        assert empty.copy(tmp_path / "copy").sounds == 0
    with Library.open(tmp_path / "copy") as library:
        assert [root.path for root in library.status().roots] == ["/\udcff\udcfe"]
