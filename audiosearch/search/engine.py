"""`SearchEngine`: the terms of a query in, ranked hits out, over one open library.

Each search sees one state of the library. What is remembered between searches (vectors of texts,
the windows that a filter allows, the sample for percentiles) is keyed by the model's digest and the
library's generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.records import StoredModel
from audiosearch.models.active import ActiveModel
from audiosearch.results import Hit
from audiosearch.search import ranking
from audiosearch.search.composition import query_vector
from audiosearch.search.query import Term, check_text
from audiosearch.search.sample import Sample
from audiosearch.search.state_cache import StateCache
from audiosearch.search.text_vectors import TextVectors
from audiosearch.vectors.cachefile import SnapshotTooOld
from audiosearch.vectors.window_search import SearchState, WindowSearch

if TYPE_CHECKING:
    from audiosearch.models.model import Model

# A reader whose snapshot is older than the cache file takes a new one; the file changes once a run.
_SNAPSHOT_TRIES = 5


class SearchEngine:
    """Searches the library that `reader` reads; thread-safe.

    `shared`: as in `TextVectors`.
    """

    def __init__(self, reader: CatalogReader, model: ActiveModel, *, shared: bool = False) -> None:
        self._reader = reader
        self._model = model
        self._texts = TextVectors(shared=shared)
        self._state = SearchState(reader.directory)
        self._state_cache: StateCache[Sample] = StateCache()

    def embed_texts(
        self, model: Model, texts: Sequence[str], template: str | None = None
    ) -> np.ndarray:
        """(n, d) float32 unit vectors of texts, each put into `template` (default: the model's).

        Raises `InvalidQuery` for a text without a word in it, and a template without ``{}``.
        """
        from audiosearch.models.model import apply_template

        for text in texts:
            check_text(text)
        template = model.bundle.query_template if template is None else template
        return self._texts.embed(model, [apply_template(template, text) for text in texts])

    def search(
        self,
        terms: Sequence[Term],
        k: int,
        condition: Filter,
        *,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
    ) -> list[Hit]:
        """The k nearest sounds that meet the condition, best first; see `Library.search`."""
        vector: np.ndarray | None = None
        composed_with: str | None = None
        for attempt in range(_SNAPSHOT_TRIES):
            with self._reader.snapshot() as connection:
                stored = reading.active_model(connection)
                if stored is None:
                    return []
                if vector is None or composed_with != stored.digest:
                    vector = self._composed(connection, terms, stored, template)
                    composed_with = stored.digest
                try:
                    search = self._state.current(
                        connection, stored, newer=attempt + 1 == _SNAPSHOT_TRIES
                    )
                except SnapshotTooOld:
                    continue
                return self._hits(connection, search, vector, condition, k, moments, group)
        raise AssertionError("unreachable")

    def _composed(
        self,
        connection: Connection,
        terms: Sequence[Term],
        stored: StoredModel,
        template: str | None,
    ) -> np.ndarray:
        """(d,) unit vector of the terms; loads the model only where a term needs it."""

        def embed_texts(texts: Sequence[str]) -> np.ndarray:
            return self.embed_texts(self._model.matching(stored), texts, template)

        def embed_part(path: str, start: float, end: float | None) -> np.ndarray:
            from audiosearch.models.embedding import embed_file

            return embed_file(self._model.matching(stored), path, start, end).mean

        return query_vector(connection, terms, stored, embed_texts, embed_part)

    def _hits(
        self,
        connection: Connection,
        search: WindowSearch,
        vector: np.ndarray,
        condition: Filter,
        k: int,
        moments: bool,
        group: bool,
    ) -> list[Hit]:
        model = search.model
        allowed = None
        if condition:
            allowed = self._state_cache.allowed(
                search.generation,
                model.digest,
                condition,
                lambda: reading.allowed_windows(connection, condition, model.id),
            )
        sample = self._state_cache.sample(
            search.generation,
            model.digest,
            lambda: Sample(connection, model.id, model.dimension),
        )
        count = min(k, search.count)
        if moments:
            base = sample.median(vector)
            best = ranking.all_moments(connection, search, vector, count, allowed, base)
        else:
            best = ranking.best_moments(connection, search, vector, count, allowed)
        best = ranking.leading(best, count)
        scores = sorted({moment.score for moment in best})
        percentiles = sample.percentiles(vector, np.array(scores, dtype=np.float32))
        return ranking.make_hits(
            best,
            reading.sounds_of_contents(connection, [m.content_id for m in best], condition),
            dict(zip(scores, percentiles.tolist(), strict=True)),
            k,
            group,
        )
