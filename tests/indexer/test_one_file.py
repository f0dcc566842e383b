"""One file that is added, removed or described costs what one file costs, not what the library
does. Counted, not timed: steps of SQLite's machine, files written, processes started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import event
from sqlalchemy.pool import Pool

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.vectors import validity
from audiosearch.vectors.cachefile import CACHE, read_footer
from tests.effort import thorough_only
from tests.libraries import random_units, synthetic

_FEW, _MANY = 40, 400


@dataclass
class Steps:
    """How many steps SQLite's machine has taken; every row that is looked at takes several."""

    count: int = 0


@contextmanager
def counted() -> Iterator[Steps]:
    """Counts the steps of every connection that is opened inside the block."""
    steps = Steps()

    def step() -> int:
        steps.count += 1
        return 0

    def watch(raw: Any, record: object) -> None:
        raw.set_progress_handler(step, 1)

    event.listen(Pool, "connect", watch)
    try:
        yield steps
    finally:
        event.remove(Pool, "connect", watch)


def write(path: Path) -> Path:
    """A second of noise that is this path's own."""
    seed = int.from_bytes(path.name.encode()[-8:], "little")
    noise = np.random.default_rng(seed).normal(0, 0.1, 8_000)
    soundfile.write(path, noise, 8_000, subtype="FLOAT")
    return path


def stamp(directory: Path) -> tuple[int, int, int]:
    """Changes whenever the cache file is written."""
    status = (directory / CACHE).stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def make(directory: Path, sounds: int) -> Path:
    """A library of that many sounds below one root; returns the root."""
    with synthetic(directory) as made:
        for number in range(sounds):
            made.add(f"old/{number}.wav", random_units(1, number))
        made.refresh()
        return made.root


def steps_of_writing(directory: Path, sounds: int) -> dict[str, int]:
    root = make(directory, sounds)
    before = stamp(directory)
    with counted() as steps, Library.open(directory) as library:
        library.add(write(root / "warm.wav"))  # what the first one costs is loading

        def cost(name: str, call: Any) -> tuple[str, int]:
            began = steps.count
            call()
            return name, steps.count - began

        new, old = write(root / "new.wav"), root / "old"
        costs = dict(
            [
                cost("add", lambda: library.add(new)),
                cost("add again", lambda: library.add(new)),
                cost("describe", lambda: library.describe(new, external_id="x")),
                cost("remove by path", lambda: library.remove(new)),
                cost("remove by id", lambda: library.remove(library.sound(old / "7.wav").id)),
            ]
        )
    assert stamp(directory) == before
    return costs


@thorough_only
def test_cost_does_not_grow_with_the_library(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    small = steps_of_writing(tmp_path / "small" / "library", _FEW)
    large = steps_of_writing(tmp_path / "large" / "library", _MANY)
    for name, steps in small.items():
        assert large[name] - steps < _MANY - _FEW, name  # not one step for each further sound


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that is started."""
    processes: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    return processes


def test_one_decoding_process_for_an_open_library(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    with Library.open(tmp_path / "library", create=True) as library:
        for number in range(3):
            assert library.add(write(tmp_path / f"{number}.wav")).added == 1
        library.add([write(tmp_path / f"more{number}.wav") for number in range(4)], workers=2)
        assert len(started) <= 2
        alive = [process for process in started if process.poll() is None]
        assert len(alive) == 1
    assert alive[0].poll() is not None


def test_a_process_that_died_idle_is_no_failure(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(write(tmp_path / "a.wav"))
        started[0].kill()
        started[0].wait()
        summary = library.add(write(tmp_path / "b.wav"))
        assert (summary.added, summary.failures) == (1, [])
        assert len(started) == 2


@pytest.mark.sqlite("it is about the cache of FAISS")
def test_what_is_behind_is_searched(tmp_path: Path) -> None:
    root = make(tmp_path / "library", 40)
    file = write(root / "new.wav")
    with Library.open(tmp_path / "library") as library:
        before = len(library.search(random_units(1, 0)[0], k=100))
        library.add(file)
        library.remove(root / "old" / "1.wav")
        fast = library.similar(file, k=100)
        assert fast[0].path == str(file)
        assert len(fast) == before
        assert read_footer(tmp_path / "library").covers == 40
    codes = {finding.code for finding in check(tmp_path / "library")}
    assert codes == {
        "gone"
    }  # the files that were never there: a cache that is behind is no finding
    with Library.open(tmp_path / "library") as fresh:
        assert [(h.path, h.score) for h in fresh.similar(file, k=100)] == [
            (h.path, h.score) for h in fast
        ]


@pytest.mark.sqlite("it is about the cache of FAISS")
def test_a_long_tail_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "FEW", 3)
    root = make(tmp_path / "library", 40)
    with Library.open(tmp_path / "library") as library:
        covered = []
        for number in range(4):
            library.add(write(root / f"{number}.wav"))
            covered.append(read_footer(tmp_path / "library").covers)
        assert covered == [40, 40, 40, 44]
        for number in range(4):
            library.remove(root / "old" / f"{number}.wav")
            covered.append(read_footer(tmp_path / "library").count)
        assert covered[4:] == [44, 44, 44, 40]


@pytest.mark.parametrize(
    ("behind", "covered", "long"),
    [
        (0, 0, False),
        (1, 0, True),
        (1, 7, True),
        (12, 100, False),
        (13, 100, True),
        (2_000, 1_000_000, False),
        (2_001, 1_000_000, True),
    ],
)
def test_when_a_tail_is_long(behind: int, covered: int, long: bool) -> None:
    assert validity.is_long(behind, covered) is long
