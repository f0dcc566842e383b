"""Short form of `kills`, and disks that are full, read-only or failing."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiosearch.catalog.store import store_at
from tests.effort import thorough_only
from tests.torture import disk, kills


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> kills.Rig:
    return kills.Rig(tmp_path_factory.mktemp("kills"))


@thorough_only
@pytest.mark.parametrize(
    ("number", "count"),
    [
        (signal.SIGKILL, 10),
        (signal.SIGTERM, 4),
        (signal.SIGINT, 4),
    ],
)
def test_killed_at_random_moments(rig: kills.Rig, number: int, count: int) -> None:
    counts = kills.rounds(rig, count, seed=number, number=number)
    assert counts.rounds >= count
    assert counts.hit > 0
    assert counts.faults == []


def test_interrupt_twice_stops_at_once(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in")
    process, library = kills.indexing(tmp_path, tmp_path / "in")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in talk
    if store_at(library).exists():  # or it stopped while it made the library
        assert kills.inconsistencies(library) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@thorough_only
def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    kills.make_sounds(tmp_path / "in", 600)
    library = small_disk / "library"
    ran = kills.run("index", "-L", library, tmp_path / "in", check=False)
    assert ran.returncode == 1
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "full" in ran.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert kills.inconsistencies(library) == []
    kept = len(kills.says(library))
    kills.run("index", "-L", library, tmp_path / "in")
    kills.run("index", "-L", tmp_path / "undisturbed", tmp_path / "in")
    assert kills.says(library) == kills.says(tmp_path / "undisturbed")
    assert kept < len(kills.says(library))


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> disk.Rig:
    made = disk.make_rig(tmp_path_factory.mktemp("disk"))
    if made is None:
        pytest.skip("there is no C compiler to make a failing disk with")
    return made


@thorough_only
@pytest.mark.parametrize(
    "writes", [3, 60, *(pytest.param(n, marks=thorough_only) for n in (0, 9, 25, 185))]
)
def test_disk_that_fails(failing: disk.Rig, writes: int) -> None:
    assert failing.fail_after(writes) is None
