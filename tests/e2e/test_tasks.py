"""`audiosearch eval --tasks` and `--prompts`: public tasks beside the paper, and a choice of prompts."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from audiosearch.evaluation.prompts import ENSEMBLE
from tests.e2e.conftest import SAMPLES, Shell
from tests.effort import thorough_only
from tests.evaluation.test_tasks import folds_of_tones

there = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "onnx"))
needs_torch = pytest.mark.skipif(not there, reason="training needs the extra: '.[train]'")


def test_table(shell: Shell) -> None:
    folds_of_tones(shell.home / "sets" / "ESC-50-master")
    ran = shell("eval", "--tasks", "sets", library=False)
    title, head, row, *rest = ran.text.splitlines()
    assert title == "mini, beside CLAP's paper"
    assert head.split()[:2] == ["task", "of"]
    assert row.split()[:3] == ["esc50", "acc", "8"]
    assert "0.826" in row
    assert "0.967" in row
    assert "17 of 18 tasks are not in sets:" in rest
    at = rest.index("  FSD50K: put it in FSD50K/")
    assert rest[at + 1].startswith("    33 GB; CC BY 4.0; clips CC0")
    assert rest[at + 2] == "    https://zenodo.org/records/4060432"
    assert max(map(len, ran.text.splitlines())) <= 80


@thorough_only
def test_table_in_other_ways(shell: Shell) -> None:
    folds_of_tones(shell.home / "sets" / "ESC-50-master")
    (record,) = shell("eval", "--task", "esc50", "sets/ESC-50-master", "--json", "--zero-shot",
                      library=False).objects  # fmt: skip
    assert record["head"] is None
    assert record["tuned"] is None
    ran = shell("eval", "--task", "esc50", "sets", "--zero-shot", "--fine-tune", "w", library=False,
                code=2)  # fmt: skip
    assert "--fine-tune goes with --tasks" in ran.talk
    ran = shell("eval", "--task", "fsd50k", "sets", library=False, code=1)
    assert "FSD50K is not in sets: put it in FSD50K/; 33 GB" in ran.talk
    ran = shell("eval", "--task", "esc49", "sets", library=False, code=1)
    assert "there is no task 'esc49': there is captions, classes, audiocaps" in ran.talk
    assert "there is no folder none" in shell("eval", "--tasks", "none", library=False, code=1).talk
    assert shell("eval", library=False, code=2).talk


@thorough_only
@needs_torch
def test_fine_tuned_mini(shell: Shell) -> None:
    folds_of_tones(shell.home / "sets" / "ESC-50-master")
    words = ("eval", "--task", "esc50", "sets", "--fine-tune", "tuning")
    ran = shell(*words, library=False)
    _, head, row, _ = ran.text.splitlines()
    assert row.split()[head.split().index("tuned")] == "1.000"  # pitch tells them apart
    assert "esc50: fine-tuning, to measure fold 2, 2 of 2" in ran.talk
    assert max(map(len, ran.text.splitlines())) <= 80
    assert "fine-tuning" not in shell(*words, library=False).talk


@thorough_only
def test_prompts(sample_shell: Shell, shell: Shell) -> None:
    shutil.copytree(sample_shell.library, shell.library)
    (shell.home / "p.txt").write_text("{}\nthis is a sound of {}\n", encoding="utf-8")
    ran = shell("eval", SAMPLES, "--prompts", "p.txt", "--keep", "kinds")
    assert ENSEMBLE in ran.text
    assert "as the head kinds" in ran.talk
    (dog,) = shell("classify", SAMPLES / "animals/dogs.mp3", "--head", "kinds", "--json").objects
    assert "dog" in dog["labels"][0]["label"]
