"""Collections and saved searches over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from audiosearch.remote import keys
from audiosearch.server import Settings, make_app


@pytest.fixture
def library(directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(directory, tmp_path / "library"))


@pytest.fixture
def own(library: Path) -> Iterator[TestClient]:
    with TestClient(make_app(library), base_url="http://localhost") as opened:
        yield opened


def test_a_collection_from_beginning_to_end(own: TestClient) -> None:
    made = own.post("/v1/collections", json={"name": "Häfen"})
    assert made.status_code == 201
    place = made.headers["location"]
    assert own.post("/v1/collections", json={"name": "Häfen"}).json()["code"] == "name-taken"
    added = own.post(f"{place}/sounds", json={"ids": [3, 1, 2]})
    assert added.json()["sounds"] == 3
    # Another client that read it before does not overwrite.
    stale = {"if-match": made.headers["etag"]}
    for refused in (
        own.post(f"{place}/sounds", json={"ids": [4]}, headers=stale),
        own.post(f"{place}/remove", json={"ids": [1]}, headers=stale),
        own.patch(place, json={"name": "X"}, headers=stale),
        own.delete(place, headers=stale),
    ):
        assert (refused.status_code, refused.json()["code"]) == (412, "changed-meanwhile")
    fresh = {"if-match": added.headers["etag"]}
    moved = own.post(f"{place}/sounds", json={"ids": [2], "before": 3}, headers=fresh)
    assert moved.status_code == 200
    first = own.get(f"{place}/sounds", params={"k": 2, "fields": "id"}).json()
    assert [sound["id"] for sound in first["sounds"]] == [2, 3]
    rest = own.get(f"{place}/sounds", params={"k": 2, "after": first["next"]}).json()
    assert ([sound["id"] for sound in rest["sounds"]], rest["next"]) == ([1], None)
    assert own.post(f"{place}/remove", json={"ids": [3, 99]}).json()["sounds"] == 2
    playlist = own.get(f"{place}/export", params={"format": "m3u8"})
    assert playlist.text.startswith("#EXTM3U\n")
    assert "attachment" in playlist.headers["content-disposition"]
    listed = own.get("/v1/collections")
    assert [one["name"] for one in listed.json()["collections"]] == ["Favourites", "Häfen"]
    etag = {"if-none-match": listed.headers["etag"]}
    assert own.get("/v1/collections", headers=etag).status_code == 304
    holding = own.get("/v1/sounds/2/collections").json()["collections"]
    assert [one["name"] for one in holding] == ["Häfen"]
    assert own.delete(place).status_code == 204
    assert own.get(place).json()["code"] == "collection-not-found"
    assert own.get("/v1/collections", headers=etag).status_code == 200


def test_the_favourites_stay(own: TestClient) -> None:
    for refused in (
        own.delete("/v1/collections/1"),
        own.patch("/v1/collections/1", json={"name": "Mine"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "favourites-stay")
    assert own.post("/v1/collections/1/sounds", json={"ids": [10**6]}).status_code == 404
    assert own.post("/v1/collections/1/sounds", json={"ids": []}).status_code == 422
    assert own.get("/v1/collections/7/export").status_code == 404


def test_saved_searches(own: TestClient) -> None:
    query = {"q": "rain", "filters": {"format": ["wav"]}}
    saved = own.post("/v1/searches", json={"name": "Regen", "query": query})
    assert (saved.status_code, saved.json()["query"]) == (201, query)
    place, etag = saved.headers["location"], {"if-match": saved.headers["etag"]}
    assert own.patch(place, json={"name": "Rain"}, headers=etag).json()["name"] == "Rain"
    assert own.delete(place, headers=etag).status_code == 412
    assert [one["name"] for one in own.get("/v1/searches").json()["searches"]] == ["Rain"]
    assert own.delete(place).status_code == 204
    assert own.delete(place).status_code == 404


def test_a_reading_key_reads(library: Path) -> None:
    secret = keys.make_key(library, "reader", "read")
    settings = Settings(need_key=True)
    with TestClient(make_app(library, settings), base_url="http://localhost") as client:
        client.headers["authorization"] = f"Bearer {secret}"
        assert client.get("/v1/collections").status_code == 200
        for refused in (
            client.post("/v1/collections", json={"name": "X"}),
            client.post("/v1/collections/1/sounds", json={"ids": [1]}),
            client.post("/v1/searches", json={"name": "X", "query": {}}),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "scope")
