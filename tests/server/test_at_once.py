"""A writer elsewhere, two servers on one library, and clients that stop reading."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import Settings, make_app
from indexer.lock import writer_lock
from tests.e2e.conftest import COMMAND, SAMPLES
from tests.effort import thorough_only
from tests.server.conftest import Dogs
from tests.serving import free_port, running
from tests.waiting import wait_until


@pytest.fixture
def where(tmp_path: Path, dogs: Dogs) -> Path:
    dogs(tmp_path / "sounds", tmp_path / "library")
    return tmp_path / "library"


def opened(where: Path) -> TestClient:
    settings = Settings(uploads=where.parent / "uploads")
    return TestClient(make_app(where, settings), base_url="http://localhost")


def ended(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    def now() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/v1/jobs/{job['id']}").json()
        return found

    wait_until(lambda: now()["state"] in ("done", "failed", "cancelled"))
    return now()


@thorough_only
def test_a_writer_elsewhere(where: Path) -> None:
    with opened(where) as client:
        (hit,) = client.get("/v1/search", params={"q": "dog"}).json()["hits"]
        with writer_lock(where):
            answer = client.patch(f"/v1/sounds/{hit['id']}", json={"external_id": "a"})
            assert (answer.status_code, answer.json()["code"]) == (503, "library-busy")
            assert int(answer.headers["retry-after"]) > 0
            job = client.post("/v1/jobs", json={}).json()
            assert client.get("/v1/search", params={"q": "dog"}).json()["hits"] == [hit]
            wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "running")
            assert client.get("/v1/status").json()["sounds"] == 1
        assert ended(client, job)["state"] == "done"
        changed = client.patch(f"/v1/sounds/{hit['id']}", json={"external_id": "a"})
        assert changed.json()["external_id"] == "a"


@thorough_only
def test_two_servers_on_one_library(where: Path) -> None:
    shutil.copy(SAMPLES / "animals" / "ewe.mp3", where.parent / "sounds")
    with opened(where) as one, opened(where) as other:
        job = one.post("/v1/jobs", json={}).json()
        assert ended(one, job)["state"] == "done"
        # The second shows the jobs of the first, and takes none.
        assert other.get(f"/v1/jobs/{job['id']}").json()["state"] == "done"
        assert [j["id"] for j in other.get("/v1/jobs").json()["jobs"]] == [job["id"]]
        for answer in (
            other.post("/v1/jobs", json={}),
            other.delete(f"/v1/jobs/{job['id']}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "library-busy")
            assert "another server" in answer.json()["detail"]
        seen = [client.get("/v1/search", params={"q": "sheep"}).json() for client in (one, other)]
        assert seen[0] == seen[1]
        assert len(seen[0]["hits"]) == 2
        sound = seen[0]["hits"][0]["id"]
        one.patch(f"/v1/sounds/{sound}", json={"external_id": "ewe"})
        assert other.get(f"/v1/sounds/{sound}").json()["external_id"] == "ewe"


def test_the_second_server_takes_over(where: Path) -> None:
    with opened(where) as other, writer_lock(where):
        job = other.post("/v1/jobs", json={}).json()
    with opened(where) as one:
        with opened(where) as other:
            assert ended(one, job)["state"] == "done"  # the first that opens does what was left
            assert other.post("/v1/jobs", json={}).status_code == 503
            upload = other.post("/v1/uploads?name=new.wav", content=b"x")
            assert (upload.status_code, upload.json()["code"]) == (503, "library-busy")
            assert not list(where.parent.rglob("new.wav"))
            one.__exit__(None, None, None)
            job = other.post("/v1/jobs", json={}).json()
            assert ended(other, job)["state"] == "done"
        one.__enter__()


@thorough_only
def test_clients_that_stop_reading(where: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (30 * 48_000, 2)).astype(np.float32)
    soundfile.write(where.parent / "sounds" / "long.wav", noise, 48_000)
    with Library.open(where) as library:
        library.add(where.parent / "sounds")
        (sound,) = [hit.id for hit in library.search("noise") if hit.path.endswith("long.wav")]
    port = free_port()
    with running([COMMAND, "serve", "-L", where, "--port", str(port)], port):
        idle = []
        for _ in range(8):
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            request = f"GET /v1/sounds/{sound}/audio HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
            client.sendall(request.encode())
            assert client.recv(12) == b"HTTP/1.1 200"
            idle.append(client)
        for _ in range(5):
            found = httpx.get(f"http://127.0.0.1:{port}/v1/search?q=dog", timeout=600).json()
            assert len(found["hits"]) == 2
        for client in idle:
            client.close()
