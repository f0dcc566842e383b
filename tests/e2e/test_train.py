"""`audiosearch train`: the command."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Shell
from tests.effort import thorough_only
from tests.training.sounds import KINDS
from tests.training.sounds import write as write_kind

there = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "onnx"))
needs_torch = pytest.mark.skipif(not there, reason="training needs the extra: '.[train]'")


def test_what_cannot_be_trained_is_one_line(shell: Shell) -> None:
    def error(*words: str | Path) -> str:
        ran = shell("train", *words, library=False, code=1)
        assert ran.out == b""
        (line,) = ran.talk.splitlines()
        return line.removeprefix("audiosearch: error: ")

    (shell.home / "flat").mkdir()
    (shell.home / "flat" / "a.wav").touch()
    (shell.home / "ten.csv").write_text(
        "file,caption\n" + "".join(f"flat/a.wav,words {i}\n" for i in range(10))
    )
    assert error("--run", "r").startswith("give either DATA or --from-library")
    assert error("ten.csv", "--run", "r", "--from-library").startswith("give either DATA")
    assert error("nowhere", "--run", "r").startswith("there is no file or folder nowhere")
    assert error("flat", "--run", "r").startswith("flat holds sounds but no captions")
    assert error("ten.csv", "--run", "r").startswith("1 pairs are too few")
    assert error("ten.csv", "--run", "r", "--rate", "0").startswith("the learning rate must be")
    assert not (shell.home / "r").exists()


def test_a_library_without_descriptions(sample_shell: Shell) -> None:
    ran = sample_shell("train", "--from-library", "--run", "nowhere", code=1)
    assert "has nothing to learn from" in ran.talk or "pairs are too few" in ran.talk


@needs_torch
@thorough_only
def test_from_sounds_to_an_index(shell: Shell, tmp_path: Path) -> None:
    from scripts.random_checkpoint import TINY, make

    make(tmp_path / "tiny model", TINY)
    for i in range(24):
        write_kind(shell.home / "mine" / KINDS[i % 4] / f"дверь {i}.wav", i % 4, i)
    command = ["mine", "--run", "the run", "--from", "tiny model", "--epochs", "1"]
    ran = shell("train", *command, library=False)
    lines = ran.text.splitlines()
    assert lines[0].startswith("text to audio, ")
    assert lines[1].split() == ["before", "after", "change"]
    assert max(map(len, lines)) <= 80
    assert "use it with: audiosearch index --model 'the run/bundle'" in ran.talk
    shutil.rmtree(tmp_path / "tiny model")  # the bundle is whole without it
    shell("index", "--model", "the run/bundle", "mine")
    assert len(shell("query", "slow clicks", "-k", "3", "--json").objects) == 3
    again = shell("train", *command, library=False, code=1)
    assert "is finished: choose another folder with --run" in again.talk


@needs_torch
@thorough_only
def test_from_a_file_of_msclap_to_an_index(shell: Shell, tmp_path: Path) -> None:
    from scripts.random_msclap import make

    file = make(tmp_path / "ms clap", "2022")
    for i in range(24):
        write_kind(shell.home / "mine" / KINDS[i % 4] / f"дверь {i}.wav", i % 4, i)
    ran = shell(
        "train", "mine", "--run", "the run", "--from", file, "--tokenizer", file.parent,
        "--epochs", "1", "--batch", "8", "--rate", "1e-4", library=False,
    )  # fmt: skip
    assert "use it with: audiosearch index --model 'the run/bundle'" in ran.talk
    shell("index", "--model", "the run/bundle", "mine")
    assert len(shell("query", "slow clicks", "-k", "3", "--json").objects) == 3
    shell("models", "add", "the run/checkpoint.pth", "--tokenizer", file.parent, library=False)
    other = shell(
        "train", "mine", "--run", "other", "--tokenizer", file.parent, library=False, code=1
    )
    assert "--tokenizer is for an MS-CLAP file: mini brings its own" in other.talk
