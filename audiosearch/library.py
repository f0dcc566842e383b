"""`Library` is a directory of embeddings: a program searches it and writes it through this class.

The class is a facade: `audiosearch.search` searches, `audiosearch.care` examines, and `indexer`
writes. Times are in seconds, vectors are float32 of unit length, scores are cosines. Reading is
thread-safe and needs no lock. Each call sees one state of the library, and the next call sees what
a writer has finished meanwhile. Writing (`add`, `remove`, `describe`) holds the writer's lock while
it lasts. The examples use a library of `sample_library`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import paths
from audiosearch.catalog.filters import make_filter
from audiosearch.catalog.reader import once_more
from audiosearch.catalog.store import Address, Store, store_at
from audiosearch.contents import FilePath, Where
from audiosearch.errors import InvalidQuery
from audiosearch.library_heads import LibraryHeads
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.models.identity import check_same_model
from audiosearch.results import Classification, Facets, Hit, Suggestion, UcsSuggestions
from audiosearch.search.engine import SearchEngine
from audiosearch.search.facet_search import FacetSearch
from audiosearch.search.query import Group, Match, Query, Term, as_terms
from audiosearch.writing import LibraryWriting

if TYPE_CHECKING:
    from audiosearch.models.model import Model


class Library(LibraryWriting):
    """An open library. `Library.open` makes one. Close it after use, or use it in a ``with`` block."""

    def __init__(self, store: Store, model: Model | None, shared: bool = False) -> None:
        # A shared library decodes on every processor; any other decodes one file at a time.
        super().__init__(store, model, decoders=(os.cpu_count() or 1) if shared else 1)
        self._engine = SearchEngine(
            self._reader, self._model, self._decoding, self._head_scores, shared=shared
        )
        self._facets = FacetSearch(self._reader, self._engine, self._head_scores)

    @classmethod
    def open(
        cls,
        directory: Address | None = None,
        *,
        model: str | Model | None = None,
        create: bool = False,
        shared: bool = False,
    ) -> Library:
        """Open the library in `directory` (default: ``$AUDIOSEARCH_LIBRARY``, else the user's own).

        `model` is the name of a model, or a loaded `Model`, that the library must have. By default
        the library uses its own model, also after another process has switched it. `create` makes
        an empty library where there is none. `shared` is for programs that search in many threads
        at once: waiting texts go through the text tower together, and their vectors are within 1e-6
        of those of single texts, not equal to the bit.

        Raises `LibraryNotFound`, `LibraryTooNew`, `LibraryDamaged`, `ModelNotFound`, `ModelMismatch`.

        >>> with Library.open(library.directory) as opened:
        ...     opened.status().model == library.status().model
        True
        """
        from audiosearch.models.model import Model
        from audiosearch.models.registry import load_model

        store = store_at(paths.default_library() if directory is None else directory)
        if create:
            from indexer.store import create_library

            create_library(store)
        required = model if isinstance(model, Model) else load_model(model) if model else None
        library = cls(store, required, shared)
        try:
            library._check_schema()
            stored = library._stored_model()
            if required and stored:
                check_same_model(required, stored, store.name)
        except BaseException:
            library.close()
            raise
        return library

    @property
    def heads(self) -> LibraryHeads:
        """The heads of this library: classifiers that are trained on labelled sounds.

        >>> library.heads.all()
        []
        """
        return LibraryHeads(self.store, self._reader, self._model, self._decoding)

    def embed_text(self, texts: Sequence[str], *, template: str | None = None) -> np.ndarray:
        """Return the unit vectors (n, d) of n texts, float32.

        The template goes around each text; by default it is the model's. Raises `InvalidQuery` for
        an empty text, or a template without ``{}``.

        >>> library.embed_text(["a door slams", "rain"]).shape
        (2, 512)
        """
        return self._engine.embed_texts(self.model, texts, template)

    def embed_audio(
        self, path: FilePath, start: float = 0.0, end: float | None = None
    ) -> np.ndarray:
        """Return the unit vector (d,), float32, of a file or of its part from `start` to `end`
        seconds: the mean of its windows. Raises `AudioRejected` where there is none.

        >>> library.embed_audio("sample_library/animals/dogs.mp3", start=1, end=4).shape
        (512,)
        """
        return self.embed_windows(path, start, end).mean

    def embed_windows(
        self, path: FilePath, start: float = 0.0, end: float | None = None
    ) -> EmbeddedFile:
        """Return the windows of a file, or of a part as in `embed_audio`, with their vectors.

        Raises `AudioRejected`, also where the file crashed its decoder.

        >>> library.embed_windows("sample_library/animals/dogs.mp3", start=1, end=4).vectors.shape
        (1, 512)
        """
        return self._decoding.reader.embed(self.model, path, start, end)

    @once_more
    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        where: Where = None,
        template: str | None = None,
        moments: bool = False,
        group: Group = False,
        match: Match = "both",
    ) -> list[Hit]:
        """Return the k nearest sounds, best first.

        `query` is a text, a `Term`, a sequence of them, or a vector (d,). `where` is a `Filter` or
        a mapping of its fields; the library applies it before it compares any vector. `template`
        replaces the model's template for text terms; it holds ``{}``. With `moments`, every stretch
        that stands out is a hit, not only the best window of each sound. With `group`, sounds with
        identical content are one hit; with ``group="near"``, near-duplicates are too (see
        `duplicates`): the library decodes those that it has not compared before. `match` is
        ``sound``, ``both`` or ``words``: ``sound`` compares vectors alone; ``both`` also moves up
        sounds whose names or metadata hold words of
        the query; ``words`` ranks by these words alone.

        Raises `InvalidQuery`, `SoundNotFound` or `AudioRejected`.

        >>> [hit] = library.search("campfire crackling", k=1, where={"duration": (1, 30)})
        >>> os.path.basename(hit.path), hit.start < hit.end <= hit.duration
        ('campfire.ogg', True)
        """
        terms, condition = as_terms(query), make_filter(where)

        def ranked(count: int) -> list[Hit]:
            return self._engine.search(
                terms,
                count,
                condition,
                template=template,
                moments=moments,
                group=bool(group),
                match=match,
            )

        if group not in (False, True, "near"):
            raise InvalidQuery(f"group must be true, false or near, not {group!r}")
        if group != "near" or k < 1:
            return ranked(k)
        if moments:
            raise InvalidQuery("moments of a sound cannot be folded: leave moments or near out")
        from indexer.duplicates import folded

        return folded(self._reader, self._decoding, ranked, k)

    @once_more
    def search_many(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        where: Where = None,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
        match: Match = "both",
    ) -> list[list[Hit]]:
        """Return the hits of each query, as `search` gives them, over one state of the library.

        Several short queries at once take less time than one after the other. Raises what `search`
        raises, where any of the queries is to blame.

        >>> [[hit.rank for hit in hits] for hits in library.search_many(["rain", "a dog"], k=2)]
        [[1, 2], [1, 2]]
        """
        return self._engine.search_many(
            [as_terms(query) for query in queries],
            k,
            make_filter(where),
            template=template,
            moments=moments,
            group=group,
            match=match,
        )

    def similar(
        self,
        sound: FilePath | int,
        k: int = 10,
        *,
        start: float = 0.0,
        end: float | None = None,
        where: Where = None,
        moments: bool = False,
        group: Group = False,
    ) -> list[Hit]:
        """Return the k sounds nearest to one sound, best first.

        `sound` is the path of a file, in the library or not, or the id of a stored sound. A stored
        sound is itself among the hits. `start` and `end` (seconds) limit it to a part. The other
        parameters and the errors are those of `search`.

        >>> [hit] = library.similar("sample_library/animals/dogs.mp3", k=1)
        >>> os.path.basename(hit.path)
        'dogs.mp3'
        """
        if isinstance(sound, int):
            term = Term(id=sound, start=start, end=end)
        else:
            term = Term(path=os.fspath(sound), start=start, end=end)
        return self.search(term, k, where=where, moments=moments, group=group)

    @once_more
    def suggestions(self, k: int = 12) -> list[Suggestion]:
        """Return up to k short queries that this library answers well, each of another kind of sound.

        They come from a sample of 1,000 sounds, and are made once for each state of the library.

        >>> [first] = library.suggestions(1)
        >>> library.search(first.text, 1)[0].score >= first.score - 1e-6
        True
        """
        if k < 1:
            raise InvalidQuery(f"k must be at least 1, not {k}")
        return self._engine.suggestions()[:k]

    @once_more
    def facets(
        self,
        where: Where = None,
        metadata: Sequence[str] = (),
        *,
        query: Query | None = None,
        template: str | None = None,
        match: Match = "both",
        min_score: float | None = None,
    ) -> Facets:
        """Count the sounds that pass the filter `where`, by what people filter by, and by the values
        of the fields of their `metadata` that are named.

        The counts of a property leave its own filter out, so that the other choices stay visible.
        With a `query`, only its hits count: the sounds whose score is two standard deviations above
        the library's average for the query (at least ten of the library), and those whose names or
        metadata hold half of what its words say. With `min_score`, the hits are the sounds with at
        least that score instead. `query`, `template` and `match` are as in `search`; the words
        alone decide with ``words``.

        Raises the errors of `search`.

        >>> library.facets(where={"path": "*/fire/*"}).channels
        {1: 1}
        >>> library.facets(query="campfire crackling").sounds < library.facets().sounds
        True
        """
        condition = make_filter(where)
        if query is None:
            return self._facets.of_library(condition, metadata)
        return self._facets.of_hits(
            as_terms(query),
            condition,
            metadata,
            template=template,
            match=match,
            min_score=min_score,
        )

    def classify(
        self,
        files: Iterable[FilePath | int],
        labels: Sequence[str] | None = None,
        *,
        head: str | None = None,
        template: str | None = None,
        multi: bool = False,
    ) -> Iterator[Classification]:
        """Score files, or stored sounds by their ids, against labels, without training (zero-shot),
        or with a `head` that was trained before (`heads`).

        `results.Label` explains the scores. With `multi`, labels do not exclude each other, and
        each takes its score from its best window. A file need not be in the library; an unchanged
        file of the library gives its stored vectors. `template` is as in `search`. With a
        head, its own labels come with calibrated probabilities. Raises `InvalidQuery`,
        `AudioRejected`, `SoundNotFound`, `HeadNotFound`, or `HeadMismatch` for a head of another
        model.

        >>> [dogs] = library.classify(["sample_library/animals/dogs.mp3"], ["rain", "dog"])
        >>> dogs.labels[0].label
        'dog'
        """
        sounds = [file if isinstance(file, int) else os.fspath(file) for file in files]
        if (head is None) == (labels is None):
            raise InvalidQuery("classification takes labels, or the name of a head, and not both")
        if head is not None:
            if template is not None or multi:
                raise InvalidQuery("a head has labels of its own: leave template and multi out")
            return self._engine.classify_by_head(sounds, head)
        assert labels is not None
        return self._engine.classify(sounds, labels, template=template, multi=multi)

    def suggest_ucs(
        self, where: Where = None, k: int = 1, *, offset: int = 0, limit: int | None = None
    ) -> Iterator[UcsSuggestions]:
        """Suggest k categories of the Universal Category System for each sound that passes the filter
        and has none, ordered by path. The first `offset` sounds are left out, and at most `limit`
        follow.

        The library must have a list (`set_ucs_list`). Suggestions are guesses, and are not stored
        unless you keep them (`keep_ucs`). Raises `InvalidQuery`.

        >>> _ = (folder / "ucs.csv").write_text(
        ...     "Category,SubCategory,CatID\\nANIMALS,DOG,ANMLDog\\nRAIN,GENERAL,RAINGenl"
        ... )
        >>> library.set_ucs_list(folder / "ucs.csv")
        2
        >>> [dogs] = library.suggest_ucs({"path": "dogs.mp3"})
        >>> dogs.suggestions[0].cat_id
        'ANMLDog'
        """
        return self._engine.suggest_ucs(self._resolved(where), k, offset, limit)
