"""Heads over HTTP: trained on metadata, listed, used, removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import make_app
from tests.e2e.conftest import SAMPLES


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, sample_directory: Path
) -> Iterator[TestClient]:
    """A server over a copy of the library, some sounds of which have a kind."""
    directory = tmp_path_factory.mktemp("headed") / "library"
    shutil.copytree(sample_directory, directory)
    with Library.open(directory) as library:
        for kind, folder in (("beast", "animals"), ("machine", "vehicles"), ("sky", "weather")):
            sounds = library.sounds(where={"path": f"*/{folder}/*"})
            library.describe_many([(sound.id, None, {"kind": kind}) for sound in sounds])
    with TestClient(make_app(directory), base_url="http://localhost") as opened:
        yield opened


def test_a_head_from_training_to_removal(client: TestClient) -> None:
    made = client.put("/v1/heads/kinds", json={"field": "kind", "folds": 2})
    assert made.status_code == 200, made.text
    assert made.json()["labels"] == ["beast", "machine", "sky"]
    assert client.get("/v1/heads").json()["heads"] == [made.json()]
    assert client.get("/v1/heads/kinds").json()["facts"]["figures"]["folds"] == 2
    (dogs,) = client.get("/v1/sounds", params={"path": "*/dogs.mp3"}).json()["sounds"]
    asked = {"ids": [dogs["id"]], "head": "kinds"}
    (stored,) = client.post("/v1/classify", json=asked).json()["sounds"]
    assert stored["labels"][0]["label"] == "beast"
    body = (SAMPLES / "animals" / "dogs.mp3").read_bytes()
    sent = client.post("/v1/classify/audio", params={"head": "kinds"}, content=body).json()
    assert sent["labels"][0]["label"] == "beast"
    asked_for: dict[str, str | int] = {"q": "something", "k": 99, "head": "kinds=beast>0.5"}
    hits = client.get("/v1/search", params=asked_for).json()["hits"]
    assert dogs["id"] in [hit["id"] for hit in hits]
    assert len(hits) < 61
    where = {"terms": [{"text": "x"}], "k": 99, "where": {"head": ["kinds=beast>0.5"]}}
    assert len(client.post("/v1/search", json=where).json()["hits"]) == len(hits)
    assert client.delete("/v1/heads/kinds").status_code == 204
    assert client.get("/v1/heads/kinds").json()["code"] == "head-not-found"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/heads/none", None, 404, "head-not-found"),
        ("DELETE", "/v1/heads/none", None, 404, "head-not-found"),
        ("PUT", "/v1/heads/x", {"field": "nothing"}, 422, "invalid-query"),
        ("PUT", "/v1/heads/x", {"field": "/etc"}, 422, "invalid-query"),
        ("PUT", "/v1/heads/x", {"fields": "kind"}, 422, "invalid-request"),
        ("PUT", "/v1/heads/a%20b", {"field": "kind"}, 422, "invalid-query"),
        ("POST", "/v1/classify", {"ids": [1]}, 422, "invalid-query"),
        ("POST", "/v1/classify", {"ids": [1], "head": "none"}, 404, "head-not-found"),
        ("GET", "/v1/search?q=x&head=none%3Ddog", None, 404, "head-not-found"),
        ("GET", "/v1/search?q=x&head=dog", None, 422, "invalid-query"),
    ],
)
def test_errors(
    client: TestClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
