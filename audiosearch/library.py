"""`Library`: a directory of embeddings that can be searched, and through which it is written.

    with Library.open("~/sfx.library") as library:
        for hit in library.search("campfire crackling", k=10, where={"duration": (1, 30)}):
            print(hit.score, hit.path, hit.start, hit.end)

Reading is thread-safe and needs no lock; each call sees one state of the library, and the next call
sees what a writer has finished meanwhile. Writing (`add`, `remove`, `describe`) takes the writer's
lock for as long as it lasts.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection

from audiosearch import paths, query, ranking
from audiosearch.audio.isolation import Isolation
from audiosearch.catalog import database, migrations, reading
from audiosearch.catalog.facets import facets
from audiosearch.catalog.filters import Filter, make_filter
from audiosearch.catalog.records import Sound
from audiosearch.embedding import EmbeddedFile
from audiosearch.errors import InvalidQuery, LibraryDamaged, SoundNotFound
from audiosearch.identity import check_same_model
from audiosearch.results import Classification, Facets, Failure, Hit, Status
from audiosearch.status import library_status
from audiosearch.terms import query_vector, stored_windows
from audiosearch.vectors.cachefile import SnapshotTooOld
from audiosearch.vectors.search import SearchState, WindowSearch

if TYPE_CHECKING:
    import threading as _threading

    from audiosearch.audio.peaks import Peaks
    from audiosearch.models.model import Model
    from audiosearch.models.together import Together
    from indexer.progress import Progress
    from indexer.summary import RemovalSummary, Summary

Where = Filter | Mapping[str, Any] | None

# A reader whose snapshot is older than the cache file takes a new one; the file changes once a run.
_SNAPSHOT_TRIES = 5

# Filters whose windows are remembered for the present state of the library.
_FILTERS_KEPT = 32

# Texts that go through the text tower together: more gain nothing, and make the first wait for the
# last.
_TEXTS_TOGETHER = 16

# Texts whose vectors are remembered, 2 KB each: people ask for the next page, and for the same
# again.
_TEXTS_KEPT = 1_000


class Library:
    """An open library. Make one with `Library.open`; close it, or use it in a ``with`` block."""

    def __init__(self, directory: Path, model: Model | None, shared: bool = False) -> None:
        self.directory = directory
        self._shared = shared
        # A library that many ask decodes on every processor, any other one file at a time.
        self._decoding = Isolation((os.cpu_count() or 1) if shared else 1)
        self._together: Together[str] | None = None
        self._engine = database.reader(directory)
        self._model = model
        self._model_lock = threading.Lock()
        self._search_state = SearchState(directory)
        self._text_vectors: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._per_state: tuple[tuple[int, int], dict[Any, Any]] | None = None

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str] | None = None,
        *,
        model: str | Model | None = None,
        create: bool = False,
        shared: bool = False,
    ) -> Library:
        """Open the library in `directory` (default: ``$AUDIOSEARCH_LIBRARY``, else the user's own).

        `model`: a name or a loaded `Model` to insist on; by default, the one that the library was
        built with. `create`: make an empty library where there is none. `shared`: for many threads
        that ask at once; texts that wait go through the text tower together, and their vectors are
        within 1e-6 of what they are alone, not equal to the bit. Raises `LibraryNotFound`,
        `LibraryTooNew`, `LibraryDamaged`, `ModelNotFound` or `ModelMismatch`.
        """
        from audiosearch.models.model import Model
        from audiosearch.models.registry import load_model

        where = Path(directory).expanduser() if directory is not None else paths.default_library()
        if create:
            from indexer.store import create_library

            create_library(where)
        given = model if isinstance(model, Model) else load_model(model) if model else None
        library = cls(where, given, shared)
        try:
            with library._reading() as connection:
                version = migrations.check_version(connection, str(where))
                stored = reading.active_model(connection) if version else None
            if not version:
                raise LibraryDamaged(f"{where / database.DATABASE} is not a library of audiosearch")
            if version < migrations.SCHEMA_VERSION:
                from indexer.store import upgrade_library

                upgrade_library(where)
            if given and stored:
                check_same_model(given, stored, where)
        except BaseException:
            library.close()
            raise
        return library

    def close(self) -> None:
        """Give back connections, files and decoding processes."""
        self._decoding.close()
        self._engine.dispose()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One snapshot of the database."""
        with database.translating(self.directory), self._engine.connect() as connection:
            try:
                yield connection
            except (UnicodeDecodeError, json.JSONDecodeError) as error:
                raise LibraryDamaged(
                    f"the library {self.directory} holds text that was not written so ({error}): "
                    "see audiosearch doctor"
                ) from error

    # -- the model ----------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model that this library's vectors come from, loaded at first use.

        Raises `ModelMismatch` where the model of that name is not the one that built the library.
        """
        with self._model_lock:
            if self._model is None:
                from audiosearch.models.registry import load_model

                with self._reading() as connection:
                    stored = reading.active_model(connection)
                model = load_model(stored.name) if stored else load_model()
                if stored:
                    check_same_model(model, stored, self.directory)
                self._model = model
            return self._model

    def embed_text(self, texts: Sequence[str], *, template: str | None = None) -> np.ndarray:
        """(n, d) float32 unit vectors of texts, each put into `template` (default: the model's
        own).
        """
        from audiosearch.models.model import apply_template

        model = self.model
        chosen = model.bundle.query_template if template is None else template
        for text in texts:
            query.check_text(text)
        vectors = np.empty((len(texts), model.dimension), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[:] = self._text_vector(model, apply_template(chosen, text))
        return vectors

    def _text_vector(self, model: Model, prompt: str) -> np.ndarray:
        """(d,) of a text as it is, computed once as long as it is remembered."""
        key = (model.identity.digest, prompt)
        with self._model_lock:
            if key in self._text_vectors:
                self._text_vectors.move_to_end(key)
                return self._text_vectors[key]
        vector = self._encode(model, prompt)
        vector.setflags(write=False)
        with self._model_lock:
            self._text_vectors[key] = vector
            if len(self._text_vectors) > _TEXTS_KEPT:
                self._text_vectors.popitem(last=False)
        return vector

    def _encode(self, model: Model, prompt: str) -> np.ndarray:
        if not self._shared:
            found: np.ndarray = model.embed_text([prompt])[0]
            return found
        from audiosearch.models.together import Together

        with self._model_lock:
            if self._together is None:
                self._together = Together(model.embed_text_together, _TEXTS_TOGETHER)
        vector: np.ndarray = self._together.embed([prompt])[0]
        return vector

    def embed_audio(
        self, path: str | os.PathLike[str], start: float = 0.0, end: float | None = None
    ) -> np.ndarray:
        """(d,) float32 unit vector of a file, or of its part from `start` to `end` seconds: the
        mean of its windows.

        Raises `AudioRejected` with the reason where there is none.
        """
        return self.embed_windows(path, start, end).mean

    def embed_windows(
        self, path: str | os.PathLike[str], start: float = 0.0, end: float | None = None
    ) -> EmbeddedFile:
        """The windows of a file, or of its part from `start` to `end` seconds, decoded in a process
        of its own. Raises `AudioRejected`, also where the decoder died of it.
        """
        return self._decoding.reader.embed(self.model, path, start, end)

    # -- searching ----------------------------------------------------------------------------

    def search(
        self,
        what: query.Query,
        k: int = 10,
        *,
        where: Where = None,
        template: str | None = None,
        moments: bool = False,
        group: bool = False,
    ) -> list[Hit]:
        """The k nearest sounds, best first.

        `what`: a text, a `Term`, a sequence of them, or a vector (d,). `where`: a `Filter` or its
        fields as a mapping; it decides before any vector is compared. `template`: in place of the
        model's, for text terms; it holds ``{}``. `moments`: every stretch that stands out is a hit,
        not just the best window of each sound. `group`: sounds with identical content are one hit. Raises
        `InvalidQuery`, `SoundNotFound` or `AudioRejected`.
        """
        if k < 1:
            raise InvalidQuery(f"k must be at least 1, not {k}")
        wanted = make_filter(where)
        terms = query.as_terms(what)
        vector: np.ndarray | None = None
        for attempt in range(_SNAPSHOT_TRIES):
            with self._reading() as connection:
                stored = reading.active_model(connection)
                if stored is None:
                    return []
                if vector is None or len(vector) != stored.dimension:
                    vector = query_vector(
                        connection,
                        terms,
                        stored,
                        partial(self.embed_text, template=template),
                        self.embed_audio,
                    )
                try:
                    search = self._search_state.current(
                        connection, stored, newer=attempt + 1 == _SNAPSHOT_TRIES
                    )
                except SnapshotTooOld:
                    continue
                return self._hits(connection, search, vector, wanted, k, moments, group)
        raise AssertionError("unreachable")

    def similar(
        self,
        sound: str | os.PathLike[str] | int,
        k: int = 10,
        *,
        start: float = 0.0,
        end: float | None = None,
        where: Where = None,
        moments: bool = False,
        group: bool = False,
    ) -> list[Hit]:
        """The k sounds nearest to a file (in the library or not) or to a stored sound's id; itself
        among them.
        """
        if isinstance(sound, int):
            term = query.Term(id=sound)
        else:
            term = query.Term(path=os.fspath(sound), start=start, end=end)
        return self.search(term, k, where=where, moments=moments, group=group)

    def _hits(
        self,
        connection: Connection,
        search: WindowSearch,
        vector: np.ndarray,
        wanted: Filter,
        k: int,
        moments: bool,
        group: bool,
    ) -> list[Hit]:
        model_id = search.model.id
        allowed = None
        if wanted:
            allowed = self._remembered(
                search,
                wanted,
                lambda: reading.allowed_windows(connection, wanted, model_id),
            )
        sample: ranking.Sample = self._remembered(
            search,
            "sample",
            lambda: ranking.Sample(connection, model_id, search.model.dimension),
        )
        count = min(k, search.count)
        if moments:
            base = sample.median(vector)
            found = ranking.all_moments(connection, search, vector, count, allowed, base)
        else:
            found = ranking.best_moments(connection, search, vector, count, allowed)
        found = ranking.leading(found, count)
        scores = sorted({moment.score for moment in found})
        percentiles = sample.percentiles(vector, np.array(scores, dtype=np.float32))
        return ranking.make_hits(
            found,
            reading.sounds_of_contents(connection, [m.content_id for m in found], wanted),
            dict(zip(scores, percentiles.tolist(), strict=True)),
            k,
            group,
        )

    def _remembered(self, search: WindowSearch, key: Any, make: Callable[[], Any]) -> Any:
        """A value that holds for this state of the library only."""
        state = (search.generation, search.model.id)
        kept = self._per_state
        if kept is None or kept[0] != state:
            kept = (state, {})
            self._per_state = kept
        if key not in kept[1]:
            if len(kept[1]) >= _FILTERS_KEPT:
                kept[1].clear()
            kept[1][key] = make()
        return kept[1][key]

    def classify(
        self,
        files: Iterable[str | os.PathLike[str] | int],
        labels: Sequence[str],
        *,
        template: str | None = None,
        multi: bool = False,
    ) -> Iterator[Classification]:
        """Score each file, or stored sound by its id, against labels that need no training
        (zero-shot); see `results.Label` for the scores.

        `multi`: labels do not exclude each other, and each is looked for in every window. Files
        need not be in the library; of one that is, and has not changed, the stored vectors are
        taken. Raises `InvalidQuery`, `AudioRejected`, `SoundNotFound`.
        """
        from audiosearch.classification import classify

        of_path: dict[str, int | str] = {}
        named = []
        for file in files:
            name = self.sound(file).path if isinstance(file, int) else os.fspath(file)
            of_path[name] = file if isinstance(file, int) else name
            named.append(name)

        def windows_of(path: str) -> EmbeddedFile:
            with self._reading() as connection:
                stored = reading.active_model(connection)
                if stored and stored.digest == model.identity.digest:
                    known = stored_windows(connection, of_path[path], stored)
                    if known:
                        return known
            return self._decoding.reader.embed(model, path)

        model = self.model
        return classify(model, named, labels, template, multi, windows_of)

    # -- what is in it ------------------------------------------------------------------------

    def sounds(self, where: Where = None) -> Iterator[Sound]:
        """Every sound with an embedding that passes the filter, by path."""
        wanted = make_filter(where)
        with self._reading() as connection:
            yield from reading.iterate_sounds(connection, wanted, failed=False)

    def sound(self, which: int | str | os.PathLike[str]) -> Sound:
        """A sound by id or path, failed ones too. Raises `SoundNotFound`."""
        with self._reading() as connection:
            if isinstance(which, int):
                found = reading.sound_by_id(connection, which)
            else:
                absolute = os.path.abspath(os.fspath(which))  # noqa: PTH100
                found = reading.sound_by_path(connection, absolute)
        if found is None:
            raise SoundNotFound(f"{which} is not in the library {self.directory}")
        return found

    def page(self, after: int = 0, k: int = 100, *, where: Where = None) -> list[Sound]:
        """The k sounds that follow the id `after`, by id, failed ones too: for walking through a
        library that changes meanwhile."""
        if k < 1:
            raise InvalidQuery(f"k must be at least 1, not {k}")
        with self._reading() as connection:
            return reading.page_of_sounds(connection, make_filter(where), after, k)

    def facets(self, where: Where = None) -> Facets:
        """How many of the sounds that pass the filter have each format, duration, rate, number of
        channels and root."""
        wanted = make_filter(where)
        with self._reading() as connection:
            return facets(connection, wanted)

    def peaks(self, which: int | str | os.PathLike[str]) -> Peaks:
        """The outline of a sound, for drawing it; computed once for each content.

        Raises `SoundNotFound`, `AudioRejected`.
        """
        from audiosearch.audio.peaks import FOLDER, keep, load

        sound, folder = self.sound(which), self.directory / FOLDER
        kept = load(folder, sound.content) if sound.content else None
        if kept is None:
            kept = self._decoding.reader.peaks(sound.path)
            if sound.content:
                keep(folder, sound.content, kept)
        return kept

    def render(
        self,
        which: int | str | os.PathLike[str],
        file: str | os.PathLike[str],
        *,
        kind: str = "wav",
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        """Write a sound, or its part from `start` to `end` seconds, as ``wav`` or ``opus``.

        Raises `SoundNotFound`, `InvalidQuery`, `AudioRejected`.
        """
        self._decoding.reader.render(self.sound(which).path, Path(file), kind, start, end)

    def failures(self) -> list[Failure]:
        """The files that could not be embedded, by path."""
        with self._reading() as connection:
            return [
                Failure(sound.path, sound.failure or "", sound.reason or "")
                for sound in reading.iterate_sounds(connection, failed=True)
            ]

    def status(self) -> Status:
        """Counts, roots, model, and the state of the vector cache."""
        with self._reading() as connection:
            return library_status(connection, self.directory)

    def export(self, file: str | os.PathLike[str], *, where: Where = None) -> int:
        """Write ids, paths, times and vectors of the windows to ``.npz`` or ``.parquet``; returns
        their number.
        """
        from audiosearch.export import export

        with self._reading() as connection:
            stored = reading.active_model(connection)
            return export(connection, stored, Path(file), make_filter(where))

    # -- writing ------------------------------------------------------------------------------

    def add(
        self,
        what: Iterable[str | os.PathLike[str]] | str | os.PathLike[str] = (),
        *,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: _threading.Event | None = None,
        **options: Any,
    ) -> Summary:
        """Index folders and single files; without any, all folders of the library again.

        `metadata` and `external_id` are set on every sound that was named or found. `options` are
        the fields of `indexer.options.Options` (exclude, follow_symlinks, prune, rehash, retry,
        dry_run, model ...). A file that cannot be embedded is a failure in the summary, not an
        error. Setting `cancel` ends the run after the batch in hand.
        """
        from indexer.options import Options
        from indexer.run import index

        if isinstance(what, str | os.PathLike):
            what = [what]
        return index(
            self.directory,
            [os.fspath(path) for path in what],
            Options(**options),
            metadata=metadata,
            external_id=external_id,
            on_progress=on_progress,
            cancel=cancel,
            model=self._model,
        )

    def remove(
        self,
        what: Iterable[str | os.PathLike[str] | int] | str | os.PathLike[str] | int,
        *,
        dry_run: bool = False,
    ) -> RemovalSummary:
        """Forget sounds by path or id, or all under a folder; the files themselves are never
        touched.
        """
        from indexer.remove import remove

        if isinstance(what, str | os.PathLike | int):
            what = [what]
        wanted = [which if isinstance(which, int) else os.fspath(which) for which in what]
        return remove(self.directory, wanted, dry_run=dry_run)

    def describe(
        self,
        which: int | str | os.PathLike[str],
        *,
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sound:
        """Set a sound's `external_id` and/or replace its `metadata`; `None` leaves as is. Returns
        the sound.
        """
        sound = self.sound(which)
        self.describe_many([(sound.id, external_id, metadata)])
        return self.sound(sound.id)

    def describe_many(
        self, sounds: Iterable[tuple[int, str | None, Mapping[str, Any] | None]]
    ) -> None:
        """Set (id, `external_id`, `metadata`) of many sounds in one transaction; `None` leaves as
        is, and ids that are not there are passed over.

        Raises `InvalidQuery` for metadata that JSON cannot hold, `LibraryBusy` where another writer
        does not finish within 30 s.
        """
        from indexer.store import Belongings, describe

        described = [(sound, Belongings(named, about)) for sound, named, about in sounds]
        describe(self.directory, described)
