"""A server that stays open while another process switches its library's model."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.models.registry import find_bundle
from audiosearch.server import Settings, make_app
from tests.e2e.conftest import COMMAND, SAMPLES

CAMPFIRE = SAMPLES / "fire" / "campfire.ogg"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A model with mini's towers and another front end: vectors of the same length in another space."""
    directory = tmp_path / "other model"
    shutil.copytree(find_bundle("mini"), directory)
    manifest = json.loads((directory / "model.json").read_text())
    manifest |= {"revision": "other"}
    manifest["front_end"]["offset"] = manifest["front_end"].get("offset", 0.0) + 7.0
    (directory / "model.json").write_text(json.dumps(manifest))
    return directory


def asked(client: TestClient) -> dict[str, Any]:
    body = CAMPFIRE.read_bytes()
    part = {"terms": [{"id": 1, "start": 1.0, "end": 4.0}]}
    answers = {
        "upload": client.post("/v1/search/audio", content=body),
        "vector": client.post("/v1/embed/audio", content=body),
        "labels": client.post("/v1/classify/audio?label=fire&label=rain", content=body),
        "stored labels": client.post("/v1/classify", json={"ids": [1], "labels": ["fire", "rain"]}),
        "part": client.post("/v1/search", json=part),
        "text": client.get("/v1/search?q=fire"),
        "texts": client.post("/v1/embed", json={"texts": ["fire"]}),
    }
    for name, answer in answers.items():
        assert answer.status_code == 200, (name, answer.text)
    return {name: answer.json() for name, answer in answers.items()}


def test_the_answers_are_those_of_the_new_model(tmp_path: Path, other: Path) -> None:
    where = tmp_path / "library"
    (tmp_path / "sounds").mkdir()
    shutil.copy(CAMPFIRE, tmp_path / "sounds")
    shutil.copy(SAMPLES / "animals" / "dogs.mp3", tmp_path / "sounds")
    with Library.open(where, create=True) as library:
        library.add(tmp_path / "sounds")
    with TestClient(make_app(where, Settings()), base_url="http://localhost") as client:
        before = asked(client)
        switch: list[str | Path] = [COMMAND, "index", "-L", where, "--model", other]
        subprocess.run(switch, check=True, capture_output=True)
        after = asked(client)
    with TestClient(make_app(where, Settings()), base_url="http://localhost") as client:
        fresh = asked(client)
    assert after == fresh
    assert not np.allclose(before["vector"]["vector"], fresh["vector"]["vector"], atol=1e-3)
    for name in ("upload", "labels", "stored labels", "part", "text"):
        assert before[name] != fresh[name], name
