"""`Library` is a directory of embeddings: a program searches it and writes it through this class.

The class is a facade: `audiosearch.search` searches, `audiosearch.care` examines, and `indexer`
writes. Times are in seconds, vectors are float32 of unit length, scores are cosines. Reading is
thread-safe and needs no lock. Each call sees one state of the library, and the next call sees what
a writer has finished meanwhile. Writing (`add`, `remove`, `describe`) holds the writer's lock while
it lasts. The examples use a library of `sample_library`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import paths
from audiosearch.catalog import reading
from audiosearch.catalog.filters import make_filter
from audiosearch.catalog.records import Sound, StoredModel
from audiosearch.contents import FilePath, LibraryContents, Where
from audiosearch.models.active import ActiveModel
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.models.identity import check_same_model
from audiosearch.results import Classification, Hit
from audiosearch.search.engine import SearchEngine
from audiosearch.search.query import Match, Query, Term, as_terms

if TYPE_CHECKING:
    from audiosearch.models.model import Model
    from indexer.moves import MoveSummary
    from indexer.progress import Progress
    from indexer.summary import RemovalSummary, Summary


class Library(LibraryContents):
    """An open library. `Library.open` makes one. Close it after use, or use it in a ``with`` block."""

    def __init__(self, directory: Path, model: Model | None, shared: bool = False) -> None:
        # A shared library decodes on every processor; any other decodes one file at a time.
        super().__init__(directory, decoders=(os.cpu_count() or 1) if shared else 1)
        self._model = ActiveModel(directory, model)
        self._engine = SearchEngine(self._reader, self._model, self._decoding, shared=shared)

    @classmethod
    def open(
        cls,
        directory: FilePath | None = None,
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

        where = paths.user_path(directory) if directory is not None else paths.default_library()
        if create:
            from indexer.store import create_library

            create_library(where)
        required = model if isinstance(model, Model) else load_model(model) if model else None
        library = cls(where, required, shared)
        try:
            library._check_schema()
            stored = library._stored_model()
            if required and stored:
                check_same_model(required, stored, where)
        except BaseException:
            library.close()
            raise
        return library

    @property
    def model(self) -> Model:
        """The model that this library's vectors come from. It is loaded at first use.

        Raises `ModelMismatch` where the installed model of that name did not build the library.

        >>> library.model.dimension
        512
        """
        return self._model.matching(self._stored_model())

    def _stored_model(self) -> StoredModel | None:
        with self._reader.snapshot() as connection:
            return reading.active_model(connection)

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

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        where: Where = None,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
        match: Match = "both",
    ) -> list[Hit]:
        """Return the k nearest sounds, best first.

        `query` is a text, a `Term`, a sequence of them, or a vector (d,). `where` is a `Filter` or
        a mapping of its fields; the library applies it before it compares any vector. `template`
        replaces the model's template for text terms; it holds ``{}``. With `moments`, every stretch
        that stands out is a hit, not only the best window of each sound. With `group`, sounds with
        identical content are one hit. `match` is ``sound``, ``both`` or ``words``: ``sound``
        compares vectors alone; ``both`` also moves up sounds whose names or metadata hold words of
        the query; ``words`` ranks by these words alone.

        Raises `InvalidQuery`, `SoundNotFound` or `AudioRejected`.

        >>> [hit] = library.search("campfire crackling", k=1, where={"duration": (1, 30)})
        >>> os.path.basename(hit.path), hit.start < hit.end <= hit.duration
        ('campfire.ogg', True)
        """
        return self._engine.search(
            as_terms(query),
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
        group: bool = False,
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

    def classify(
        self,
        files: Iterable[FilePath | int],
        labels: Sequence[str],
        *,
        template: str | None = None,
        multi: bool = False,
    ) -> Iterator[Classification]:
        """Score files, or stored sounds by their ids, against labels, without training (zero-shot).

        `results.Label` explains the scores. With `multi`, labels do not exclude each other, and
        each takes its score from its best window. A file need not be in the library; an unchanged
        file of the library gives its stored vectors. `template` is as in `search`. Raises
        `InvalidQuery`, `AudioRejected` or `SoundNotFound`.

        >>> [dogs] = library.classify(["sample_library/animals/dogs.mp3"], ["rain", "dog"])
        >>> dogs.labels[0].label
        'dog'
        """
        sounds = [file if isinstance(file, int) else os.fspath(file) for file in files]
        return self._engine.classify(sounds, labels, template=template, multi=multi)

    def add(
        self,
        what: Iterable[FilePath] | FilePath = (),
        *,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
        exclude: Iterable[str] = (),
        follow_symlinks: bool = False,
        prune: bool = False,
        rehash: bool = False,
        retry: bool = False,
        dry_run: bool = False,
        model: str | None = None,
        workers: int | None = None,
        wait: float | None = 0.0,
    ) -> Summary:
        """Index folders and single files; without `what`, all folders of the library again.

        The run sets `metadata` (JSON) and `external_id` on every sound that it indexes or meets
        unchanged. A file that cannot be embedded is a failure in the summary, not an error.
        `on_progress` receives the progress. `cancel`, once set, ends the run after the current
        batch. The options from `exclude` on are those of `indexer.options.Options`.

        Raises `LibraryBusy`, `LibraryReadOnly`, `InvalidQuery`, `SoundNotFound`, `ModelNotFound` or
        `ModelMismatch`.

        >>> library.add("sample_library/fire").unchanged
        1
        """
        from indexer.options import Options
        from indexer.run import index

        sources = [what] if isinstance(what, str | os.PathLike) else what
        options = Options(
            exclude=tuple(exclude),
            follow_symlinks=follow_symlinks,
            prune=prune,
            rehash=rehash,
            retry=retry,
            dry_run=dry_run,
            model=model,
            workers=workers,
            wait=wait,
        )
        return index(
            self.directory,
            [os.fspath(path) for path in sources],
            options,
            metadata=metadata,
            external_id=external_id,
            on_progress=on_progress,
            cancel=cancel,
            model=self._model.loaded(self._stored_model()),
            standby=self._decoding.standby,
        )

    def remove(
        self, what: Iterable[FilePath | int] | FilePath | int, *, dry_run: bool = False
    ) -> RemovalSummary:
        """Forget sounds by path or id, or all sounds below a folder.

        The files themselves stay as they are. With `dry_run`, nothing changes. Returns the paths.
        Raises `SoundNotFound` or `LibraryBusy`.

        >>> len(library.remove("sample_library/fire", dry_run=True).paths)
        1
        """
        from indexer.remove import remove

        targets = [what] if isinstance(what, str | os.PathLike | int) else what
        named = [which if isinstance(which, int) else os.fspath(which) for which in targets]
        return remove(self.directory, named, dry_run=dry_run)

    def move_root(self, old: FilePath, new: FilePath, *, dry_run: bool = False) -> MoveSummary:
        """Give a folder of the library that was moved or renamed its new path. No file is read.

        Raises `SoundNotFound` or `LibraryBusy`.

        >>> library.move_root("sample_library", "sample_library", dry_run=True).merged
        0
        """
        from indexer.moves import move_root

        return move_root(self.directory, os.fspath(old), os.fspath(new), dry_run=dry_run)

    def describe(
        self,
        which: int | FilePath,
        *,
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sound:
        """Set a sound's `external_id`, or replace its `metadata`, or both; `None` changes nothing.

        Returns the sound. Raises `SoundNotFound`, and the errors of `describe_many`.

        >>> library.describe("sample_library/animals/dogs.mp3", metadata={"take": 3}).metadata
        {'take': 3}
        """
        sound = self.sound(which)
        self.describe_many([(sound.id, external_id, metadata)])
        return self.sound(sound.id)

    def describe_many(
        self, sounds: Iterable[tuple[int, str | None, Mapping[str, Any] | None]]
    ) -> None:
        """Set `external_id` and `metadata` of many sounds in one transaction.

        Each of `sounds` is (id, `external_id`, `metadata`); `None` changes nothing, and ids that are
        not in the library are skipped. Raises `InvalidQuery` for metadata that JSON cannot hold,
        `LibraryBusy` where another writer does not finish within 30 s.

        >>> library.describe_many([(1, "asset-1", None), (2, "asset-2", {"rights": "cleared"})])
        >>> library.sound(2).external_id
        'asset-2'
        """
        from indexer.store import Belongings, describe

        described = [(sound, Belongings(named, about)) for sound, named, about in sounds]
        describe(self.directory, described)
