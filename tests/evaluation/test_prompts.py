"""The study of prompts, and the choice that it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiosearch.errors import InvalidQuery
from audiosearch.evaluation.items import Item
from audiosearch.evaluation.measuring import EmbeddedSounds
from audiosearch.evaluation.prompts import (
    CHOSEN,
    ENSEMBLE,
    PROMPTS,
    best_prompts,
    class_vectors,
    prompt_head,
    read_prompts,
    study,
)
from audiosearch.models.registry import load_model

CLASSES = ("cat", "dog", "rain")


def test_an_ensemble_is_the_mean_of_unit_vectors() -> None:
    model, prompts = load_model(), ("{}", "a sound of {}")
    parts = [class_vectors(model, CLASSES, [prompt]) for prompt in prompts]
    mean = (parts[0] + parts[1]) / 2
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    assert class_vectors(model, CLASSES, prompts) == pytest.approx(expected, abs=1e-6)


def test_the_right_prompt_wins_and_the_choice_is_honest() -> None:
    """Sounds whose vectors are those of the class names in one of two templates."""
    model, prompts = load_model(), ("{}", "nothing but {} at night")
    texts = class_vectors(model, CLASSES, [prompts[1]])
    items = tuple(Item(Path(f"{n}.wav"), [], {CLASSES[n % 3]}) for n in range(30))
    sounds = EmbeddedSounds(items, tuple(texts[[n % 3]] for n in range(30)), ())
    figures = {figure.prompt: figure for figure in study(model, sounds, prompts)}
    assert list(figures) == [*prompts, ENSEMBLE, CHOSEN]
    assert figures[prompts[1]].accuracy == figures[CHOSEN].accuracy == 1.0
    best = best_prompts(list(figures.values()), prompts)
    head = prompt_head("mine", model, CLASSES, best)
    assert head.probabilities(texts).argmax(axis=1).tolist() == [0, 1, 2]
    assert head.facts["prompts"] == list(best)


def test_lists(tmp_path: Path) -> None:
    assert read_prompts("list") == PROMPTS
    file = tmp_path / "мои.txt"
    for content, match in (("{}\n", "has 1 prompts"), ("{}\nno place\n", "has no {} for the text")):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidQuery, match=match):
            read_prompts(str(file))
    with pytest.raises(InvalidQuery, match="cannot read the prompts"):
        read_prompts(str(tmp_path / "none.txt"))
