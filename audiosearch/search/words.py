"""The ranking by words: the sounds whose names or metadata hold words of a query, and the fields
that hold them.

A sound's word score (0..1) is the part of the query's information that its words hold. Each word of
the query that the sound holds counts its rarity in the library (inverse document frequency) times
the weight of its field. The sum is divided by the rarities of all words of the query. The score is
the same on every store, because a store reports matches and no scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
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

_FIELD_WEIGHTS = np.array([_WEIGHTS[name] for name in catalog_words.FIELDS])

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


class WordMatches(Mapping[int, WordMatch]):
    """The matches of a query by the ids of their sounds. `ids` (n,) ascend; `scores` (n,) are word
    scores; bit i of `fields` (n,) says that the field i of `catalog.words.FIELDS` holds a word.
    """

    def __init__(self, ids: np.ndarray, scores: np.ndarray, fields: np.ndarray) -> None:
        self.ids, self.scores, self._fields = ids, scores, fields

    def __getitem__(self, sound_id: int) -> WordMatch:
        place = int(np.searchsorted(self.ids, sound_id))
        if place == len(self.ids) or self.ids[place] != sound_id:
            raise KeyError(sound_id)
        bits = int(self._fields[place])
        names = (name for i, name in enumerate(catalog_words.FIELDS) if bits >> i & 1)
        return WordMatch(float(self.scores[place]), tuple(names))

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids.tolist())

    def __len__(self) -> int:
        return len(self.ids)

    def leading(self, most: int) -> list[int]:
        """Return the ids of the `most` best matches, best first; ties go by id."""
        ids: list[int] = self.ids[np.lexsort((self.ids, -self.scores))[:most]].tolist()
        return ids


NO_MATCHES = WordMatches(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def match_words(connection: Connection, texts: Iterable[str], sounds: int) -> WordMatches:
    """Return the sounds that hold words of these texts, in a library of so many `sounds`.

    A query whose words no sound holds, or too many sounds hold, matches nothing.
    """
    rarities: list[float] = []
    holders: list[tuple[int, np.ndarray, np.ndarray]] = []
    for word in _query_words(texts):
        prefix = False
        count = catalog_words.count_with_word(connection, word, MOST_SOUNDS + 1)
        if not count and len(word) >= catalog_words.SHORTEST_PREFIX:
            prefix = True
            count = catalog_words.count_with_word(connection, word, MOST_SOUNDS + 1, prefix=True)
        if count > MOST_SOUNDS:
            continue
        rarities.append(math.log(1.0 + sounds / max(1, count)))
        if count:
            of_word, in_field = catalog_words.sounds_with_word(connection, word, prefix=prefix)
            holders.append((len(rarities) - 1, of_word, in_field))
    if not holders:
        return NO_MATCHES
    total = sum(rarities)
    ids = np.unique(np.concatenate([of_word for _, of_word, _ in holders]))
    scores, fields = np.zeros(len(ids)), np.zeros(len(ids), np.int64)
    for number, of_word, in_field in holders:
        rows = np.searchsorted(ids, of_word)
        best = np.zeros(len(ids))
        np.maximum.at(best, rows, _FIELD_WEIGHTS[in_field])
        scores += rarities[number] * best / total
        np.bitwise_or.at(fields, rows, 1 << in_field)
    return WordMatches(ids, scores, fields)


def _query_words(texts: Iterable[str]) -> list[str]:
    """Return the words of the texts, once each, without words that say nothing."""
    words = dict.fromkeys(word for text in texts for word in catalog_words.words_of(text))
    return [word for word in words if word not in _STOP_WORDS]
