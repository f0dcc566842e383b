"""The ranking by words: the sounds whose names or metadata hold words of a query, and the fields
that hold them.

A sound's word score (0..1) is the part of the query's information that its words hold. Each word of
the query that the sound holds counts its rarity in the library (inverse document frequency) times
the weight of its field. The sum is divided by the rarities of all words of the query. The score is
the same on every store, because a store reports matches and no scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

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


@dataclass
class _Evidence:
    score: float = 0.0
    fields: set[str] = field(default_factory=set)


def match_words(connection: Connection, texts: Iterable[str], sounds: int) -> dict[int, WordMatch]:
    """Return the sounds, by id, that hold words of these texts, in a library of so many `sounds`.

    A query whose words no sound holds, or too many sounds hold, matches nothing.
    """
    rarities: dict[str, float] = {}
    matches: dict[str, dict[int, tuple[str, ...]]] = {}
    for word in _query_words(texts):
        holders = catalog_words.sounds_with_word(connection, word, MOST_SOUNDS + 1)
        if not holders and len(word) >= catalog_words.SHORTEST_PREFIX:
            holders = catalog_words.sounds_with_word(connection, word, MOST_SOUNDS + 1, prefix=True)
        if len(holders) > MOST_SOUNDS:
            continue
        rarities[word] = math.log(1.0 + sounds / max(1, len(holders)))
        matches[word] = holders
    total = sum(rarities.values())
    evidence: dict[int, _Evidence] = {}
    for word, holders in matches.items():
        for sound_id, fields in holders.items():
            of_sound = evidence.setdefault(sound_id, _Evidence())
            weight = max(_WEIGHTS[name] for name in fields)
            of_sound.score += rarities[word] * weight / total
            of_sound.fields.update(fields)
    return {
        sound_id: WordMatch(e.score, tuple(f for f in catalog_words.FIELDS if f in e.fields))
        for sound_id, e in evidence.items()
    }


def _query_words(texts: Iterable[str]) -> list[str]:
    """Return the words of the texts, once each, without words that say nothing."""
    words = dict.fromkeys(word for text in texts for word in catalog_words.words_of(text))
    return [word for word in words if word not in _STOP_WORDS]
