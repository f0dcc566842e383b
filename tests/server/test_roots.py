"""The folders of a library over HTTP, and what they leave out."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.conftest import SAMPLES
from tests.server.conftest import Dogs
from tests.server.test_jobs import opened, until


def test_a_job_keeps_to_what_was_set(tmp_path: Path, dogs: Dogs) -> None:
    folder = tmp_path / "söunds"
    dogs(folder, tmp_path / "library")
    shutil.copy(SAMPLES / "animals" / "ewe.mp3", folder)
    with opened(tmp_path / "library") as client:
        (root,) = client.get("/v1/roots").json()["roots"]
        assert (root["path"], root["exclude"], root["parts"]) == (str(folder), [], [])
        answer = client.patch("/v1/roots", json={"path": str(folder), "exclude": ["ewe*"]})
        assert answer.json() == {
            "path": str(folder),
            "exclude": ["ewe*"],
            "follow_symlinks": None,
            "leaves_out": 0,
            "dry_run": False,
        }
        job = until(client, client.post("/v1/jobs", json={}).json(), "done")
        assert (job["summary"]["added"], job["summary"]["unchanged"]) == (0, 1)
        assert client.get("/v1/status").json()["roots"][0]["exclude"] == ["ewe*"]
        item = {"items": [{"path": str(folder / "ewe.mp3")}]}
        ingested = until(client, client.post("/v1/ingest", json=item).json(), "done")
        assert "left out" in ingested["summary"]["item_failures"][0]["reason"]


def test_what_cannot_be_set(tmp_path: Path, dogs: Dogs) -> None:
    folder = tmp_path / "in"
    dogs(folder, tmp_path / "library")
    with opened(tmp_path / "library") as client:
        for body, status in (
            ({"path": str(folder), "follow_symlinks": True}, 422),
            ({"path": str(folder), "exclude": [""]}, 422),
            ({"path": "in", "exclude": ["x"]}, 422),
            ({"path": str(tmp_path), "exclude": ["x"]}, 404),
            ({"path": "/\0", "exclude": ["x"]}, 404),
        ):
            answer = client.patch("/v1/roots", json=body)
            assert answer.status_code == status, body
        assert client.get("/v1/roots").json()["roots"][0]["exclude"] == []
