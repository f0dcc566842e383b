"""What serves for ever: one bad job, one bad file or many that wait do not end or starve it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import Settings, jobs, make_app, pools
from indexer.lock import writer_lock
from indexer.workers import Worker
from tests.e2e.conftest import SAMPLES
from tests.effort import quick_first, thorough_only
from tests.waiting import wait_until

DOGS = SAMPLES / "animals" / "dogs.mp3"
Response = Any  # of httpx or httpx2, whichever the test client is made of
# More than any pool of threads has.
MANY = 24


@pytest.fixture
def where(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    shutil.copy(DOGS, folder)
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(folder)
    return tmp_path / "library"


@pytest.fixture
def client(where: Path) -> Iterator[TestClient]:
    with TestClient(make_app(where, Settings()), base_url="http://localhost") as opened:
        yield opened


def state(client: TestClient, job: dict[str, Any]) -> str:
    found: str = client.get(f"/v1/jobs/{job['id']}").json()["state"]
    return found


def is_done(client: TestClient, job: dict[str, Any]) -> bool:
    return state(client, job) == "done"


def start(client: TestClient) -> dict[str, Any]:
    job: dict[str, Any] = client.post("/v1/jobs", json={}).json()
    return job


def finish(client: TestClient, job: dict[str, Any]) -> None:
    wait_until(lambda: state(client, job) == "done")


# -- jobs ------------------------------------------------------------------------------------


def test_a_full_disk_does_not_end_the_jobs(where: Path, client: TestClient) -> None:
    with writer_lock(where):
        first = start(client)
        wait_until(lambda: state(client, first) == "running")
        # Its next state goes to a device that is full.
        (where / "jobs" / f"{first['id']}.new").symlink_to("/dev/full")
    wait_until(lambda: state(client, first) == "done")
    second = start(client)
    wait_until(lambda: state(client, second) == "done")


@thorough_only
def test_what_could_not_be_kept_is_kept_later(where: Path) -> None:
    """A job that is done is not done again by the next server."""
    with TestClient(make_app(where, Settings()), base_url="http://localhost") as client:
        with writer_lock(where):
            first = start(client)
            wait_until(lambda: state(client, first) == "running")
            (where / "jobs" / f"{first['id']}.new").symlink_to("/dev/full")
        wait_until(lambda: state(client, first) == "done")
        second = start(client)
        wait_until(lambda: state(client, second) == "done")
    with (
        writer_lock(where),  # one that was queued again could not be done
        TestClient(make_app(where, Settings()), base_url="http://localhost") as client,
    ):
        assert state(client, first) == "done"


def test_a_full_disk_takes_no_job(where: Path, client: TestClient) -> None:
    (where / "jobs").mkdir(exist_ok=True)
    (where / "jobs").rename(where / "elsewhere")
    (where / "jobs").write_text("in the way")
    answer = client.post("/v1/jobs", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "library-read-only")
    (where / "jobs").unlink()
    assert client.get("/v1/jobs").json()["jobs"] == []
    job = start(client)
    wait_until(lambda: state(client, job) == "done")


def test_a_forgotten_job_does_not_end_the_jobs(
    where: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_KEPT", 0)
    with writer_lock(where):
        running = start(client)
        wait_until(lambda: state(client, running) == "running")
        cancelled = start(client)
        client.delete(f"/v1/jobs/{cancelled['id']}")
        start(client)  # the cancelled one is over, and forgotten; its turn is still to come
        assert client.get(f"/v1/jobs/{cancelled['id']}").status_code == 404
        last = start(client)
    # Done, and perhaps forgotten as well by now.
    wait_until(lambda: client.get(f"/v1/jobs/{last['id']}").json().get("state", "done") == "done")


def test_no_error_of_a_job_ends_the_jobs(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is, and wherever it happens."""
    for step in ("_run", "_when_free", "_change", "_save_if_possible"):
        real = getattr(jobs.Jobs, step)
        broken = threading.Event()

        def fail(*args: Any, real: Any = real, broken: Any = broken, **named: Any) -> Any:
            if threading.current_thread().name == "jobs" and not broken.is_set():
                broken.set()
                raise RuntimeError("a defect")
            return real(*args, **named)

        monkeypatch.setattr(jobs.Jobs, step, fail)
        bad = start(client)
        wait_until(broken.is_set)
        good = start(client)
        finish(client, good)
        assert state(client, bad) in ("failed", "done")
        monkeypatch.undo()


# -- what waits ------------------------------------------------------------------------------


def answers_now(client: TestClient, path: str) -> Response:
    """The answer, which must not wait for what is held."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(client.get, path).result(timeout=600)


def quick_answers(client: TestClient) -> None:
    for path in ("/healthz", "/v1/search?q=dog", "/v1/sounds/1", "/v1/status", "/v1/jobs"):
        assert answers_now(client, path).status_code == 200


def in_hand(client: TestClient) -> int:
    """Requests that wait, probes left out."""
    lanes = [
        line.split()
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("audiosearch_requests_in_hand{") and "probes" not in line
    ]
    return sum(int(float(count)) for _, count in lanes)


@pytest.mark.parametrize("what", quick_first(["upload", "peaks", "render", "part"]))
def test_what_waits_for_a_decoder_starves_nobody(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    free = threading.Event()
    real = Worker._next

    def held(*args: Any) -> Any:
        free.wait()
        return real(*args)

    monkeypatch.setattr(Worker, "_next", held)

    def ask(number: int) -> Response:
        if what == "upload":
            return client.post("/v1/search/audio", content=DOGS.read_bytes())
        if what == "peaks":
            return client.get("/v1/sounds/1/peaks")
        if what == "render":
            return client.get("/v1/sounds/1/audio", params={"as": "wav", "start": number / 100})
        term = {"id": 1, "start": number / 100, "end": 1.0}
        return client.post("/v1/search", json={"terms": [term]})

    with ThreadPoolExecutor(MANY) as pool:
        try:
            waiting = [pool.submit(ask, number) for number in range(MANY)]
            wait_until(lambda: in_hand(client) == MANY)
            quick_answers(client)
            assert not any(future.done() for future in waiting)
        finally:
            free.set()
        assert {future.result().status_code for future in waiting} == {200}


def test_what_waits_for_the_writer_starves_nobody(
    where: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_PATIENCE", 600.0)  # they wait for as long as this test takes

    def change(number: int) -> Response:
        return client.patch("/v1/sounds/1", json={"metadata": {"number": number}})

    with ThreadPoolExecutor(MANY) as pool:
        with writer_lock(where):
            waiting: list[Future[Response]] = [pool.submit(change, n) for n in range(MANY)]
            wait_until(lambda: in_hand(client) == MANY)
            quick_answers(client)
            assert not any(future.done() for future in waiting)
        assert {future.result().status_code for future in waiting} == {200}


# -- decoders that crash ---------------------------------------------------------------------


@thorough_only
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_that_dies_costs_one_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    asked: dict[str, Callable[[], Response]] = {
        "upload": lambda: client.post("/v1/embed/audio", content=DOGS.read_bytes()),
        "label": lambda: client.post("/v1/classify/audio?label=a", content=DOGS.read_bytes()),
        "part": lambda: client.post("/v1/search", json={"terms": [{"id": 1, "start": 0.5}]}),
        "peaks": lambda: client.get("/v1/sounds/1/peaks"),
        "wav": lambda: client.get("/v1/sounds/1/audio?as=wav"),
        "opus": lambda: client.get("/v1/sounds/1/audio?as=opus"),
    }
    real = Worker._next

    def killed(worker: Worker, process: Any) -> Any:
        os.kill(process.pid, how)
        process.stdout.read()  # what it had sent already, on a machine that is slow to ask
        return real(worker, process)

    for name, ask in asked.items():
        with monkeypatch.context() as patch:
            patch.setattr(Worker, "_next", killed)
            answer = ask()
        assert (answer.status_code, answer.json().get("code")) == (422, "audio-rejected"), name
        assert f"signal {int(how)}" in answer.json()["detail"]
        assert ask().status_code == 200, name


def test_nothing_is_decoded_in_the_servers_process(
    where: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one way to a decoder is open here, by whatever function."""
    import av
    import soundfile

    def refuse(*args: Any, **named: Any) -> Any:
        raise AssertionError("it is decoded here")

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    monkeypatch.setattr(av, "open", refuse)
    body = DOGS.read_bytes()
    for path in ("/v1/search/audio", "/v1/embed/audio", "/v1/classify/audio?label=a"):
        assert client.post(path, content=body).status_code == 200
    term = {"id": 1, "start": 0.5}
    assert client.post("/v1/search", json={"terms": [term]}).status_code == 200
    labels = {"ids": [1], "labels": ["dog", "rain"]}
    assert client.post("/v1/classify", json=labels).status_code == 200
    for part in ("peaks", "audio?as=wav", "audio?as=opus&start=0.5"):
        assert client.get(f"/v1/sounds/1/{part}").status_code == 200
