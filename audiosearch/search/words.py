"""The ranking by words: the sounds whose names or metadata hold words of a query, and the fields
that hold them.

A sound's word score (0..1) is the part of the query's information that its words hold. Each word of
the query that the sound holds counts its rarity in the library (inverse document frequency) times
the weight of its field. The sum is divided by the rarities of all words of the query. The score is
the same on every store, because a store reports matches and no scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import words as catalog_words

# A word that more sounds hold says too little about any of them, and takes long to read.
MOST_SOUNDS = 2_000

# The weight of a match: a name or title describes this one sound, a folder describes all in it.
_WEIGHTS = {
    "name": 1.0,
    "title": 1.0,
    "description": 0.9,
    "keywords": 0.9,
    "category": 0.7,
    "metadata": 0.7,
    "folder": 0.5,
    "originator": 0.3,
}

_BITS = {name: 1 << number for number, name in enumerate(catalog_words.FIELDS)}

# These words are in every description, or say only that the text is a query.
_STOP_WORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it"),
        *("its", "of", "off", "on", "or", "out", "over", "that", "the", "this", "to", "up", "very"),
        *("with", "sound", "sounds", "noise", "recording"),
    }
)


@dataclass(frozen=True)
class WordMatch:
    """The match of a sound's words with a query: the `score` (0..1), and the `fields` that hold the
    words.
    """

    score: float
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Holders:
    """The sounds that hold a word: `ids` (n,) int64, the `weights` (n,) float64 of the best field of
    each, and all its `fields` (n,) as bits, the first of `FIELDS` lowest. `None` in place of it
    means: too many hold the word.
    """

    ids: np.ndarray
    weights: np.ndarray
    fields: np.ndarray


class WordMatches(Mapping[int, WordMatch]):
    """The matches of a query, by the id of the sound: `ids` (n,) ascending, `scores` and `fields` as
    in `Holders`.
    """

    def __init__(self, ids: np.ndarray, scores: np.ndarray, fields: np.ndarray) -> None:
        self._ids, self._scores, self._fields = ids, scores, fields

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids.tolist())

    def __getitem__(self, sound_id: int) -> WordMatch:
        place = int(np.searchsorted(self._ids, sound_id))
        if place == len(self._ids) or self._ids[place] != sound_id:
            raise KeyError(sound_id)
        bits = int(self._fields[place])
        names = tuple(name for n, name in enumerate(catalog_words.FIELDS) if bits >> n & 1)
        return WordMatch(float(self._scores[place]), names)

    def at_least(self, score: float) -> np.ndarray:
        """Return the ids (int64, ascending) of the sounds with this word score or a higher one."""
        ids: np.ndarray = self._ids[self._scores >= score]
        return ids

    def leading(self, most: int) -> dict[int, float]:
        """Return the ids and scores of the sounds with the best word scores, ties by id."""
        near = np.arange(len(self._ids))
        if most < len(near):
            near = np.flatnonzero(self._scores >= np.partition(self._scores, -most)[-most])
        # The ids ascend, so a stable order has ties by id.
        order = near[np.argsort(-self._scores[near], kind="stable")][:most]
        return dict(zip(self._ids[order].tolist(), self._scores[order].tolist(), strict=True))


NO_MATCHES = WordMatches(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))


def holders_of(connection: Connection, word: str) -> Holders | None:
    """Return the sounds that hold a word, or a longer one where none holds it itself."""
    most = MOST_SOUNDS + 1
    by_field = catalog_words.sounds_with_word(connection, word, most)
    if not by_field and len(word) >= catalog_words.SHORTEST_PREFIX:
        by_field = catalog_words.sounds_with_word(connection, word, most, prefix=True)
    ids = _union(list(by_field.values()))
    if len(ids) > MOST_SOUNDS:
        return None
    weights, fields = np.zeros(len(ids)), np.zeros(len(ids), np.uint8)
    for name, part in by_field.items():
        places = np.searchsorted(ids, part)
        weights[places] = np.maximum(weights[places], _WEIGHTS[name])
        fields[places] |= _BITS[name]
    return Holders(ids, weights, fields)


def match_words(
    connection: Connection,
    texts: Iterable[str],
    sounds: int,
    holders: Callable[[Connection, str], Holders | None] = holders_of,
) -> WordMatches:
    """Return the sounds that hold words of these texts, in a library of so many `sounds`.

    A query whose words no sound holds, or too many sounds hold, matches nothing. `holders` may
    remember what `holders_of` returns.
    """
    known = [of for word in _query_words(texts) if (of := holders(connection, word)) is not None]
    rarities = [math.log(1.0 + sounds / max(1, len(of.ids))) for of in known]
    total = sum(rarities)
    if not any(len(of.ids) for of in known):
        return NO_MATCHES
    ids = _union([of.ids for of in known])
    scores, fields = np.zeros(len(ids)), np.zeros(len(ids), np.uint8)
    for rarity, of in zip(rarities, known, strict=True):
        places = np.searchsorted(ids, of.ids)
        scores[places] += rarity * of.weights / total
        fields[places] |= of.fields
    return WordMatches(ids, scores, fields)


def _union(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ids (int64, ascending) of all parts, each of which is ascending."""
    if len(parts) == 1:
        return parts[0]
    # This sort merges what is ascending already; `np.unique` takes 40 times as long.
    every = np.sort(np.concatenate([np.empty(0, np.int64), *parts]), kind="stable")
    return every[np.diff(every, prepend=-1) > 0]


def _query_words(texts: Iterable[str]) -> list[str]:
    """Return the words of the texts, once each, without words that say nothing."""
    words = dict.fromkeys(word for text in texts for word in catalog_words.words_of(text))
    return [word for word in words if word not in _STOP_WORDS]
