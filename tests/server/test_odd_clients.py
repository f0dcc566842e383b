"""Clients that stall, ask for too much, or speak HTTP as few do: each gets an answer, a problem
document where it is refused, and none of them keeps others from theirs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import Settings, make_app, protocol
from audiosearch.server.serving import listen, make_server
from tests.e2e.conftest import SAMPLES
from tests.effort import quick_first, thorough_only
from tests.server.conftest import Dogs
from tests.waiting import wait_until

DOGS = SAMPLES / "animals" / "dogs.mp3"
EWE = SAMPLES / "animals" / "ewe.mp3"
Make = Callable[..., TestClient]


@contextmanager
def live(directory: Path, **settings: Any) -> Iterator[int]:
    """The port of a server on a socket of its own, for what only the wire can tell."""
    with serving(directory, **settings) as (_, port):
        yield port


@contextmanager
def serving(directory: Path, **settings: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    """The server too."""
    server = make_server(directory, Settings(**settings))
    with listen("127.0.0.1", 0) as listening:
        port: int = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield server, port
        finally:
            server.should_exit = True
            thread.join()


def said(port: int, request: bytes) -> bytes:
    """All that a server says to some bytes, until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=600) as client:
        client.sendall(request)
        parts = []
        while part := client.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def problem_in(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head.lower()
    assert json.loads(body)["code"] == code


def head(port: int, path: str, *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *more, "", ""]
    return "\r\n".join(lines).encode()


# -- stalled --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v1/search",
        pytest.param("/v1/jobs", marks=thorough_only),
        pytest.param("/v1/search/audio", marks=thorough_only),
        "/v1/uploads?name=a.wav",
    ],
)
def test_a_body_that_stalls_is_408(tmp_path: Path, dogs: Dogs, path: str) -> None:
    dogs(tmp_path / "sounds", tmp_path / "library")
    with live(tmp_path / "library", stalled=0.3, uploads=tmp_path / "new") as port:
        request = head(port, path, "Content-Type: application/json", "Content-Length: 50")
        problem_in(said(port, request + b'{"terms"'), 408, "too-slow")
        assert not list((tmp_path / "new").glob("*"))


def test_a_body_that_trickles_is_408(tmp_path: Path, dogs: Dogs) -> None:
    dogs(tmp_path / "sounds", tmp_path / "library")
    with (
        live(tmp_path / "library", stalled=0.5, uploads=tmp_path / "new") as port,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.sendall(head(port, "/v1/uploads?name=a.wav", "Content-Length: 100000"))
        client.settimeout(0.1)
        answer = b""
        while not answer:
            with suppress(ConnectionError):  # it is answered already, and closed
                client.sendall(b"x")
            with suppress(TimeoutError):
                answer = client.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_stalled_bodies_keep_nobody_out(directory: Path) -> None:
    """Of one client, more than there are hands."""
    with live(directory, stalled=20.0) as port:
        idle = []
        for number in range(70):
            client = socket.create_connection(("127.0.0.1", port))
            path = ("/v1/search", "/v1/jobs", "/v1/embed/audio")[number % 3]
            client.sendall(head(port, path, "Content-Length: 100"))
            idle.append(client)
        for path in ("/healthz", "/v1/search?q=rain", "/v1/sounds/1", "/readyz"):
            assert httpx.get(f"http://127.0.0.1:{port}{path}", timeout=600).status_code == 200
        body = {"terms": [{"text": "rain"}]}
        for client in idle:
            client.close()
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/search", json=body, timeout=600)
        assert answer.status_code == 200


def test_headers_that_stall(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    with live(directory) as port:
        problem_in(said(port, b"GET /healthz HTT"), 408, "too-slow")
        problem_in(said(port, b""), 408, "too-slow")
        # Here the first must not stall, nor whoever runs the test.
        monkeypatch.setattr(protocol, "HEADER_SECONDS", 2.0)
        first = head(port, "/healthz", method="GET")
        answer = said(port, first + b"GET /heal")  # a second request on one connection
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"code": "too-slow"' in answer


def test_headers_without_end(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_HEAD", 1_000)
    with live(directory) as port:
        start = head(port, "/healthz", method="GET").removesuffix(b"\r\n")
        problem_in(said(port, start + b"X: " + b"x" * 1_000), 431, "too-large")
        short = start + b"X: " + b"x" * 500 + b"\r\nConnection: close\r\n\r\n"
        assert said(port, short).startswith(b"HTTP/1.1 200 OK")


def test_connections_without_end(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens very many is refused a search, and nobody a probe."""
    monkeypatch.setattr(protocol, "CONNECTIONS", 8)
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 600.0)
    monkeypatch.setattr(protocol, "_HURRIED_SECONDS", 600.0)
    with serving(directory) as (server, port):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]

        def answer(path: str) -> httpx.Response:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=600)

        for path in ("/healthz", "/readyz", "/metrics"):
            assert answer(path).status_code == 200
        refused = answer("/v1/search?q=rain")
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert refused.headers["content-type"] == "application/problem+json"
        # Those beyond are not waited for as long.
        monkeypatch.setattr(protocol, "_HURRIED_SECONDS", 0.1)
        problem_in(said(port, b""), 408, "too-slow")
        for client in idle:
            client.close()
        wait_until(lambda: not server.server_state.connections)
        assert answer("/v1/search?q=rain").status_code == 200


def test_answers_that_nobody_reads(tmp_path: Path, dogs: Dogs) -> None:
    """They hold no connection."""
    dogs(tmp_path / "sounds", tmp_path / "library")
    with serving(tmp_path / "library", stalled=0.3) as (server, port), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(("127.0.0.1", port))
        client.sendall(head(port, "/v1/sounds/1/audio", method="GET") * 100)
        assert client.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: not server.server_state.connections)


def test_a_stream_lasts_as_long_as_it_has_to(
    tmp_path: Path, dogs: Dogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client sends nothing more, and has not stalled; nor has it where the server is slow to begin."""
    from audiosearch.server import job_routes
    from indexer.lock import writer_lock

    real = job_routes._get

    def slow(*args: Any) -> Any:
        time.sleep(0.4)  # longer than a client may stall
        return real(*args)

    monkeypatch.setattr(job_routes, "_get", slow)
    monkeypatch.setattr(job_routes, "_HEARTBEAT", 0.6)
    dogs(tmp_path / "sounds", tmp_path / "library")
    with live(tmp_path / "library", stalled=0.3) as port, writer_lock(tmp_path / "library"):
        jobs = f"http://127.0.0.1:{port}/v1/jobs"
        # Sent in one piece: between two, a slow machine stalls.
        about = ("Content-Type: application/json", "Content-Length: 2", "Connection: close")
        job = json.loads(
            said(port, head(port, "/v1/jobs", *about) + b"{}").partition(b"\r\n\r\n")[2]
        )
        beats, last = 0, ""
        with httpx.stream("GET", f"{jobs}/{job['id']}/events", timeout=600) as lines:
            for line in lines.iter_lines():
                beats += line == ":"
                if beats == 2:
                    httpx.delete(f"{jobs}/{job['id']}", timeout=600)
                last = line or last
        assert json.loads(last.removeprefix("data: "))["state"] == "cancelled"


def test_a_search_nobody_waits_for_is_not_made(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiosearch.search.engine import SearchEngine

    made, go = [], threading.Event()
    real = SearchEngine.search_many

    def recorded(self: Any, queries: Any, *args: Any, **named: Any) -> Any:
        made.append(queries)
        go.wait(600)
        return real(self, queries, *args, **named)

    monkeypatch.setattr(SearchEngine, "search_many", recorded)
    with serving(directory) as (server, port):
        hands = server.config.app.hands  # type: ignore[union-attr]
        clients = []
        # Long ones wait for a turn each, short ones for each other.
        for number, k in enumerate([500] * 8 + [1] * 8, 1):
            clients.append(socket.create_connection(("127.0.0.1", port)))
            clients[-1].sendall(head(port, f"/v1/search?q=rain+{number}&k={k}", method="GET"))
            wait_until(lambda number=number: hands.counts()["searching"] == number)  # type: ignore[misc]
        wait_until(lambda: len(made) >= min(8, os.cpu_count() or 1))  # that many at once
        begun = len(made)
        for client in clients:
            client.close()
        wait_until(lambda: not server.server_state.connections)
        go.set()
        wait_until(lambda: hands.counts()["searching"] == 0)
        assert len(made) == begun < 16
        path = f"http://127.0.0.1:{port}/v1/search?q=rain"
        assert httpx.get(path, timeout=600).status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/uploads?name=a.wav"])
def test_half_a_request_does_nothing(tmp_path: Path, dogs: Dogs, path: str) -> None:
    """What came of it may be sense: no paths are all folders."""
    dogs(tmp_path / "sounds", tmp_path / "library")
    with serving(tmp_path / "library", uploads=tmp_path / "new") as (server, port):
        hands = server.config.app.hands  # type: ignore[union-attr]
        lane = "uploading" if "uploads" in path else "receiving"
        with socket.create_connection(("127.0.0.1", port)) as client:
            kind = "Content-Type: application/json"
            client.sendall(head(port, path, kind, "Content-Length: 100") + b"{}")
            wait_until(lambda: hands.counts()[lane] == 1)
        wait_until(lambda: hands.counts()[lane] == 0)
        jobs = httpx.get(f"http://127.0.0.1:{port}/v1/jobs", timeout=600).json()["jobs"]
        assert jobs == []
        assert not list((tmp_path / "new").glob("*"))


def test_one_client_does_not_take_all_hands(served: Make) -> None:
    client = served(concurrent=4)
    hands = client.app.hands  # type: ignore[attr-defined]
    with hands.one("searching", "address testclient"), hands.one("searching", "address testclient"):
        assert client.get("/v1/status").json()["code"] == "busy"
        with hands.one("searching", "somebody else"):
            pass
        assert client.get("/healthz").status_code == 200


# -- too much -------------------------------------------------------------------------------------


def test_a_batch_has_a_limit_in_all(client: TestClient) -> None:
    query = {"terms": [{"text": "rain"}], "k": 1_000}
    answer = client.post("/v1/search/batch", json={"queries": [query] * 40})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-query")
    query["k"] = 10
    answer = client.post("/v1/search/batch", json={"queries": [query] * 40})
    assert len(answer.json()["pages"]) == 40


def test_a_batch_gives_its_turn_away(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are answered between two of its queries."""
    order = []
    from audiosearch.search.engine import SearchEngine

    real = SearchEngine.search_many
    first, asked = threading.Event(), threading.Event()

    def recorded(self: Any, queries: Any, k: int, *args: Any, **named: Any) -> Any:
        order.append(k)
        first.set()
        asked.wait(600)
        return real(self, queries, k, *args, **named)

    monkeypatch.setattr(SearchEngine, "search_many", recorded)
    turns = client.app._app._app.state.pools.searchers  # type: ignore[attr-defined]
    monkeypatch.setattr(turns, "total_tokens", 1)
    query = {"terms": [{"text": "rain"}], "k": 20}
    batch = threading.Thread(
        target=client.post, args=("/v1/search/batch",), kwargs={"json": {"queries": [query] * 8}}
    )
    batch.start()
    first.wait(600)
    one = threading.Thread(target=client.get, args=("/v1/search?q=rain&k=1",))
    one.start()
    wait_until(lambda: turns.statistics().tasks_waiting == 1)
    asked.set()
    batch.join()
    one.join()
    assert 2 in order[:4]  # k is one more than asked for


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {f"key {n}": n for n in range(494)},
        {"a": {"b": {"c": 1}}},
        {"a": None},
        {"a": [[1]]},
        {"a": "x" * 100_000},
    ],
)
def test_metadata_filters_that_cannot_be(client: TestClient, metadata: dict[str, Any]) -> None:
    body = {"terms": [{"text": "rain"}], "where": {"metadata": metadata}}
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"


@thorough_only
@pytest.mark.parametrize("path", ["/v1/export", "/v1/sounds", "/v1/facets"])
def test_a_folder_that_cannot_be(client: TestClient, path: str) -> None:
    answer = client.get(path, params={"root": "/sounds\0"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-query")


def test_next_never_leads_to_an_error(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from audiosearch.server import search_routes

    monkeypatch.setattr(search_routes, "MOST_RESULTS", 20)
    seen = 0
    offset: int | None = 0
    while offset is not None:
        answer = client.get("/v1/search", params={"q": "rain", "k": 7, "offset": offset})
        assert answer.status_code == 200
        seen += len(answer.json()["hits"])
        offset = answer.json()["next"]
    assert seen == 20


# -- HTTP as few speak it -------------------------------------------------------------------------


def test_head_is_get_without_the_body(directory: Path) -> None:
    with (
        live(directory) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):
        paths = [
            "/healthz",
            "/v1/search?q=rain",
            "/v1/sounds/1",
            "/v1/sounds/1/audio",
            "/v1/status",
            "/v1/export",
            "/v1/jobs/0/events",
        ]
        for path in [*paths, "/v1/sounds/1/peaks", "/v1/sounds/999999", "/", "/openapi.json"]:
            whole, only = client.get(path), client.head(path)
            assert only.status_code == whole.status_code
            assert only.content == b""
            for name in ("content-type", "content-length", "etag"):
                assert only.headers.get(name) == whole.headers.get(name), (path, name)


def test_what_is_known_is_304(client: TestClient) -> None:
    paths = [
        "/v1/sounds/1",
        "/v1/sounds/1/audio",
        "/v1/sounds/1/peaks",
        "/v1/sounds/1/audio?as=wav",
    ]
    for path in [*paths, "/"]:
        tag = client.get(path).headers["etag"].removeprefix("W/")
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            if path == "/" and known != tag:
                continue  # the page's files have their own rules
            answer = client.get(path, headers={"If-None-Match": known})
            assert answer.status_code == 304, (path, known)
            assert answer.content == b""
            assert answer.headers["etag"].removeprefix("W/") == tag
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [("bytes=99999999-", 416), ("bytes=a-b", 400), ("lines=1-2", 400), ("x", 400)],
)
def test_bad_ranges_are_problems(client: TestClient, given: str, status: int) -> None:
    answer = client.get("/v1/sounds/1/audio", headers={"Range": given})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    if status == 416:
        assert answer.headers["content-range"].startswith("bytes */")


def test_two_hosts_are_400(directory: Path) -> None:
    with live(directory) as port:
        request = head(port, "/healthz", "Host: localhost", "Connection: close", method="GET")
        problem_in(said(port, request), 400, "bad-request")


def test_what_is_no_http_is_400(directory: Path) -> None:
    with live(directory) as port:
        problem_in(said(port, b"GARBAGE\r\n\r\n"), 400, "bad-request")


def test_other_protocols_are_not_spoken(directory: Path) -> None:
    with live(directory) as port:
        more = ("Upgrade: websocket", "Connection: Upgrade, close", "Sec-WebSocket-Version: 13")
        request = head(port, "/healthz", *more, "Sec-WebSocket-Key: eA==", method="GET")
        assert said(port, request).startswith(b"HTTP/1.1 200 OK")


# -- uploads and jobs -----------------------------------------------------------------------------


def test_forms_are_refused(served: Make, tmp_path: Path) -> None:
    client = served(uploads=tmp_path / "new")
    for path in ("/v1/uploads?name=a.mp3", "/v1/search/audio", "/v1/embed/audio"):
        answer = client.post(path, files={"file": ("a.mp3", EWE.read_bytes())})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    assert not list(tmp_path.rglob("*.mp3"))


def test_names_of_no_sound_are_refused_at_once(
    served: Make, tmp_path: Path, directory: Path
) -> None:
    client = served(uploads=tmp_path / "new")
    before = client.get("/v1/jobs").json()
    for name in ("x.txt", "x", "wav"):
        answer = client.post("/v1/uploads", params={"name": name}, content=b"x")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-query")
    text = SAMPLES / "manifest.csv"
    answer = client.post("/v1/jobs", json={"paths": [str(text)]})
    assert answer.status_code == 422
    assert client.get("/v1/jobs").json() == before


def test_limits_of_uploads_and_changes_agree(served: Make, tmp_path: Path) -> None:
    client = served(uploads=tmp_path / "new")
    wrong: tuple[dict[str, Any], ...] = (
        {"external_id": "x" * 1_001},
        {"external_id": ""},
        {"metadata": {"a": "x" * 20_000}},
    )
    for about in wrong:
        texts = {n: json.dumps(v) if n == "metadata" else v for n, v in about.items()}
        upload = client.post("/v1/uploads", params={"name": "a.mp3", **texts}, content=b"x")
        assert upload.status_code == 422
        assert client.patch("/v1/sounds/1", json=about).status_code == 422
        assert client.post("/v1/jobs", json=about).status_code == 422
        many = client.post("/v1/descriptions", json={"sounds": [{"id": 1, **about}]})
        assert many.status_code == 422
    assert not list(tmp_path.rglob("*.mp3"))


def test_one_id_is_one_sounds(client: TestClient) -> None:
    for paths in ([], [str(SAMPLES / "fire")], [str(DOGS), str(EWE)]):
        answer = client.post("/v1/jobs", json={"paths": paths, "external_id": "A-1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-query")


@pytest.mark.parametrize("delete", quick_first([False, True]))
def test_a_deleted_upload_stays_deleted(tmp_path: Path, delete: bool) -> None:
    (tmp_path / "sounds").mkdir()
    shutil.copy(DOGS, tmp_path / "sounds")
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(tmp_path / "sounds")
    app = make_app(tmp_path / "library", Settings(uploads=tmp_path / "new"))
    with TestClient(app, base_url="http://localhost") as client:

        def done(job: dict[str, Any]) -> dict[str, Any]:
            while job["state"] in ("queued", "running"):
                time.sleep(0.02)
                job = client.get(f"/v1/jobs/{job['id']}").json()
            assert job["state"] == "done"
            return job

        upload = client.post("/v1/uploads", params={"name": "ewe.mp3"}, content=EWE.read_bytes())
        done(upload.json())
        (sound,) = client.get("/v1/sounds", params={"path": "ewe.mp3"}).json()["sounds"]
        answer = client.delete(f"/v1/sounds/{sound['id']}", params={"file": delete})
        assert answer.status_code == 204
        done(client.post("/v1/jobs", json={"prune": True}).json())
        assert client.get("/v1/sounds", params={"path": "ewe.mp3"}).json()["sounds"] == []
        left = [file.read_bytes() for file in (tmp_path / "new").rglob("*.mp3")]
        assert left == ([] if delete else [EWE.read_bytes()])
        # A file that is not the server's own is not its to delete.
        other = client.delete("/v1/sounds/1", params={"file": True})
        assert (other.status_code, other.json()["code"]) == (409, "not-an-upload")
        assert (tmp_path / "sounds" / "dogs.mp3").exists()
        assert client.get("/v1/sounds/1").status_code == 200
