"""Suggestions: short queries that a library has good answers to.

Each sound of the library's sample (`audiosearch.search.sample`) is classed by a vocabulary, without
training; the classes that hold most are suggested, the surest sound of each with it. The vectors of
the vocabulary are made once for a model, the suggestions once for a state of the library.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.results import Suggestion
from audiosearch.search.chance import stored_chance
from audiosearch.search.sample import Sample
from audiosearch.search.vocabulary import vocabulary
from audiosearch.vectors.window_index import WindowSearch

if TYPE_CHECKING:
    from audiosearch.models.model import Model

# Two queries whose vectors are as near as this say the same.
_ALIKE = 0.75

# Of the library's mean for a query; a library that is too small for a measurement of its own
# (`audiosearch.search.chance`) has this.
FLOOR = 0.2


class Suggestions:
    """The suggestions of the newest state that they were made for. It is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vectors: tuple[str, np.ndarray] | None = None
        self._made: tuple[tuple[int, str], list[Suggestion]] | None = None

    def get(
        self, connection: Connection, search: WindowSearch, sample: Sample, model: Model
    ) -> list[Suggestion]:
        """Return the suggestions of the state that `search` and `sample` are of."""
        with self._lock:
            state = search.generation, search.model.digest
            if self._made is None or self._made[0] != state:
                if self._vectors is None or self._vectors[0] != search.model.digest:
                    self._vectors = search.model.digest, _embedded(model)
                self._made = state, _made(connection, model, sample, self._vectors[1])
            return self._made[1]


def _embedded(model: Model) -> np.ndarray:
    from audiosearch.models.model import apply_template

    template = model.bundle.query_template
    return model.embed_text([apply_template(template, text) for text in vocabulary()])


def _made(
    connection: Connection, model: Model, sample: Sample, vectors: np.ndarray
) -> list[Suggestion]:
    texts, scores = vocabulary(), sample.scores(vectors)
    chance = stored_chance(connection, model)
    chosen = suggested(texts, vectors, scores, chance.margin if chance else FLOOR)
    contents = [int(sample.contents[sound]) for _, sound in chosen]
    sounds = reading.sounds_of_contents(connection, contents)
    return [
        Suggestion(texts[text], float(scores[sound, text]), sounds[content][0].id)
        for (text, sound), content in zip(chosen, contents, strict=True)
        if content in sounds
    ]


def suggested(
    texts: Sequence[str], vectors: np.ndarray, scores: np.ndarray, floor: float
) -> list[tuple[int, int]]:
    """Return the numbers of (text, its surest sound), the best suggestion first.

    `vectors` (texts, d) are of unit length, `scores` (sounds, texts) are cosines. A sound belongs to
    the text that it stands out for the most, if it does by more than `floor`.
    """
    if not scores.size:
        return []
    margins = scores - scores.mean(axis=0)
    own = margins.argmax(axis=1)
    sure = margins[np.arange(len(margins)), own] > floor
    held = np.bincount(own[sure], minlength=len(texts))
    best = np.where(held > 0, margins.max(axis=0), 0)
    # Many sounds count, but the tenth door no more than the surest of another kind.
    worth = best * np.log2(1 + held)
    chosen: list[int] = []
    for number in np.argsort(-worth, kind="stable").tolist():
        if not held[number]:
            break
        if not chosen or float((vectors[chosen] @ vectors[number]).max()) < _ALIKE:
            chosen.append(number)
    return [(number, int(margins[:, number].argmax())) for number in chosen]
