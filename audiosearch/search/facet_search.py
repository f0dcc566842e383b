"""`FacetSearch` counts the sounds of a library, or the hits of a query, by what people filter by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.facet_table import FacetTable
from audiosearch.catalog.facets import facets
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.reader import CatalogReader
from audiosearch.heads.scores import HeadScores
from audiosearch.results import Facets
from audiosearch.search import standing_out
from audiosearch.search.engine import SearchEngine
from audiosearch.search.query import Match, Term
from audiosearch.search.words import WordMatches
from audiosearch.vectors.window_index import WindowSearch


class FacetSearch:
    """Facets over the library that `reader` reads and `engine` searches. It is thread-safe."""

    def __init__(
        self, reader: CatalogReader, engine: SearchEngine, head_scores: HeadScores
    ) -> None:
        self._head_scores = head_scores
        self._reader = reader
        self._engine = engine

    def of_library(self, condition: Filter, fields: Sequence[str]) -> Facets:
        """Count the sounds that meet the condition."""
        with self._reader.snapshot() as connection:
            resolved = self._head_scores.resolved(connection, condition)
            return facets(connection, self._table(connection), resolved, fields)

    def of_hits(
        self,
        terms: Sequence[Term],
        condition: Filter,
        fields: Sequence[str],
        *,
        template: str | None,
        match: Match,
        min_score: float | None,
    ) -> Facets:
        """Count the hits of a query that meet the condition; see `Library.facets`."""

        def count(
            connection: Connection, search: WindowSearch, vector: np.ndarray, words: WordMatches
        ) -> Facets:
            table = self._table(connection)
            if match == "words":
                mask, least = _hits_by_words(connection, search, table, vector, words, min_score)
            else:
                mask, least = self._hits(connection, search, table, vector, words, min_score)
            resolved = self._head_scores.resolved(connection, condition)
            return facets(connection, table, resolved, fields, mask, least)

        counted = self._engine.over_one_state(terms, count, template=template, match=match)
        return counted or self.of_library(condition, fields)

    def _hits(
        self,
        connection: Connection,
        search: WindowSearch,
        table: FacetTable,
        vector: np.ndarray,
        words: WordMatches,
        min_score: float | None,
    ) -> tuple[np.ndarray, float]:
        """Return the mask of the hits, and the score from which a sound is one by itself."""
        if min_score is not None:
            mask = standing_out.sounds_above(connection, search, table, vector, min_score)
            return mask, min_score
        sample = self._engine.sample(connection, search)
        mask, least = standing_out.sounds_standing_out(connection, search, table, sample, vector)
        if words:
            named = standing_out.sounds_with_words(table, words, standing_out.LEAST_WORDS)
            # Copies are one sound, whatever their names are.
            mask |= table.of_contents(table.contents[named])
        return mask, least

    def _table(self, connection: Connection) -> FacetTable:
        model = reading.active_model(connection)
        return self._engine.state_cache.facets(
            reading.generation(connection),
            model.digest if model else "",
            partial(FacetTable, connection, model.id if model else None),
        )


def _hits_by_words(
    connection: Connection,
    search: WindowSearch,
    table: FacetTable,
    vector: np.ndarray,
    words: WordMatches,
    min_score: float | None,
) -> tuple[np.ndarray, float | None]:
    mask = standing_out.sounds_with_words(table, words, 0.0)
    if min_score is not None:
        mask &= standing_out.sounds_above(connection, search, table, vector, min_score)
    return mask, min_score
