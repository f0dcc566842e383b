"""`SearchEngine` turns the terms of a query into ranked hits, over one open library.

Each search sees one state of the library. The engine keeps the vectors of texts and the sample
for percentiles between searches. Their keys are the model's digest and
the library's generation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar, get_args

import numpy as np
from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.filters import Filter
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.records import StoredModel
from audiosearch.errors import InvalidQuery
from audiosearch.heads.head import Head, load_head
from audiosearch.heads.scores import HeadScores
from audiosearch.models.active import ActiveModel
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.results import Classification, Hit, Suggestion, UcsSuggestions
from audiosearch.search.chance import stored_chance
from audiosearch.search.classification import classify, classify_by_head
from audiosearch.search.composition import path_of, query_vector, stored_windows
from audiosearch.search.hits import Query, hits_by_sound, hits_by_words
from audiosearch.search.hybrid import words_in_state
from audiosearch.search.isolation import Isolation
from audiosearch.search.query import Match, Term, check_text
from audiosearch.search.sample import Sample
from audiosearch.search.state_cache import StateCache
from audiosearch.search.suggestions import Suggestions
from audiosearch.search.text_vectors import TextVectors
from audiosearch.search.words import NO_MATCHES, WordMatches
from audiosearch.vectors.cachefile import SnapshotTooOld
from audiosearch.vectors.window_index import WindowSearch
from audiosearch.vectors.window_search import SearchState

if TYPE_CHECKING:
    from audiosearch.models.model import Model

# A reader whose snapshot is older than the cache file takes a new one; the file changes once a run.
_SNAPSHOT_TRIES = 5


Answer = TypeVar("Answer")

# The unit vector (d,) of a query, and what its words match.
_Composed = tuple[np.ndarray, WordMatches]


class SearchEngine:
    """The search over the library that `reader` reads. It is thread-safe.

    `decoding` reads files that are not in the library. `shared` is as in `TextVectors`.
    """

    def __init__(
        self,
        reader: CatalogReader,
        model: ActiveModel,
        decoding: Isolation,
        head_scores: HeadScores,
        *,
        shared: bool = False,
    ) -> None:
        self._head_scores = head_scores
        self._reader = reader
        self._model = model
        self._decoding = decoding
        self._texts = TextVectors(shared=shared)
        self._state = SearchState(reader.store.directory)
        self.state_cache: StateCache[Sample] = StateCache()
        self._suggestions = Suggestions()

    def embed_texts(
        self,
        model: Model,
        texts: Sequence[str],
        template: str | None = None,
        *,
        together: bool = False,
    ) -> np.ndarray:
        """Return the unit vectors (n, d) of n texts, float32, each in `template` (default: the
        model's). `together` is as in `TextVectors.embed`.

        Raises `InvalidQuery` for a text without a word, and for a template without ``{}``.
        """
        from audiosearch.models.model import apply_template

        for text in texts:
            check_text(text)
        template = model.bundle.query_template if template is None else template
        prompts = [apply_template(template, text) for text in texts]
        return self._texts.embed(model, prompts, together=together)

    def search(
        self,
        terms: Sequence[Term],
        k: int,
        condition: Filter,
        *,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
        match: Match = "both",
    ) -> list[Hit]:
        """Return the k nearest sounds that meet the condition, best first; see `Library.search`."""
        [hits] = self.search_many(
            [terms], k, condition, template=template, moments=moments, group=group, match=match
        )
        return hits

    def search_many(
        self,
        queries: Sequence[Sequence[Term]],
        k: int,
        condition: Filter,
        *,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
        match: Match = "both",
    ) -> list[list[Hit]]:
        """Return the hits of each query over one state; see `Library.search_many`."""
        if k < 1:
            raise InvalidQuery(f"k must be at least 1, not {k}")

        def hits(
            connection: Connection, search: WindowSearch, composed: Sequence[_Composed]
        ) -> list[list[Hit]]:
            resolved = self._head_scores.resolved(connection, condition)
            if len(composed) > 1:
                search = search.for_queries([vector for vector, _ in composed])
            # What chance reaches was measured with such queries.
            judged = [
                template is None
                and all(term.text is not None and term.weight > 0 for term in terms)
                for terms in queries
            ]
            margin = self._margin(connection, search.model) if any(judged) else None
            answers = []
            for (vector, words), by_chance in zip(composed, judged, strict=True):
                floor = margin if by_chance else None
                query = Query(vector, resolved, k, moments, group, words, floor)
                sample = self.sample(connection, search)
                by = hits_by_words if match == "words" else hits_by_sound
                answers.append(by(connection, search, sample, query))
            return answers

        answers = self._over_one_state(queries, hits, template=template, match=match)
        return answers if answers is not None else [[] for _ in queries]

    def _margin(self, connection: Connection, stored: StoredModel) -> float | None:
        """Return how far the hits of made-up words stand out, if it was measured."""
        chance = stored_chance(connection, self._model.matching(stored))
        return chance.margin if chance else None

    def over_one_state(
        self,
        terms: Sequence[Term],
        answer: Callable[[Connection, WindowSearch, np.ndarray, WordMatches], Answer],
        *,
        template: str | None,
        match: Match,
    ) -> Answer | None:
        """Return what `answer` makes of the vector (d,) and the word matches of the terms, over one
        state of the library; `None` for a library without model.
        """

        def of_one(
            connection: Connection, search: WindowSearch, composed: Sequence[_Composed]
        ) -> Answer:
            return answer(connection, search, *composed[0])

        return self._over_one_state([terms], of_one, template=template, match=match)

    def _over_one_state(
        self,
        queries: Sequence[Sequence[Term]],
        answer: Callable[[Connection, WindowSearch, Sequence[_Composed]], Answer],
        *,
        template: str | None,
        match: Match,
    ) -> Answer | None:
        if match not in get_args(Match):
            raise InvalidQuery(f"match must be both, sound or words, not {match!r}")
        vectors: list[np.ndarray] = []
        composed_with: str | None = None
        for attempt in range(_SNAPSHOT_TRIES):
            with self._reader.snapshot() as connection:
                stored = reading.active_model(connection)
                if stored is None:
                    return None
                if composed_with != stored.digest:
                    vectors = self._all_composed(connection, queries, stored, template)
                    composed_with = stored.digest
                try:
                    search = self._state.current(
                        connection, stored, newer=attempt + 1 == _SNAPSHOT_TRIES
                    )
                except SnapshotTooOld:
                    continue
                words = [NO_MATCHES] * len(queries)
                if match != "sound":
                    words = [
                        words_in_state(connection, self.state_cache, search, _positive(terms))
                        for terms in queries
                    ]
                return answer(connection, search, list(zip(vectors, words, strict=True)))
        raise AssertionError("unreachable")

    def suggestions(self) -> list[Suggestion]:
        """Return short queries that the library answers well, best first."""
        for attempt in range(_SNAPSHOT_TRIES):
            with self._reader.snapshot() as connection:
                stored = reading.active_model(connection)
                if stored is None:
                    return []
                try:
                    search = self._state.current(
                        connection, stored, newer=attempt + 1 == _SNAPSHOT_TRIES
                    )
                except SnapshotTooOld:
                    continue
                sample = self.sample(connection, search)
                model = self._model.matching(stored)
                return self._suggestions.get(connection, search, sample, model)
        raise AssertionError("unreachable")

    def classify(
        self,
        sounds: Sequence[int | str],
        labels: Sequence[str],
        *,
        template: str | None = None,
        multi: bool = False,
    ) -> Iterator[Classification]:
        """Score stored sounds by id, or files by path, against labels; see `Library.classify`."""
        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            names = [path_of(connection, sound) for sound in sounds]
        model = self._model.matching(stored)
        windows_of = self._windows_of(dict(zip(names, sounds, strict=True)), stored)
        return classify(model, names, labels, template, multi, windows_of)

    def classify_by_head(
        self, sounds: Sequence[int | str], head: str | Head
    ) -> Iterator[Classification]:
        """Score stored sounds by id, or files by path, with a head; see `Library.classify`."""
        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            if isinstance(head, str):
                head = load_head(connection, head, stored)
            names = [path_of(connection, sound) for sound in sounds]
        windows_of = self._windows_of(dict(zip(names, sounds, strict=True)), stored)
        return classify_by_head(head, names, windows_of)

    def _windows_of(
        self, sound_of: dict[str, int | str], stored: StoredModel | None
    ) -> Callable[[str], EmbeddedFile]:
        """Return a function that gives the windows of a sound by its path: the stored ones, or
        fresh ones of a file that is not in the library or has changed.
        """

        def windows_of(name: str) -> EmbeddedFile:
            with self._reader.snapshot() as connection:
                stored_file = stored and stored_windows(connection, sound_of[name], stored)
            return stored_file or self._decoding.reader.embed(self._model.matching(stored), name)

        return windows_of

    def suggest_ucs(
        self, condition: Filter, k: int, offset: int = 0, limit: int | None = None
    ) -> Iterator[UcsSuggestions]:
        """Yield suggestions of UCS categories; see `Library.suggest_ucs`."""
        from audiosearch.search.ucs_suggestions import suggest

        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            if stored is None:
                return
            embed = partial(self.embed_texts, self._model.matching(stored))
            yield from suggest(connection, stored, condition, k, embed, offset, limit)

    def _all_composed(
        self,
        connection: Connection,
        queries: Sequence[Sequence[Term]],
        stored: StoredModel,
        template: str | None,
    ) -> list[np.ndarray]:
        """Return the unit vector (d,) of each query."""
        texts = [term.text for terms in queries for term in terms if term.text is not None]
        if len(queries) > 1 and texts:  # all at once, so that each query knows its own
            self.embed_texts(self._model.matching(stored), texts, template, together=True)
        return [self._composed(connection, terms, stored, template) for terms in queries]

    def _composed(
        self,
        connection: Connection,
        terms: Sequence[Term],
        stored: StoredModel,
        template: str | None,
    ) -> np.ndarray:
        """Return the unit vector (d,) of the terms; load the model only where a term needs it."""

        def embed_texts(texts: Sequence[str]) -> np.ndarray:
            return self.embed_texts(self._model.matching(stored), texts, template)

        def embed_part(path: str, start: float, end: float | None) -> np.ndarray:
            return self._decoding.reader.embed(self._model.matching(stored), path, start, end).mean

        return query_vector(connection, terms, stored, embed_texts, embed_part)

    def sample(self, connection: Connection, search: WindowSearch) -> Sample:
        """Return the sample of a state, which percentiles refer to."""
        model = search.model
        return self.state_cache.sample(
            search.generation,
            model.digest,
            lambda: Sample(
                connection,
                model.id,
                model.dimension,
                self.state_cache.previous_sample(search.generation, model.digest),
            ),
        )


def _positive(terms: Sequence[Term]) -> list[str]:
    """Return the texts to look for."""
    return [term.text for term in terms if term.text is not None and term.weight > 0]
