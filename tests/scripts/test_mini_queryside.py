"""Ways to improve a query without training, measured on made-up sounds."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe trains with torch")

from scripts.mini.compare import difference, on_questions
from scripts.mini.queryside import Query, Question, compare, unit
from scripts.mini.wording import Sounds

AXES = np.eye(8, dtype=np.float32)


def frame(texts: list[str], template: str) -> np.ndarray:
    """A text is the sum of the axes that it names; "{}" adds the last axis, as a bad prompt would."""
    vectors = [sum(AXES[int(c)] for c in text) + (template == "{}") * 2 * AXES[7] for text in texts]
    return unit(np.array(vectors))


def question(name: str, texts: list[str], vectors: np.ndarray) -> Question:
    sounds = Sounds(vectors, np.arange(len(vectors)), [""] * len(vectors))
    return Question(name, texts, sounds, np.eye(len(vectors), len(texts), dtype=bool))


def of(rows: list[dict[str, object]], way: str, name: str) -> dict[str, object]:
    (row,) = [row[name] for row in rows if row["way"] == way]
    assert isinstance(row, dict)
    return row


@pytest.fixture(scope="module")
def query() -> Query:
    texts = ["0", "1", "2", "06", "16", "26"]
    return Query(frame, "a {}", frame(texts, "a {}"), frame(texts, "a {}"), unit(AXES[:4] + 0.1))


def test_the_first_way_is_what_the_others_differ_from(query: Query) -> None:
    rows = compare([question("captions", ["0", "1", "2"], AXES[:3])], query)
    first = of(rows, "prompt", "captions")
    assert first == {"map": 1.0, "first": 1.0, "three": 1.0}
    assert len({row["way"] for row in rows}) == len(rows) > 10
    hubs = of(rows, "hubs, 0.25", "captions")
    assert hubs["map_difference"] == [0, 0]


def test_a_sound_that_is_near_to_every_text_is_put_back(query: Query) -> None:
    # The last sound answers nothing, and scores as high as what does.
    sounds = unit(np.vstack([AXES[:3] + 0.9 * AXES[5], AXES[:3].sum(0)]))
    rows = compare([question("captions", ["0", "1", "2"], sounds)], query)
    assert of(rows, "prompt", "captions")["map"] == 1
    hub = unit(np.vstack([AXES[:3] + 1.5 * AXES[5], AXES[:3].sum(0)]))
    rows = compare([question("captions", ["0", "1", "2"], hub)], query)
    assert of(rows, "prompt", "captions")["map"] == 0.5
    better = of(rows, "hubs, 0.5", "captions")
    assert better["map"] == 1
    assert better["map_difference"] == [0.5, 0.5]


def test_classes_are_told_apart_sound_by_sound(query: Query) -> None:
    rows = compare([question("classes", ["0", "1", "2"], AXES[:3])], query)
    assert of(rows, "prompt", "classes") == {"map": 1.0, "top1": 1.0}
    assert set(of(rows, "label alone", "classes")) == {
        "map", "map_difference", "top1", "top1_difference",
    }  # fmt: skip


def test_two_towers_are_compared_text_by_text() -> None:
    def good(texts: list[str]) -> np.ndarray:
        return frame(texts, "a {}")

    def bad(texts: list[str]) -> np.ndarray:
        return -good(texts)

    questions = [question("captions", ["0", "1", "2"], AXES[:3])]
    (row,) = on_questions((bad, questions), (good, questions))
    assert row["before"]["map"] == pytest.approx(1 / 3, abs=1e-4)
    assert row["after"]["map"] == 1
    assert row["after"]["map_difference"] == [0.6667, 0.6667]
    # The same difference for each text has no width, however unlike the texts are.
    result = difference([0.1, 0.5, 0.9], [0.2, 0.6, 1.0])
    assert result == {"before": 0.5, "after": 0.6, "difference": [0.1, 0.1]}
