"""`audiosearch collection`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.e2e.conftest import SAMPLES, Shell
from tests.effort import thorough_only


def test_weak_hits_are_told(sample_shell: Shell) -> None:
    weak, real = sample_shell("query", "zzyzx"), sample_shell("query", "dog barking")
    assert "no sound stands out" in weak.talk
    assert len(weak.text.splitlines()) == 11
    assert real.talk == ""


@thorough_only
def test_a_collection(shell: Shell, sample_directory: Path) -> None:
    shutil.copytree(sample_directory, shell.library)
    dogs, fire = SAMPLES / "animals" / "dogs.mp3", SAMPLES / "fire" / "campfire.ogg"
    assert "holds 2 sounds" in shell("collection", "add", "Häfen am Meer", fire, dogs).talk
    listed = shell("collection", "list", "--json").objects
    assert [(one["name"], one["sounds"]) for one in listed] == [
        ("Favourites", 0),
        ("Häfen am Meer", 2),
    ]
    paths = shell("collection", "show", "Häfen am Meer", "--paths").out
    assert paths.splitlines() == [os.fsencode(fire), os.fsencode(dogs)]
    table = shell("collection", "export", "Häfen am Meer", "--format", "csv").text
    assert table.startswith("id,path,duration,")
    assert shell("collection", "remove", "Häfen am Meer", dogs).talk.startswith("1 sounds taken")
    assert "would be deleted" in shell("collection", "remove", "Häfen am Meer", "-n").talk
    assert shell("collection", "add", "New", "nothing.wav", code=1).talk.count("\n") == 1
    assert "Häfen am Meer" in shell("collection", "list").text
    assert "New" not in shell("collection", "list").text
