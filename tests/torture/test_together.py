"""Short form of `together`, and two writers."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.effort import thorough_only
from tests.torture import kills
from tests.torture.together import watch


@thorough_only
def test_sixteen_readers_and_a_writer(tmp_path: Path) -> None:
    watched = watch(tmp_path, 16, 1)
    assert watched.faults == []
    assert watched.searches > 16
    assert len(watched.sizes) > 1


@thorough_only
def test_second_indexer_says_who_or_waits(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in", 400)
    kills.make_sounds(tmp_path / "more", 3, first=1_000)
    first, library = kills.indexing(tmp_path, tmp_path / "in", tmp_path / "more")
    second = kills.run("index", "-L", library, check=False)
    assert second.returncode == 1
    assert f"process {first.pid} on " in second.stderr
    waiting = kills.started("index", "-L", library, "--wait", tmp_path / "more")
    first.send_signal(signal.SIGCONT)
    for process in (waiting, first):
        _, talk = process.communicate()
        assert process.returncode == 0, talk
    assert kills.inconsistencies(library) == []


@thorough_only
def test_lock_of_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in", 400)
    process, library = kills.indexing(tmp_path, tmp_path / "in")
    process.kill()
    process.wait()
    assert json.loads((library / "writer.json").read_text())["pid"] == process.pid
    assert kills.run("index", "-L", library, tmp_path / "in").returncode == 0
