"""`serve --watch`: the server keeps its library up to date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.server.conftest import Dogs
from tests.server.test_jobs import opened
from tests.waiting import wait_until

pytest.importorskip("watchfiles")


def state(client: TestClient) -> str:
    return str(client.get("/healthz").json()["watch"])


@thorough_only
def test_one_server_watches(tmp_path: Path, dogs: Dogs) -> None:
    folder, where = tmp_path / "söunds", tmp_path / "library"
    dogs(folder, where)
    with opened(where) as plain:
        assert plain.get("/healthz").json() == {"status": "ok"}
    with opened(where, watch=True) as client:
        wait_until(lambda: state(client) == "watching")
        with opened(where, watch=True) as other:
            wait_until(lambda: state(other) == "standby")
            shutil.copy(SAMPLES / "animals" / "ewe.mp3", folder)
            wait_until(lambda: other.get("/v1/status").json()["sounds"] == 2)
        hits = client.get("/v1/search", params={"q": "a sheep"}).json()["hits"]
        assert any(hit["path"].endswith("ewe.mp3") for hit in hits)
