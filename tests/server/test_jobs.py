"""Index runs over HTTP: started, watched, cancelled, resumed; ids and metadata."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audiosearch.server import Settings, make_app
from tests.e2e.conftest import SAMPLES
from tests.server.conftest import Dogs

DOGS = SAMPLES / "animals" / "dogs.mp3"
EWE = SAMPLES / "animals" / "ewe.mp3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "söunds 'n' more"


@pytest.fixture
def where(tmp_path: Path, folder: Path, dogs: Dogs) -> Path:
    dogs(folder, tmp_path / "library")
    return tmp_path / "library"


def opened(where: Path, **settings: Any) -> TestClient:
    return TestClient(make_app(where, Settings(**settings)), base_url="http://localhost")


def until(client: TestClient, job: dict[str, Any], *states: str) -> dict[str, Any]:
    """Poll, as a client would."""
    while job["state"] not in states:
        assert job["state"] in ("queued", "running"), job
        time.sleep(0.01)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    return job


def test_a_path_is_indexed(where: Path, folder: Path) -> None:
    shutil.copy(EWE, folder)
    with opened(where) as client:
        path = str(folder / "ewe.mp3")
        wanted = {"paths": [path], "external_id": "A-7", "metadata": {"b": 1}}
        answer = client.post("/v1/jobs", json=wanted)
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
        job = until(client, answer.json(), "done")
        assert job["summary"]["added"] == 1
        assert job["progress"]["done"] == 1
        found = client.get("/v1/sounds", params={"external_id": "A-7"}).json()["sounds"]
        assert [(s["path"], s["metadata"]) for s in found] == [(path, {"b": 1})]
        hits = client.get("/v1/search", params={"q": "sheep", "external_id": "A-7"}).json()["hits"]
        assert hits[0]["external_id"] == "A-7"
        assert client.get("/v1/jobs").json()["jobs"] == [job]


def test_everything_again(where: Path, folder: Path) -> None:
    (folder / "dogs.mp3").unlink()
    shutil.copy(EWE, folder)
    with opened(where) as client:
        job = until(client, client.post("/v1/jobs", json={}).json(), "done")
        assert (job["summary"]["added"], job["summary"]["gone"]) in {(1, 0), (1, 1)}
        assert until(client, client.post("/v1/jobs", json={"prune": True}).json(), "done")
        assert client.get("/v1/status").json()["sounds"] == 1


def test_events(where: Path, folder: Path) -> None:
    shutil.copy(EWE, folder)
    with opened(where) as client:
        job = client.post("/v1/jobs", json={}).json()
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
        only = client.head(f"/v1/jobs/{job['id']}/events")
        assert (only.status_code, only.headers["content-type"]) == (
            stream.status_code,
            stream.headers["content-type"],
        )
        last = json.loads(lines[-1].removeprefix("data: "))
        assert last["state"] == "done"
        assert last["summary"]["added"] == 1


def test_nothing_outside_the_folders(where: Path, folder: Path) -> None:
    (folder / "link.mp3").symlink_to(EWE)
    here = [f"{folder}/../x.wav", f"{folder}x", f"{folder}/link.mp3"]
    with opened(where) as client:
        for path in ("/etc/passwd", "relative.wav", *here, "/\0", "\udce9", "/\ud800"):
            body = json.dumps({"paths": [path]})
            answer = client.post(
                "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 422, path
            assert client.get("/v1/jobs").json()["jobs"] == []


def test_a_cancelled_job_stays_so(where: Path, folder: Path) -> None:
    from indexer.lock import writer_lock

    with opened(where) as client:
        with writer_lock(where):  # nothing can be written: the first waits, the second too
            first = client.post("/v1/jobs", json={}).json()
            second = client.post("/v1/jobs", json={}).json()
            until(client, first, "running")
            busy = client.delete("/v1/sounds/1")
            assert busy.status_code == 503
            assert busy.json()["code"] == "library-busy"
            assert client.delete(f"/v1/jobs/{second['id']}").json()["state"] == "cancelled"
            client.delete(f"/v1/jobs/{first['id']}")
            assert until(client, first, "cancelled")["finished"]
        assert client.delete(f"/v1/jobs/{first['id']}").json()["code"] == "job-over"
        assert client.get("/v1/jobs/0").json()["code"] == "job-not-found"
        assert client.get("/v1/jobs/0/events").json()["code"] == "job-not-found"
        assert client.delete("/v1/sounds/1").status_code == 204


def test_jobs_outlive_the_server(where: Path, folder: Path) -> None:
    from indexer.lock import writer_lock

    shutil.copy(EWE, folder)
    with writer_lock(where), opened(where) as client:
        running = client.post("/v1/jobs", json={}).json()
        queued = client.post("/v1/jobs", json={"metadata": {"late": True}}).json()
        until(client, running, "running")
    (where / "jobs" / "broken.json").write_text("{")
    with opened(where) as client:
        assert until(client, running, "done")["summary"]["added"] == 1
        assert until(client, queued, "done")
        assert {s["metadata"]["late"] for s in client.get("/v1/sounds").json()["sounds"]} == {True}


def test_jobs_of_an_older_version(where: Path) -> None:
    """They counted less, and are shown as any others."""
    summary = {"added": 3, "failures": [], "interrupted": False}
    stored: dict[str, Any] = {
        "id": "1-a",
        "paths": [],
        "external_id": None,
        "metadata": None,
        "options": {},
    }
    stored |= {"state": "done", "progress": None, "summary": summary, "error": None}
    stored |= {"made": "2026-01-01", "finished": "2026-01-01"}
    (where / "jobs").mkdir(exist_ok=True)
    (where / "jobs" / "1-a.json").write_text(json.dumps(stored))
    with opened(where) as client:
        job = client.get("/v1/jobs/1-a").json()
    assert job["options"] == {"retry": False, "rehash": False, "prune": False}
    assert (job["summary"]["added"], job["summary"]["described"]) == (3, 0)
    assert job["summary"]["item_failures"] == []


def test_jobs_let_searches_go_first(where: Path, folder: Path) -> None:
    shutil.copy(EWE, folder)
    with opened(where) as client:
        hands = client.app.hands  # type: ignore[attr-defined]
        waited = threading.Event()
        real = hands._no_search.wait

        def wait(seconds: float) -> bool:
            free: bool = real(seconds)
            if not free:
                waited.set()
            return free

        hands._no_search.wait = wait
        with hands.one("searching", "somebody"):
            job = client.post("/v1/jobs", json={}).json()
            assert waited.wait(600)
        until(client, job, "done")


def test_uploads_are_kept_and_indexed(where: Path, tmp_path: Path) -> None:
    managed = tmp_path / "managed"
    with opened(where, uploads=managed) as client:
        params = {"name": "Schäfchen 1.mp3", "external_id": "S", "metadata": '{"take": 3}'}
        answer = client.post("/v1/uploads", content=EWE.read_bytes(), params=params)
        assert answer.status_code == 202
        assert until(client, answer.json(), "done")["summary"]["added"] == 1
        assert (managed / params["name"]).read_bytes() == EWE.read_bytes()
        (hit,) = client.get("/v1/search", params={"q": "sheep", "tag": "take=3"}).json()["hits"]
        assert hit["external_id"] == "S"
        again = client.post("/v1/uploads", content=b"x", params=params)
        assert again.status_code == 409
        assert (managed / params["name"]).read_bytes() == EWE.read_bytes()
        params["replace"] = "true"
        other = client.post("/v1/uploads", content=DOGS.read_bytes(), params=params)
        assert until(client, other.json(), "done")["summary"]["updated"] == 1
        broken = client.post("/v1/uploads", content=b"no sound", params={"name": "x.wav"})
        (failure,) = until(client, broken.json(), "done")["summary"]["failures"]
        assert failure["kind"] == "undecodable"
        assert sorted(p.name for p in managed.iterdir()) == ["Schäfchen 1.mp3", "x.wav"]


def test_names_of_uploads(where: Path, tmp_path: Path) -> None:
    with opened(where, uploads=tmp_path / "managed") as client:
        for name in ("", "../x.wav", "a/b.wav", ".hidden", "a\0b", "C:x", "x" * 201, "a\n"):
            answer = client.post("/v1/uploads", content=b"x", params={"name": name})
            assert answer.status_code == 422, name
        wrong = client.post("/v1/uploads", content=b"x", params={"name": "a", "metadata": "[1]"})
        assert wrong.status_code == 422
    assert not list(tmp_path.rglob("x.wav"))


def test_no_uploads_unless_asked_for(where: Path) -> None:
    with opened(where) as client:
        answer = client.post("/v1/uploads", content=b"x", params={"name": "a.wav"})
        assert answer.status_code == 403
        assert answer.json()["code"] == "uploads-off"


def test_a_catalogue_is_filled_in(where: Path, folder: Path) -> None:
    with opened(where) as client:
        sounds = [
            {"path": str(folder / "dogs.mp3"), "external_id": "A-1", "metadata": {"rights": "all"}},
            {"path": "/nowhere.wav", "external_id": "A-2"},
            {"id": 999, "external_id": "A-3"},
        ]
        answer = client.post("/v1/descriptions", json={"sounds": sounds}).json()
        assert answer == {"described": 1, "unknown": ["/nowhere.wav", 999]}
        (found,) = client.get("/v1/sounds", params={"tag": "rights=all"}).json()["sounds"]
        assert found["external_id"] == "A-1"
        both = client.post("/v1/descriptions", json={"sounds": [{"id": 1, "path": "x"}]})
        assert both.status_code == 422
        odd = '{"metadata": {"x": "\\ud800"}}'
        answer = client.patch(
            f"/v1/sounds/{found['id']}", content=odd, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422


def test_a_root_that_vanished(where: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    with opened(where) as client:
        (hit,) = client.get("/v1/search", params={"q": "dog"}).json()["hits"]
        for part in ("audio", "audio?as=wav"):
            answer = client.get(f"/v1/sounds/{hit['id']}/{part}")
            assert answer.status_code == 404
        assert client.get(f"/v1/sounds/{hit['id']}/peaks").status_code == 422
        job = until(client, client.post("/v1/jobs", json={}).json(), "done")
        assert job["summary"]["removed"] == 0
        assert client.get("/v1/status").json()["sounds"] == 1
