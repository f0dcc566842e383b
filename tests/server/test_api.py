"""The HTTP service over sample_library."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server.serving import listen
from tests.e2e.conftest import COMMAND, SAMPLES
from tests.effort import thorough_only
from tests.serving import free_port, is_ready
from tests.waiting import wait_until

PAGE_FILES = Path(__file__).parents[2] / "audiosearch" / "server" / "page"


def test_search_is_that_of_the_library(client: TestClient, directory: Path) -> None:
    answer = client.get("/v1/search", params={"q": "campfire crackling", "k": 5})
    assert answer.status_code == 200
    page = answer.json()
    with Library.open(directory) as library:
        hits = library.search("campfire crackling", k=5)
    assert [(h["path"], h["score"]) for h in page["hits"]] == [(h.path, h.score) for h in hits]
    assert page["hits"][0]["path"].endswith("campfire.ogg")
    assert {"rank", "percentile", "start", "end", "duration"} <= page["hits"][0].keys()


def test_pages_make_up_the_ranking(client: TestClient) -> None:
    whole = client.get("/v1/search", params={"q": "rain", "k": 20}).json()["hits"]
    parts: list[dict[str, Any]] = []
    offset = 0
    while len(parts) < 20:
        page = client.get("/v1/search", params={"q": "rain", "k": 7, "offset": offset}).json()
        parts += page["hits"]
        offset = page["next"]
    assert parts[:20] == whole
    last = client.get("/v1/search", params={"q": "rain", "k": 900}).json()
    assert last["next"] is None
    past = client.get("/v1/search", params={"q": "rain", "offset": 500}).json()
    assert past["hits"] == []


def test_mixtures_and_filters(client: TestClient) -> None:
    asked: dict[str, str | int] = {"q": "campfire crackling", "k": 1}
    fire = client.get("/v1/search", params=asked).json()["hits"][0]
    body = {"terms": [{"id": fire["id"]}, {"text": "rain", "weight": -0.5}], "k": 3}
    assert client.post("/v1/search", json=body).json()["hits"][0]["id"] == fire["id"]
    body["where"] = {"format": ["flac"]}
    found = client.post("/v1/search", json=body).json()["hits"]
    assert found
    assert {hit["format"] for hit in found} == {"flac"}
    found = client.get("/v1/search", params={"q": "fire", "format": ["wav", "mp3"]}).json()["hits"]
    assert {hit["format"] for hit in found} == {"wav", "mp3"}


def test_sounds_and_their_audio(client: TestClient) -> None:
    hit = client.get("/v1/search", params={"q": "campfire", "k": 1}).json()["hits"][0]
    sound = client.get(f"/v1/sounds/{hit['id']}").json()
    assert sound["path"] == hit["path"]
    data = Path(hit["path"]).read_bytes()
    whole = client.get(f"/v1/sounds/{hit['id']}/audio")
    assert whole.content == data
    assert whole.headers["content-type"] == "audio/ogg"
    part = client.get(f"/v1/sounds/{hit['id']}/audio", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == data[10:20]
    near = client.get(f"/v1/sounds/{hit['id']}/similar", params={"k": 2}).json()["hits"]
    assert near[0]["id"] == hit["id"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/search", 422, "invalid-request"),
        ("/v1/search?q=", 422, "invalid-query"),
        ("/v1/search?q=!!!", 422, "invalid-query"),
        ("/v1/search?q=x&k=0", 422, "invalid-request"),
        ("/v1/search?q=x&k=1001", 422, "invalid-request"),
        ("/v1/search?q=x&k=1000&offset=1000", 422, "invalid-query"),
        ("/v1/search?q=x&nothing=1", 422, "invalid-request"),
        ("/v1/search?q=x&since=never", 422, "invalid-query"),
        ("/v1/search?q=" + "x" * 10_001, 422, "invalid-request"),
        ("/v1/sounds/999999", 404, "sound-not-found"),
        ("/v1/sounds/999999/audio", 404, "sound-not-found"),
        ("/v1/sounds/x", 422, "invalid-request"),
        ("/v1/sounds/9223372036854775808", 422, "invalid-request"),
        ("/nowhere", 404, "not-found"),
        ("/../pyproject.toml", 404, "not-found"),
        ("/%2e%2e/%2e%2e/pyproject.toml", 404, "not-found"),
    ],
)
def test_errors_are_problem_documents(
    client: TestClient, path: str, status: int, code: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["detail"]


def test_terms_have_a_limit(client: TestClient) -> None:
    body = {"terms": [{"text": "rain"}] * 10_000}
    assert client.post("/v1/search", json=body).status_code == 422
    assert client.post("/v1/search", json={"terms": []}).status_code == 422
    assert client.post("/v1/search", content=b"{").status_code == 422


def test_other_names_of_this_machine_get_nothing(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    size = 0
    for name in ["", *(file.name for file in PAGE_FILES.iterdir() if file.suffix != ".html")]:
        part = client.get(f"/{name}")
        assert part.status_code == 200
        assert not re.search(r"(https?:)?//[a-z]", part.text.replace("// ", ""))
        size += len(part.content)
    assert size < 250_000


def test_openapi(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert {"/v1/search", "/v1/sounds/{sound_id}", "/v1/status", "/healthz"} <= described[
        "paths"
    ].keys()


def test_new_sounds_appear(client: TestClient, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "n\udce9w.mp3").write_bytes((SAMPLES / "animals" / "ewe.mp3").read_bytes())
    with Library.open(directory) as library:
        library.add(tmp_path / "new")
        found = client.get("/v1/search", params={"q": "sheep", "root": str(tmp_path / "new")})
        assert found.json()["hits"][0]["path"] == str(tmp_path / "new" / "n\udce9w.mp3")
        library.remove(tmp_path / "new")


def test_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY each waits 40 ms for an acknowledgement."""

    async def option() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found = writer.get_extra_info("socket")
            accepted.set_result(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen("127.0.0.1", 0) as listening:
            async with await asyncio.start_server(answer, sock=listening):
                _, writer = await asyncio.open_connection(*listening.getsockname())
                found = await accepted
                writer.close()
        return found

    assert asyncio.run(option()) != 0


@thorough_only
def test_the_command(directory: Path) -> None:
    port = free_port()
    command: list[str | Path] = [COMMAND, "serve", "-L", directory, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_until(lambda: is_ready(port), process)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=600).json() == {"status": "ok"}
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=600).json() == {
            "status": "ready"
        }
        asked: list[str | Path] = [COMMAND, "query", "dog barking", "--not", "rain"]
        asked += ["--format", "mp3", "--json"]
        here, there = (
            subprocess.run([*asked, *where], capture_output=True, text=True, check=True).stdout
            for where in (["-L", directory], ["--server", f"http://127.0.0.1:{port}/"])
        )
        assert here == there != ""
        like: list[str | Path] = ["--like", SAMPLES / "animals" / "cattle.mp3"]
        like += ["--paths", "-k", "1"]
        asked = [COMMAND, "query", *like, "--server", f"http://127.0.0.1:{port}"]
        assert b"cattle.mp3" in subprocess.run(asked, capture_output=True, check=True).stdout
        taken = subprocess.run(command, capture_output=True, text=True, check=False)
        assert taken.returncode == 1
        assert "choose another with --port" in taken.stderr.splitlines()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait() in (0, -signal.SIGTERM)
    gone = subprocess.run(asked, capture_output=True, check=False)
    assert gone.returncode == 1
    assert b"does not answer" in gone.stderr
    elsewhere = subprocess.run(
        [*command, "--host", "0.0.0.0"], capture_output=True, text=True, check=False
    )
    assert elsewhere.returncode == 1
    assert "--name" in elsewhere.stderr
