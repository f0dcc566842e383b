"""Duplicates over HTTP, and folded hits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from fastapi.testclient import TestClient

from audiosearch import Library, Term
from audiosearch.remote import client as remote
from audiosearch.server import make_app
from tests.e2e.conftest import SAMPLES
from tests.server.conftest import Dogs


@pytest.fixture
def client(dogs: Dogs, tmp_path: Path) -> Iterator[TestClient]:
    """A library of a sound and two copies of it."""
    dogs(tmp_path / "sounds", tmp_path / "library")
    shutil.copy2(SAMPLES / "animals" / "dogs.mp3", tmp_path / "sounds" / "again.mp3")
    samples, rate = soundfile.read(SAMPLES / "animals" / "dogs.mp3", dtype="float32")
    soundfile.write(tmp_path / "sounds" / "dogs.wav", samples[: 5 * rate], rate, "PCM_16")
    with Library.open(tmp_path / "library") as library:
        library.add(tmp_path / "sounds")
    with TestClient(make_app(tmp_path / "library"), base_url="http://localhost") as opened:
        yield opened


def test_groups_and_folded_hits(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = client.get("/v1/duplicates").json()
    (group,) = page["groups"]
    assert (page["total"], page["offset"], page["next"]) == (1, 0, None)
    assert [sound["by"] for sound in group["sounds"]] == ["best", "sound", "sound"]
    assert group["sounds"][0]["path"].endswith("dogs.wav")
    assert client.get("/v1/duplicates", params={"offset": 1}).json()["groups"] == []
    assert client.get("/v1/duplicates", params={"format": "wav"}).json()["total"] == 0
    identical = client.get("/v1/duplicates", params={"threshold": 1}).json()["groups"]
    assert [len(one["sounds"]) for one in identical] == [2]
    for wrong in ({"threshold": 0}, {"threshold": "nan"}, {"k": 0}, {"since": "yore"}, {"x": 1}):
        assert client.get("/v1/duplicates", params=wrong).status_code == 422

    text = {"q": "dogs bark"}
    assert len(client.get("/v1/search", params=text).json()["hits"]) == 3
    for group_by, count in (("true", 2), ("near", 1)):
        hits = client.get("/v1/search", params={**text, "group": group_by}).json()["hits"]
        assert len(hits) == count
        assert sum(len(hit["copies"]) for hit in hits) == 3 - count
    body = {"terms": [{"text": "dogs bark"}], "group": "near"}
    assert client.post("/v1/search", json=body).json()["hits"] == hits
    assert client.post("/v1/search", json={**body, "group": "far"}).status_code == 422
    similar = client.get("/v1/sounds/1/similar", params={"group": "near"}).json()["hits"]
    assert len(similar) == 1

    def post(server: object, path: str, body: bytes, kind: str) -> object:
        return client.post(path, content=body, headers={"content-type": kind}).json()

    monkeypatch.setattr(remote._Server, "__call__", post)
    hits = remote.search("http://localhost", [Term(text="dogs")], group="near")
    assert [len(hit.copies) for hit in hits] == [2]
