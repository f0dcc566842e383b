"""`audiosearch eval`: models measured on sounds of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import SAMPLES, Shell
from tests.effort import thorough_only

ESC10 = Path(__file__).parents[3] / "shared" / "data" / "esc10"


def test_sample_library(shell: Shell) -> None:
    (found,) = shell("eval", SAMPLES, "--json", "--bootstrap", "50", library=False).objects
    figures = found["captions"]["text_to_audio"]
    assert figures["queries"] == figures["items"] == 61
    assert figures["recall_at_1"] <= figures["recall_at_5"] <= figures["recall_at_10"] <= 1
    # A model that hears nothing would find 5 of 61.
    assert figures["recall_at_5"] > 0.5
    low, high = found["captions"]["text_to_audio_map_interval"]
    assert low < figures["map_at_10"] < high
    assert sum(map(sum, found["classes"]["confusion"])) == 61


def test_folder_of_classes_and_picture(shell: Shell) -> None:
    for kind, name in (("dog", "animals/dogs.mp3"), ("campfire", "fire/campfire.ogg")):
        (shell.home / "mine" / kind).mkdir(parents=True)
        shutil.copy(SAMPLES / name, shell.home / "mine" / kind)
    (shell.home / "mine" / "dog" / "broken.wav").write_bytes(b"no sound")
    ran = shell(
        "eval", "mine", "--template", "{}", "--template", "a {} outside",
        "--confusion", "what.svg", "--bootstrap", "20", library=False,
    )  # fmt: skip
    assert "left out mine/dog/broken.wav" in ran.talk
    assert "'a {} outside'" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80
    assert (shell.home / "what.svg").read_text().startswith("<svg")


def test_short_queries(shell: Shell) -> None:
    for kind, name in (("dog", "animals/dogs.mp3"), ("camp_fire", "fire/campfire.ogg")):
        (shell.home / "my sounds" / kind).mkdir(parents=True)
        shutil.copy(SAMPLES / name, shell.home / "my sounds" / kind)
    file = shell.home / "queries ö.csv"
    file.write_text("query,kind\nbarking,dog\nfire,camp fire\na dog,dog\ncampfire,dog\n", "utf-8")
    arguments = ("eval", "my sounds", "--queries", file.name, "--bootstrap", "20")
    ran = shell(*arguments, library=False)
    assert "2 sounds, 4 queries" in ran.text
    assert "another kind comes first: campfire" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80
    (record,) = shell(*arguments, "--json", library=False).objects
    figures = record["queries"]
    assert (figures["first"], figures["first_three"], figures["queries"]) == (0.75, 1, 4)
    assert figures["missed"] == ["campfire"]
    assert figures["spread"] > 0
    assert shell(*arguments, "--prompts", "list", library=False, code=2).talk


def test_errors(shell: Shell) -> None:
    assert "there is no dataset" in shell("eval", "nowhere", library=False, code=1).talk
    ran = shell("eval", SAMPLES, "--model", "nonsuch", library=False, code=1)
    assert "there is no model" in ran.talk


@thorough_only
@pytest.mark.skipif(not ESC10.is_dir(), reason="needs ../shared/data/esc10")
def test_esc10(shell: Shell) -> None:
    """The figures of the model card; a floor, with room for other processors' rounding."""
    (found,) = shell("eval", ESC10, "--json", "--bootstrap", "20", library=False).objects
    assert found["classes"]["zero_shot"]["accuracy"] > 0.87
    assert found["classes"]["zero_shot"]["map"] > 0.90
