"""Index runs on a real Ray: one for the run, and two nodes that `ray start` made on this machine."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest

from tests.effort import thorough_only
from tests.torture import cluster, kills

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
SAMPLES = Path(__file__).parents[3] / "sample_library"


def test_bad_addresses_are_one_line(tmp_path: Path) -> None:
    ran = kills.run(
        "index", "-L", tmp_path / "library", tmp_path, "--cluster", "nowhere", check=False
    )
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "--cluster is auto, HOST:PORT of the head node, or local:N" in ran.stderr
    assert not (tmp_path / "library").exists()


@thorough_only
def test_addresses_without_a_cluster(tmp_path: Path) -> None:
    def line(where: str) -> str:
        ran = kills.run(
            "index", "-L", tmp_path / "new", SAMPLES / "fire", "--cluster", where, check=False
        )
        assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1), ran.stderr
        return ran.stderr

    assert "127.0.0.1:1 cannot be used: nothing answers there" in line("127.0.0.1:1")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever).start()
        assert "what answers there is not Ray" in line(f"127.0.0.1:{server.server_port}")
        server.shutdown()


@thorough_only
def test_a_cluster_for_one_run_gives_the_same_bits(tmp_path: Path, sample_directory: Path) -> None:
    library = tmp_path / "library"
    ran = kills.run("index", "-L", library, SAMPLES, "--cluster", "local:2")
    assert "61 added" in ran.stderr
    assert kills.says(library) == kills.says(sample_directory)
    assert kills.inconsistencies(library) == []


@thorough_only
def test_two_nodes_and_what_can_go_wrong(tmp_path: Path) -> None:
    with cluster.Rig(tmp_path) as rig:
        for disturb, postgres in rig.rounds():
            assert rig.play(disturb, postgres=postgres) == [], disturb.__name__
