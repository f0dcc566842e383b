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

from audiosearch.catalog import reading, window_reading
from audiosearch.search import ranking
from audiosearch.search.fusion import fused_key
from audiosearch.search.ranking import Moment
from audiosearch.search.state_cache import StateCache
from audiosearch.search.words import NO_MATCHES, Holders, WordMatches, holders_of, match_words
from audiosearch.vectors.window_index import WindowSearch

# The engine compares this many of the sounds with the best word scores by sound as well. Each costs
# some 3 us, and beyond the first few the word scores are alike.
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
    """What the best word scores bring. `windows` (n,) are the best windows of their contents without
    those heard, with `contents` (n,) and `scores` (n,), exact cosines, which descend; `tied` (n,)
    marks what ties with an earlier window of its content. `words` has the best word score of each
    content, heard or not. No other sound exceeds the word score `others`.
    """

    windows: np.ndarray
    contents: np.ndarray
    scores: np.ndarray
    tied: np.ndarray
    words: dict[int, float]
    others: float

    def moments(self, connection: Connection, reachable: np.ndarray | None = None) -> list[Moment]:
        """Return the best moments of these contents, or of those in reach (n,)."""
        part = np.full(len(self.windows), True) if reachable is None else reachable
        best: dict[int, Moment] = {}
        ranking.keep_best(connection, best, self.windows[part], self.scores[part])
        return list(best.values())


def named_windows(
    connection: Connection,
    search: WindowSearch,
    vector: np.ndarray,
    words: WordMatches,
    k: int,
    heard: frozenset[int] = frozenset(),
) -> Named:
    """Return the best windows of the sounds with the best word scores, without the contents in
    `heard`.
    """
    leading = words.leading(max(_LEAST_BY_WORDS, k))
    word_scores: dict[int, float] = {}
    # Copies share their windows.
    content_of: dict[int, int] = {}
    for sound_id, content_id, window_id in window_reading.windows_of_sounds(
        connection, leading, search.model.id
    ):
        word_scores[content_id] = max(leading[sound_id], word_scores.get(content_id, 0.0))
        if content_id not in heard:
            content_of[window_id] = content_id
    windows = np.fromiter(content_of, np.int64, len(content_of))
    contents = np.fromiter(content_of.values(), np.int64, len(content_of))
    scores = search.scores_of(connection, vector, windows)
    order = np.argsort(-scores, kind="stable")
    tied = np.zeros(len(windows), bool)
    if len(set(content_of.values())) < len(windows):
        best, tied = _best_of_each(contents[order], scores[order])
        order = order[best]
    others = min(leading.values()) if len(leading) < len(words) else 0.0
    return Named(windows[order], contents[order], scores[order], tied, word_scores, others)


def _best_of_each(contents: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the best windows of each content, where the scores (n,) descend, and the
    mask of those that tie with an earlier one of them.
    """
    _, first, content = np.unique(contents, return_index=True, return_inverse=True)
    best = np.flatnonzero(scores == scores[first][content])
    return best, ~np.isin(best, first)


def in_reach(
    connection: Connection,
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
    contents = [*(moment.content_id for moment in heard), *named.contents.tolist()]
    scores = np.concatenate([[moment.score for moment in heard], named.scores])
    word_scores = [named.words.get(content, np.nan) for content in contents]

    def keys(other: float) -> np.ndarray:
        return fused_key(scores, np.nan_to_num(word_scores, nan=other), *mean_and_spread)

    # A hit has the first of these keys or a higher one, and the second or a lower one. What was
    # heard meets the condition.
    certain, highest = keys(0.0), keys(named.others)
    if sure:
        certain = certain[np.concatenate([np.ones(len(heard), bool), ~named.tied])]
    else:
        certain = fused_key(scores[: len(heard)], np.zeros(len(heard)), *mean_and_spread)
    if len(certain) < k:
        return [*heard, *named.moments(connection)]
    least = np.partition(certain, -k)[-k]
    reachable = highest >= least
    return [
        *(moment for moment, reached in zip(heard, reachable, strict=False) if reached),
        *named.moments(connection, reachable[len(heard) :]),
    ]
