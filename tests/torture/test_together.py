"""Short form of `together`, and two writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.effort import thorough_only
from tests.torture import kills
from tests.torture.together import watch
from tests.waiting import wait_until


@thorough_only
def test_sixteen_readers_and_a_writer(tmp_path: Path) -> None:
    watched = watch(tmp_path, 16, 1)
    assert watched.faults == []
    assert watched.searches > 16
    assert len(watched.sizes) > 1


def _indexing(library: Path, folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [kills.COMMAND, "index", "-L", library, folder], stderr=subprocess.PIPE
    )
    wait_until((library / "writer.json").exists, process)
    return process


@thorough_only
def test_second_indexer_says_who_or_waits(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in", 400)
    kills.make_sounds(tmp_path / "more", 3, first=1_000)
    library = tmp_path / "library"
    # The library is made under the lock too; what counts is the run.
    kills.run("index", "-L", library, tmp_path / "more")
    first = _indexing(library, tmp_path / "in")
    first.send_signal(signal.SIGSTOP)
    second = kills.run("index", "-L", library, check=False)
    assert second.returncode == 1
    assert f"process {first.pid} on " in second.stderr
    waiting = subprocess.Popen(
        [kills.COMMAND, "index", "-L", library, "--wait", tmp_path / "more"],
        stderr=subprocess.PIPE,
    )
    first.send_signal(signal.SIGCONT)
    assert waiting.wait() == 0
    assert first.wait() == 0
    assert kills.inconsistencies(library) == []


@thorough_only
def test_lock_of_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in", 400)
    library = tmp_path / "library"
    process = _indexing(library, tmp_path / "in")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert json.loads((library / "writer.json").read_text())["pid"] == process.pid
    assert kills.run("index", "-L", library, tmp_path / "in").returncode == 0
