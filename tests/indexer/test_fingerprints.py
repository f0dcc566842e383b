"""Fingerprints of stored sounds: computed once, kept in the catalog, and never of another file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audiosearch.catalog.reader import CatalogReader
from audiosearch.errors import AudioRejected
from indexer.fingerprints import StoredFingerprints
from indexer.isolated import IsolatedReader
from indexer.lock import writer_lock
from tests.e2e.conftest import SAMPLES
from tests.libraries import random_units, synthetic

SOUNDS = ("animals/kitten.wav", "human/cough-1.wav", "human/sneeze.wav")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of three short sounds, whose vectors are made up."""
    with synthetic(tmp_path / "library") as made:
        for place, name in enumerate(SOUNDS):
            target = made.root / Path(name).name
            shutil.copyfile(SAMPLES / name, target)
            os.utime(target, ns=(1, place + 1))
            made.add(target.name, random_units(1, place), mtime_ns=place + 1)
    with closing(sqlite3.connect(tmp_path / "library" / "library.db")) as database:
        for name in SOUNDS:
            size, raw = (SAMPLES / name).stat().st_size, Path(name).name.encode()
            database.execute("UPDATE sounds SET size = ? WHERE path = ?", (size, raw))
        database.commit()
    return tmp_path / "library"


class Counting(IsolatedReader):
    """Counts what it decodes, and stops at the sound number `last` as Ctrl-C does."""

    def __init__(self, last: int = 99) -> None:
        super().__init__(1)
        self.decoded, self._last = 0, last

    def fingerprint(self, path: str | os.PathLike[str]) -> object:  # type: ignore[override]
        self.decoded += 1
        if self.decoded > self._last:
            raise KeyboardInterrupt
        return super().fingerprint(path)


@pytest.fixture
def decoding() -> Iterator[Counting]:
    reader = Counting()
    yield reader
    reader.close()


def stored(library: Path, decoding: IsolatedReader) -> StoredFingerprints:
    return StoredFingerprints(CatalogReader(library), lambda: decoding)


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_each_content_is_decoded_once(library: Path, decoding: Counting) -> None:
    progress: list[tuple[int, int]] = []
    first = stored(library, decoding)
    assert first.make([3, 1, 2], lambda done, total: progress.append((done, total))) == {}
    assert progress == [(1, 3), (2, 3), (3, 3)]
    made = first.read([1, 2, 3])
    again = stored(library, decoding)
    assert again.make([1, 2, 3]) == {}
    assert decoding.decoded == 3
    assert {i: p.to_bytes() for i, p in again.read([1, 2, 3]).items()} == {
        i: p.to_bytes() for i, p in made.items()
    }
    assert made[1].changes.any()


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_damaged_and_older_ones_count_as_absent(library: Path, decoding: Counting) -> None:
    fingerprints = stored(library, decoding)
    fingerprints.make([1, 2])
    with closing(sqlite3.connect(library / "library.db")) as database:
        database.execute("UPDATE fingerprints SET version = 0 WHERE content_id = 1")
        database.execute("UPDATE fingerprints SET data = x'00' WHERE content_id = 2")
        database.commit()
    again = stored(library, decoding)
    assert again.make([1, 2]) == {}
    assert decoding.decoded == 3
    assert len(again.read([1, 2])) == 2
    assert decoding.decoded == 4
    assert len(again.read([1, 2])) == 2
    assert decoding.decoded == 4


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_what_cannot_be_read_has_a_reason(library: Path, decoding: Counting) -> None:
    root = library.parent / "sounds"
    (root / "kitten.wav").unlink()
    os.utime(root / "cough-1.wav")
    data = b"no sound at all" * 1000
    size = (root / "sneeze.wav").stat().st_size
    (root / "sneeze.wav").write_bytes(data[:1000] + bytes(size - 1000))
    os.utime(root / "sneeze.wav", ns=(1, 3))
    reasons = stored(library, decoding).make([1, 2, 3])
    assert reasons[1] == "it is not there"
    assert reasons[2] == "it changed since it was indexed"
    assert reasons[3].startswith("it cannot be read (")


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_another_writer_is_not_waited_for(library: Path, decoding: Counting) -> None:
    fingerprints = stored(library, decoding)
    with writer_lock(library):
        assert fingerprints.make([1]) == {}
        assert len(fingerprints.read([1])) == 1
    fingerprints.make([2])  # which stores both
    stored(library, decoding).make([1, 2])
    assert decoding.decoded == 2


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_an_interrupted_run_keeps_what_it_finished(library: Path, decoding: Counting) -> None:
    with pytest.raises(KeyboardInterrupt):
        stored(library, Counting(last=2)).make([1, 2, 3])  # which closes its decoders
    stored(library, decoding).make([1, 2, 3])
    assert decoding.decoded == 1


def test_a_sound_that_is_none(tmp_path: Path, decoding: Counting) -> None:
    (tmp_path / "x.wav").write_bytes(b"no sound")
    with pytest.raises(AudioRejected):
        decoding.fingerprint(tmp_path / "x.wav")
