"""The hits of a composed query in one state of a library: by sound, by sound and words, or by words
alone.

Scores of sounds are cosines, scores of words are 0..1; see `audiosearch.search.fusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.records import Sound
from audiosearch.results import Hit
from audiosearch.search import ranking
from audiosearch.search.fusion import fused_key
from audiosearch.search.hybrid import in_reach, named_windows
from audiosearch.search.ranking import Moment, Place
from audiosearch.search.sample import Sample
from audiosearch.search.words import WordMatches
from audiosearch.vectors.window_index import WindowSearch


@dataclass(frozen=True)
class Query:
    """A composed query: its `vector` (d,), and in `words` the sounds that its words match, by id.

    Scores are weak up to `floor` above the mean of the sample; `None` where that is not known.
    """

    vector: np.ndarray
    condition: Filter
    k: int
    moments: bool
    group: bool
    words: WordMatches
    floor: float | None = None


def hits_by_sound(
    connection: Connection, search: WindowSearch, sample: Sample, query: Query
) -> list[Hit]:
    """Return the sounds with the nearest windows, best first; with `words`, those too that hold words
    of the query.
    """
    vector, where = query.vector, query.condition or None
    count = min(query.k, search.count)
    if query.moments:
        base = sample.median(vector)
        best = ranking.all_moments(connection, search, vector, count, where, base)
    else:
        best = ranking.best_moments(connection, search, vector, count, where)
    best = ranking.leading(best, count)
    heard = frozenset(moment.content_id for moment in best)
    sampled = sample.best(vector)
    if query.words:
        named = named_windows(connection, search, vector, query.words, query.k, heard)
        spread = sample.spread(vector, sampled)
        sure = not query.condition
        best = in_reach(connection, best, named, query.k, spread, sure=sure)
    return _ranked(connection, query, sample, best, heard, sampled)


def hits_by_words(
    connection: Connection, search: WindowSearch, sample: Sample, query: Query
) -> list[Hit]:
    """Return the sounds that hold words of the query, best word score first."""
    named = named_windows(connection, search, query.vector, query.words, query.k)
    moments = named.moments(connection)
    sampled = sample.best(query.vector)
    return _ranked(connection, query, sample, moments, frozenset(), sampled, words_alone=True)


def _ranked(
    connection: Connection,
    query: Query,
    sample: Sample,
    moments: Sequence[Moment],
    heard: frozenset[int],
    sampled: np.ndarray,
    *,
    words_alone: bool = False,
) -> list[Hit]:
    compared = query.words or query.floor is not None
    mean, spread = sample.spread(query.vector, sampled) if compared else (0.0, 0.0)

    def place(moment: Moment, sound: Sound) -> Place:
        match = query.words.get(sound.id)
        why: tuple[str, ...] = ("sound",) if moment.content_id in heard else ()
        if match is None:
            # The copy of a named sound may lack the word in its own name: the sound is the
            # same.
            score = 0.0
        else:
            score = match.score
            why += tuple(f"words: {field}" for field in match.fields)
        if words_alone:
            return Place(score, why)
        weak = match is None and query.floor is not None and moment.score - mean <= query.floor
        if not query.words:
            return Place(moment.score, why, weak)
        return Place(fused_key(moment.score, score, mean, spread), why, weak)

    scores = sorted({moment.score for moment in moments})
    percentiles = sample.percentiles(query.vector, np.array(scores, dtype=np.float32), sampled)
    sounds = reading.sounds_of_contents(
        connection, [moment.content_id for moment in moments], query.condition
    )
    if words_alone:
        sounds = {
            content: matching
            for content, copies in sounds.items()
            if (matching := [sound for sound in copies if sound.id in query.words])
        }
    return ranking.make_hits(
        # The condition may exclude a moment that words brought; one that was heard meets it
        # already.
        [moment for moment in moments if moment.content_id in sounds or moment.content_id in heard],
        sounds,
        dict(zip(scores, percentiles.tolist(), strict=True)),
        query.k,
        query.group,
        place,
    )
