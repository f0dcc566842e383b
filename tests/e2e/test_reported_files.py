"""The files of ../shared/cases, through the installed command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audio.made import shared_case
from tests.e2e.conftest import SAMPLES, Shell
from tests.effort import thorough_only

SECONDS = {
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


@thorough_only
def test_every_reported_file(shell: Shell) -> None:
    cases = shared_case("")
    (summary,) = shell("index", cases, "--json").objects
    assert summary["failures"] == []
    assert summary["truncated"] == 0
    assert summary["passed_over"] == {"md": 1}
    remarks = {Path(remark["path"]).name: remark["text"] for remark in summary["remarks"]}
    assert remarks == {
        "camera.mov": "it has 2 tracks: track 2 is heard, the first that is not silent",
        "crashed.wav": "its header declares 0 bytes of sound, and 96,000 are there: all were read",
    }
    hits = {
        Path(hit["path"]).name: hit
        for hit in shell("query", "a dog barks", "-k", "99", "--json").objects
    }
    for name, seconds in SECONDS.items():
        assert hits[name]["duration"] == pytest.approx(seconds, abs=0.05), name
    assert 19 < hits["dog_at_23s.mp3"]["start"] < 25
    assert hits["dog_at_23s.mp3"]["end"] > 25
    assert hits["channels.aac"]["end"] > 9
    assert 2 < hits["late.mp4"]["start"] < 6

    def names(*options: str) -> set[str]:
        found = shell("query", "a sound", "-k", "99", "--json", *options).objects
        return {Path(hit["path"]).name for hit in found}

    assert "ext.wav" in names("--format", "wav")
    assert names("--format", "opus") == {"a.opus", "browser.weba"}
    assert names("--format", "m4r") == {"ring.m4r"}
    tags = {name: hits[name]["tags"] for name in ("ok.wav", "ampersand.wav", "latin1.wav")}
    for found in tags.values():
        assert {"comment", "scene"} <= set(found)
    assert hits["cut.wav"]["tags"]["description"]
    assert hits["unpadded.wav"]["tags"]["title"] == "a title"


@thorough_only
def test_a_query_by_a_stream_that_changes(shell: Shell) -> None:
    shell("index", SAMPLES / "animals")
    sound = shared_case("mid-stream-change/channels.aac")
    assert len(shell("similar", sound, "-k", "3", "--json").objects) == 3
