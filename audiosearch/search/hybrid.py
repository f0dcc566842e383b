"""Words beside sound in one state of a library: the sounds whose words match a query, their best
moments, and which of these can be among the first hits.

Scores of sounds are cosines, scores of words are 0..1; see `audiosearch.search.fusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.search import ranking
from audiosearch.search.fusion import fused_key
from audiosearch.search.ranking import Moment
from audiosearch.search.state_cache import StateCache
from audiosearch.search.words import NO_MATCHES, Holders, WordMatches, holders_of, match_words
from audiosearch.vectors.window_index import WindowSearch

# The engine compares this many of the sounds with the best word scores by sound as well. Each costs
# some 20 us, and beyond the first few the word scores are alike.
_LEAST_BY_WORDS = 100


def words_in_state(
    connection: Connection, cache: StateCache[Any], search: WindowSearch, texts: Sequence[str]
) -> WordMatches:
    """Return the sounds whose words match the texts. The cache keeps what each word matches."""
    if not texts:
        return NO_MATCHES
    state = search.generation, search.model.digest

    def holders(connection: Connection, word: str) -> Holders | None:
        made: Holders | None = cache.other(
            *state, f"word {word}", lambda: holders_of(connection, word)
        )
        return made

    sounds = cache.other(*state, "sounds", lambda: reading.count_sounds(connection))
    return match_words(connection, texts, sounds, holders)


@dataclass(frozen=True)
class Named:
    """What the best word scores bring: the best `moments` of their contents without those heard;
    the best word score of each content, heard or not, in `scores`; and in `others` a score that no
    other sound exceeds.
    """

    moments: list[Moment]
    scores: dict[int, float]
    others: float


def named_moments(
    connection: Connection,
    search: WindowSearch,
    vector: np.ndarray,
    words: WordMatches,
    k: int,
    heard: frozenset[int] = frozenset(),
) -> Named:
    """Return the best moments of the sounds with the best word scores, without the contents in
    `heard`.
    """
    leading = words.leading(max(_LEAST_BY_WORDS, k))
    scores: dict[int, float] = {}
    for sound_id, content_id in reading.contents_of_sounds(connection, leading).items():
        scores[content_id] = max(leading[sound_id], scores.get(content_id, 0.0))
    unheard = sorted(content_id for content_id in scores if content_id not in heard)
    others = min(leading.values()) if len(leading) < len(words) else 0.0
    return Named(ranking.moments_of(connection, search, vector, unheard), scores, others)


def in_reach(
    heard: Sequence[Moment],
    named: Named,
    k: int,
    mean_and_spread: tuple[float, float],
    *,
    sure: bool,
) -> list[Moment]:
    """Return those of the heard and named moments that can be among the first k hits, so that no
    more of their sounds are read.

    `sure`: each of them is a hit by its best name, since no condition may leave a sound out.
    """
    moments = [*heard, *named.moments]
    scores = [named.scores.get(moment.content_id) for moment in moments]

    def keys(other: float) -> list[float]:
        return [
            fused_key(moment.score, other if score is None else score, *mean_and_spread)
            for moment, score in zip(moments, scores, strict=True)
        ]

    # A hit has the first of these keys or a higher one, and the second or a lower one. What was
    # heard meets the condition.
    certain, highest = keys(0.0), keys(named.others)
    if not sure:
        certain = [fused_key(moment.score, 0.0, *mean_and_spread) for moment in heard]
    if len(certain) < k:
        return moments
    least = sorted(certain, reverse=True)[k - 1]
    return [moment for moment, key in zip(moments, highest, strict=True) if key >= least]
