"""Keys, names, origins and limits."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from audiosearch import AudioSearchError
from audiosearch.remote import keys
from audiosearch.server.guard import Guard

Make = Callable[..., TestClient]


@pytest.fixture
def secrets(directory: Path) -> Iterator[dict[str, str]]:
    yield {scope: keys.make_key(directory, scope, scope) for scope in keys.SCOPES}
    (directory / "keys.json").unlink()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_keys_are_kept_as_hashes(directory: Path, secrets: dict[str, str]) -> None:
    file = directory / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(secret in file.read_text() for secret in secrets.values())
    assert [key.name for key in keys.load_keys(directory)] == ["read", "write"]
    with pytest.raises(AudioSearchError, match="already"):
        keys.make_key(directory, "read", "read")
    with pytest.raises(AudioSearchError, match="no key named"):
        keys.revoke_key(directory, "nobody")
    kept = file.read_text()
    file.write_text("[{]")
    with pytest.raises(AudioSearchError, match="damaged"):
        keys.load_keys(directory)
    file.write_text(kept)


def test_scopes(served: Make, directory: Path, secrets: dict[str, str]) -> None:
    client = served(need_key=True)
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 200
    for path in ("/v1/search?q=rain", "/v1/status", "/metrics", "/v1/sounds/1/audio"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get(path, headers=bearer("as_wrong")).status_code == 401
        for secret in secrets.values():
            assert client.get(path, headers=bearer(secret)).status_code == 200
    body = {"terms": [{"text": "rain"}]}
    for path, asked in {
        "/v1/search": body,
        "/v1/search/batch": {"queries": [body]},
        "/v1/facets": body,
        "/v1/classify": {"ids": [1], "labels": ["rain"]},
        "/v1/embed": {"texts": ["rain"]},
    }.items():
        answer = client.post(path, json=asked, headers=bearer(secrets["read"]))
        assert answer.status_code == 200, answer.text
    change = {"metadata": {"a": 1}}
    refused = client.patch("/v1/sounds/1", json=change, headers=bearer(secrets["read"]))
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope"
    for path in ("/v1/jobs", "/v1/uploads?name=a", "/v1/descriptions", "/v1/searchx"):
        answer = client.post(path, json={}, headers=bearer(secrets["read"]))
        assert answer.status_code == 403
    allowed = client.patch("/v1/sounds/1", json=change, headers=bearer(secrets["write"]))
    assert allowed.json()["metadata"] == {"a": 1}
    keys.revoke_key(directory, "write")
    assert client.get("/v1/status", headers=bearer(secrets["write"])).status_code == 401


def test_keys_expire(served: Make, directory: Path, secrets: dict[str, str]) -> None:
    passing = keys.make_key(directory, "passing", "read", days=1 / 86_400)
    lasting = keys.make_key(directory, "lasting", "read", days=1)
    client = served(need_key=True)
    end = next(key.expires for key in keys.load_keys(directory) if key.name == "passing")
    assert end
    while datetime.now(UTC) < datetime.fromisoformat(end):
        time.sleep(0.05)
    answer = client.get("/v1/status", headers=bearer(passing))
    assert (answer.status_code, answer.json()["code"]) == (401, "key-needed")
    for secret in (lasting, *secrets.values()):  # those of older versions never do
        assert client.get("/v1/status", headers=bearer(secret)).status_code == 200
    for days in (0, -1, float("nan"), 1e9):
        with pytest.raises(AudioSearchError, match="expires after"):
            keys.make_key(directory, "odd", "read", days=days)


def test_the_page_keeps_a_key_in_a_cookie(served: Make, secrets: dict[str, str]) -> None:
    client = served(need_key=True)
    assert client.post("/v1/session").status_code == 401
    answer = client.post("/v1/session", headers=bearer(secrets["read"]))
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/v1/sounds/1/audio").status_code == 200
    client.cookies.set("audiosearch_key", "as_wrong")
    client.cookies.set("odd", '"\\')


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::2]", "x:80:80"])
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/v1/status", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["code"] == "wrong-name"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8321", "[::1]:9"])
def test_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_other_origins_change_nothing(client: TestClient, served: Make) -> None:
    evil = {"Origin": "https://evil.example"}
    change = client.patch("/v1/sounds/1", json={"metadata": {}}, headers=evil)
    assert change.status_code == 403
    assert change.json()["code"] == "cross-origin"
    null = client.post("/v1/jobs", json={}, headers={"Origin": "null"})
    assert null.status_code == 403
    read = client.get("/v1/search?q=rain", headers=evil)
    assert "access-control-allow-origin" not in read.headers
    own = client.patch("/v1/sounds/1", json={}, headers={"Origin": "http://localhost"})
    assert own.status_code == 200
    friend = {"Origin": "https://mam.example"}
    allowing = served(origins=("https://mam.example",))
    answer = allowing.get("/v1/search?q=rain", headers=friend)
    assert answer.headers["access-control-allow-origin"] == "https://mam.example"
    preflight = allowing.options("/v1/search", headers=friend)
    assert preflight.status_code == 204
    assert "access-control-allow-origin" not in allowing.get("/healthz", headers=evil).headers


def test_sizes(served: Make) -> None:
    client = served(most_body=1_000, most_upload=10_000)
    body = {"terms": [{"text": "x" * 2_000}]}
    assert client.post("/v1/search", json=body).json()["code"] == "too-large"
    declared = client.post("/v1/embed/audio", content=b"x" * 10_001)
    assert declared.status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 1_000

    for path in ("/v1/embed/audio", "/v1/search", "/v1/jobs"):
        undeclared = client.post(path, content=parts())
        assert undeclared.status_code == 413
        assert undeclared.headers["content-type"] == "application/problem+json"
    lying = client.post("/v1/search", content=b"{}", headers={"Content-Length": "-1"})
    assert lying.status_code == 413


def test_rates(served: Make) -> None:
    client = served(per_second=0.001)
    assert client.get("/v1/status").status_code == 200
    answer = client.get("/v1/status")
    assert answer.status_code == 429
    for path in ("/healthz", "/readyz", "/metrics"):  # probes are let in
        assert client.get(path).status_code == 200
    assert 900 < int(answer.headers["retry-after"]) <= 1_000


def test_hands_full(served: Make) -> None:
    client = served(concurrent=1)
    guard = client.app
    assert isinstance(guard, Guard)
    with guard.hands.one("searching", "somebody"):
        answer = client.get("/v1/status")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        # What waits for something else has hands of its own, and probes need none.
        assert client.patch("/v1/sounds/1", json={}).status_code == 200
        assert client.get("/v1/sounds/1/peaks").status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 200
    assert client.get("/v1/status").status_code == 200
    with guard.hands.one("decoding", "somebody"):  # an id is no route
        assert client.patch("/v1/sounds/external:a%2Faudio", json={}).status_code == 404
    assert not any(guard.hands.counts().values())


def test_the_log_and_the_counts(served: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = served(access_log=True)
    with caplog.at_level(logging.INFO, "audiosearch.access"):
        client.get("/v1/search?q=secret+words", headers=bearer("as_secret"))
        client.get("/v1/sounds/123456")
    lines = [
        json.loads(record.message) for record in caplog.records if record.name.endswith("access")
    ]
    assert [line["status"] for line in lines] == [200, 404]
    assert "secret" not in json.dumps(lines)
    text = client.get("/metrics").text
    route = 'route="/v1/sounds/{sound_id}"'
    assert f'audiosearch_requests_total{{method="GET",{route},status="404"}} 1.0' in text
    assert "audiosearch_sounds 61.0" in text


def test_the_log_says_what_was_refused_and_what_changed(
    served: Make, secrets: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client = served(access_log=True, need_key=True, per_second=0.001)
    with caplog.at_level(logging.INFO, "audiosearch.access"):
        client.get("/v1/status", headers=bearer("as_wrong"))
        client.patch("/v1/sounds/1", json={}, headers=bearer(secrets["write"]))
        client.get("/v1/status", headers=bearer(secrets["write"]))
        client.patch("/v1/sounds/1", json={}, headers=bearer(secrets["read"]))
    lines = [
        json.loads(record.message) for record in caplog.records if record.name.endswith("access")
    ]
    told = [(line["status"], line.get("code"), line.get("scope")) for line in lines]
    assert told == [
        (401, "key-needed", None),
        (200, None, "write"),
        (429, "too-many-requests", "write"),
        (403, "scope", "read"),
    ]
    assert [line.get("changes", False) for line in lines] == [False, True, False, True]
    assert lines[1]["client"] == "key write"
