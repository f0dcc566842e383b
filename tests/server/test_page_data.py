"""What the page needs beside searches: pictures, suggestions, folders, tags, rights, weak hits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.audio.spectrogram import part_of
from audiosearch.remote import keys
from audiosearch.server import Settings, make_app
from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.waiting import wait_until

Make = Callable[..., TestClient]


def test_spectrograms(client: TestClient) -> None:
    place = "/v1/sounds/1/spectrogram"
    drawn = client.get(place, params={"columns": 64, "rows": 32, "start": 0.5, "end": 1})
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")
    assert drawn.headers["x-start"] == "0.5"
    assert part_of(drawn.content)[1] == pytest.approx(1)
    etag = {"if-none-match": drawn.headers["etag"]}
    same = client.get(
        place, params={"columns": 64, "rows": 32, "start": 0.5, "end": 1}, headers=etag
    )
    assert same.status_code == 304
    for params, status in (
        ({"columns": 8}, 422),
        ({"start": 2, "end": 1}, 422),
        ({"start": 900}, 422),
        ({"more": 1}, 422),
    ):
        assert client.get(place, params=params).status_code == status
    assert client.get("/v1/sounds/1000/spectrogram").status_code == 404


def test_weak_pages(client: TestClient) -> None:
    real = client.get(
        "/v1/search", params={"q": "dog barking", "fields": "id,weak,loudness"}
    ).json()
    assert real["weak"] is False
    assert real["hits"][0]["weak"] is False
    assert real["hits"][0]["loudness"] < 0
    made_up = client.get("/v1/search", params={"q": "zzyzx", "match": "sound", "k": 2}).json()
    assert made_up["weak"] is True
    following: dict[str, Any] = {"q": "zzyzx", "match": "sound", "k": 2, "offset": 2}
    assert client.get("/v1/search", params=following).json()["weak"] is True


def test_suggestions_folders_and_tags(client: TestClient) -> None:
    suggestions = client.get("/v1/suggestions", params={"k": 3})
    assert len(suggestions.json()["suggestions"]) == 3
    etag = {"if-none-match": suggestions.headers["etag"]}
    assert client.get("/v1/suggestions", params={"k": 3}, headers=etag).status_code == 304
    (root,) = client.get("/v1/folders").json()["folders"]
    assert (root["path"], root["name"], root["sounds"]) == (str(SAMPLES), "sample_library", 61)
    below = client.get("/v1/folders", params={"parent": root["path"]}).json()["folders"]
    assert root["folders"] == len(below)
    assert sum(folder["sounds"] for folder in below) == 61
    animals = next(folder for folder in below if folder["name"] == "animals")
    assert animals["folders"] == 0
    assert (
        animals["sounds"]
        == client.get("/v1/facets", params={"root": animals["path"]}).json()["sounds"]
    )
    assert client.get("/v1/folders", params={"parent": animals["path"]}).json()["folders"] == []
    above = client.get("/v1/folders", params={"parent": str(SAMPLES.parent)}).json()["folders"]
    assert [folder["sounds"] for folder in above] == [61]
    assert client.get("/v1/folders", params={"parent": "/nowhere"}).json()["folders"] == []
    tags = client.get("/v1/tags", params={"k": 2}).json()["tags"]
    assert all(len(tag["values"]) <= 2 for tag in tags)
    for value in tags[0]["values"]:
        tag = f"{tags[0]['key']}={value['value']}"
        counted = client.get("/v1/facets", params={"tag": tag}).json()["sounds"]
        assert counted >= value["sounds"] > 0  # the filter also takes what lies within


def test_parts_to_keep(client: TestClient) -> None:
    part: dict[str, Any] = {"as": "wav", "start": 0.25, "end": 0.5, "download": True}
    kept = client.get("/v1/sounds/1/audio", params=part).headers["content-disposition"]
    assert kept.startswith("attachment")
    assert "0.250-0.500.wav" in kept
    whole = client.get("/v1/sounds/1/audio", params={"download": True})
    assert whole.headers["content-disposition"].startswith("attachment")
    assert (
        "content-disposition" not in client.get("/v1/sounds/1/audio", params={"as": "wav"}).headers
    )


@thorough_only
def test_a_long_sound_is_drawn_finely(tmp_path: Path, dogs: Callable[[Path, Path], None]) -> None:
    """A click of one sample in half an hour has its own place at every zoom."""
    dogs(tmp_path / "sounds", tmp_path / "library")
    samples = np.zeros(16_000 * 1_800, np.float32)
    samples[16_000 * 1_000 + 8_000] = 0.5
    samples[:16_000] = 0.1
    soundfile.write(tmp_path / "sounds" / "long.flac", samples, 16_000)
    with Library.open(tmp_path / "library") as library:
        library.add(tmp_path / "sounds")
        number = library.sound(tmp_path / "sounds" / "long.flac").id
        assert library.peaks(number).frames > 256
    with TestClient(make_app(tmp_path / "library"), base_url="http://localhost") as opened:
        zoomed = {"start": 1_000, "end": 1_001, "columns": 64}
        drawn = opened.get(f"/v1/sounds/{number}/peaks", params=zoomed).json()
        assert drawn["start"] == 1_000
        (place,) = np.flatnonzero(drawn["high"])
        assert place * drawn["seconds"] <= 0.5 < (place + 1) * drawn["seconds"]


def test_sessions_and_new_folders(tmp_path: Path, dogs: Callable[[Path, Path], None]) -> None:
    """A folder is added where the server was told to allow it, by those who may write."""
    dogs(tmp_path / "sounds", tmp_path / "library")
    fires = tmp_path / "open" / "fires"
    fires.mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    shutil.copy(SAMPLES / "fire" / "campfire.ogg", fires)
    (tmp_path / "open" / "way out").symlink_to(tmp_path / "closed")
    library = tmp_path / "library"
    settings = Settings(need_key=True, folders=(tmp_path / "open",))
    secrets = {scope: keys.make_key(library, scope, scope) for scope in keys.SCOPES}
    with TestClient(make_app(library, settings), base_url="http://localhost") as opened:
        assert opened.get("/v1/session").status_code == 401
        read = {"authorization": f"Bearer {secrets['read']}"}
        write = {"authorization": f"Bearer {secrets['write']}"}
        assert opened.get("/v1/session", headers=read).json() == {
            "scope": "read",
            "add_folders": [],
            "uploads": False,
        }
        session = opened.get("/v1/session", headers=write).json()
        assert session["add_folders"] == [str(tmp_path / "open")]
        for path in ("closed", "open/way out"):
            job = {"paths": [str(tmp_path / path)]}
            assert opened.post("/v1/jobs", json=job, headers=write).status_code == 422
        job = {"paths": [str(fires)]}
        assert opened.post("/v1/jobs", json=job, headers=read).status_code == 403
        started = opened.post("/v1/jobs", json=job, headers=write)
        assert started.status_code == 202
        place = started.headers["location"]

        def done() -> bool:
            return bool(opened.get(place, headers=read).json()["state"] == "done")

        wait_until(done)
        folders = opened.get("/v1/folders", headers=read).json()["folders"]
        assert [folder["name"] for folder in folders] == ["fires", "sounds"]


def test_no_folder_can_be_added_by_default(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/v1/session").json() == {
        "scope": "write",
        "add_folders": [],
        "uploads": False,
    }
    assert client.post("/v1/jobs", json={"paths": [str(tmp_path)]}).status_code == 422
