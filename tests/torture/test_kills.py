"""Short form of `kills`, and disks that are full, read-only or failing."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import disk, kills


@pytest.mark.timeout(300)  # 30 s on two cores that have nothing else to do
@pytest.mark.parametrize(
    ("number", "count"), [(signal.SIGKILL, 10), (signal.SIGTERM, 3), (signal.SIGINT, 3)]
)
def test_killed_at_random_moments(tmp_path: Path, number: int, count: int) -> None:
    counts = kills.rounds(tmp_path, count, seed=number, number=number)
    assert counts.rounds == count
    assert counts.hit > 0
    assert counts.faults == []


def test_interrupt_twice_stops_at_once(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in")
    process = subprocess.Popen(
        [kills.COMMAND, "index", "-L", tmp_path / "library", tmp_path / "in"],
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "library" / "writer.json").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in talk
    assert kills.run("doctor", "-L", tmp_path / "library").returncode == 0


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


def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    kills.make_sounds(tmp_path / "in", 600)
    library = small_disk / "library"
    ran = kills.run("index", "-L", library, tmp_path / "in", check=False)
    assert ran.returncode == 1
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "full" in ran.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert kills.run("doctor", "-L", library, check=False).returncode == 0
    kept = len(kills.says(library))
    kills.run("index", "-L", library, tmp_path / "in")
    kills.run("index", "-L", tmp_path / "undisturbed", tmp_path / "in")
    assert kills.says(library) == kills.says(tmp_path / "undisturbed")
    assert kept < len(kills.says(library))


@pytest.mark.parametrize("writes", [0, 3, 9, 25, 60, 185])
def test_disk_that_fails(tmp_path: Path, writes: int) -> None:
    shim = disk.make_shim(tmp_path)
    if shim is None:
        pytest.skip("there is no C compiler to make a failing disk with")
    assert disk.fail_after(tmp_path, shim, writes) is None
