"""Ranking by words: which sounds were named or described with the words of a query, and where.

A sound's word score (0..1) is the part of the query's information that its words hold: of each word
its rarity in the library (inverse document frequency), times the weight of the field in which it
stands, over the sum of the rarities of all the query's words. The same on every store, which
reports nothing but the matches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from audiosearch.catalog import words as catalog_words

# A word that more sounds hold says too little to move one of them, and would take long to read.
MOST_SOUNDS = 2_000

# What a match is worth: a name or title was given to this sound, a folder to all in it.
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

# Words that every description has, and those that say of a query no more than that it is one.
_STOP_WORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it"),
        *("its", "of", "off", "on", "or", "out", "over", "that", "the", "this", "to", "up", "very"),
        *("with", "sound", "sounds", "noise", "recording"),
    }
)


@dataclass(frozen=True)
class WordMatch:
    """How well a sound's words fit a query: `score` (0..1), and the `fields` that hold them."""

    score: float
    fields: tuple[str, ...]


@dataclass
class _Evidence:
    score: float = 0.0
    fields: set[str] = field(default_factory=set)


def match_words(connection: Connection, texts: Iterable[str], sounds: int) -> dict[int, WordMatch]:
    """Return the sounds, by id, that hold words of these texts, in a library of so many `sounds`.

    Of a query whose words nobody used, and of one whose words everybody used, there is none.
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
    """Return the words of the texts, once each, without those that say nothing."""
    words = dict.fromkeys(word for text in texts for word in catalog_words.words_of(text))
    return [word for word in words if word not in _STOP_WORDS]
