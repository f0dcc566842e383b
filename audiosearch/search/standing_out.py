"""The sounds that stand out for a query: those that its facets count.

Every sound has a score for every query, so a ranking has no end. A sound stands out where its score
(cosine) is far above the library's average for the query, or where its name or metadata hold what
the query says. The bound depends on the query and the library, and on no filter: a filter then
passes as many of these sounds as its facet counted.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog.facet_table import FacetTable
from audiosearch.search.sample import Sample
from audiosearch.search.words import WordMatches
from audiosearch.vectors.window_index import WindowSearch

# Scores of unrelated sounds are spread about the average; few of them are this many standard
# deviations above it.
DEVIATIONS = 2.0

# In a small library nothing can be so far from the average: there the first page of hits stands
# out.
LEAST_SOUNDS = 10

# A name that holds less of the query's information than this holds a part of it ("door" of "a car
# door slams") as many unrelated names do.
LEAST_WORDS = 0.5

# Rounding of sums in float32.
_TIE = 1e-6


def sounds_standing_out(
    connection: Connection,
    search: WindowSearch,
    table: FacetTable,
    sample: Sample,
    query: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Return the mask of the sounds that stand out for a query (d,) by their scores, and the least
    of these scores, exact to a rounding.
    """
    best = sample.best(query)
    mean, spread = sample.spread(query, best)
    bound = mean + DEVIATIONS * spread
    few, expected = LEAST_SOUNDS, _expected(best >= bound, search.count)
    while True:
        windows, scores = search.above(connection, query, bound, few, expected)
        contents = table.contents_of(windows)
        _, first = np.unique(contents, return_index=True)
        if len(first) >= LEAST_SOUNDS:
            # The last of the first ten, where it is below the bound.
            bound = min(bound, float(scores[np.sort(first)[LEAST_SOUNDS - 1]]))
            break
        if len(windows) < few:  # the library has no more
            bound = -1.0
            break
        few *= 8
    return table.of_contents(contents[scores >= bound]), bound


def _expected(standing_out: np.ndarray, count: int) -> int:
    """Return how many of `count` windows stand out, most likely not more, by a sample (n,) of sounds."""
    n = max(1, len(standing_out))
    hits = float(standing_out.sum())
    return int(count * (hits + 2 * hits**0.5 + 1) / n)


def sounds_above(
    connection: Connection,
    search: WindowSearch,
    table: FacetTable,
    query: np.ndarray,
    least: float,
) -> np.ndarray:
    """Return the mask of the sounds whose best window scores at least `least`."""
    windows, _ = search.above(connection, query, least - _TIE)
    return table.of_contents(table.contents_of(windows))


def sounds_with_words(table: FacetTable, matches: WordMatches, least: float) -> np.ndarray:
    """Return the mask of the sounds whose word score is at least `least`."""
    return np.isin(table.ids, matches.at_least(least), kind="table")
