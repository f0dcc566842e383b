"""The writing half of an open library: adding, removing and describing sounds, and the model that
they are embedded with. The code that writes is `indexer`, imported where it is used. A call holds
the writer's lock while it lasts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosearch.catalog import reading
from audiosearch.catalog.records import Sound, StoredModel
from audiosearch.catalog.store import Store
from audiosearch.contents import FilePath, LibraryContents, Where
from audiosearch.models.active import ActiveModel

if TYPE_CHECKING:
    from audiosearch.catalog.ucs import UcsCategory
    from audiosearch.duplicates.finding import DuplicateProgress
    from audiosearch.duplicates.records import DuplicateGroup
    from audiosearch.models.model import Model
    from indexer.copying import Copied, CopyProgress
    from indexer.moves import MoveSummary
    from indexer.options import Options
    from indexer.progress import Progress
    from indexer.root_options import OptionsSummary
    from indexer.summary import RemovalSummary, Summary
    from indexer.watching.events import WatchEvent
    from indexer.watching.selection import Selection


class LibraryWriting(LibraryContents):
    """The contents of the library in `store`, which it also changes. It is thread-safe.

    `model` is the loaded model that the library must have, if any.
    """

    def __init__(self, store: Store, model: Model | None, decoders: int = 1) -> None:
        super().__init__(store, decoders)
        self._model = ActiveModel(store.name, model)

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

    def add(
        self,
        what: Iterable[FilePath] | FilePath = (),
        *,
        metadata: Mapping[str, Any] | None = None,
        external_id: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
        exclude: Iterable[str] | None = None,
        follow_symlinks: bool | None = None,
        prune: bool = False,
        rehash: bool = False,
        retry: bool = False,
        dry_run: bool = False,
        model: str | None = None,
        workers: int | None = None,
        wait: float | None = 0.0,
        cluster: str | None = None,
        turn: Callable[[], None] | None = None,
    ) -> Summary:
        """Index folders and single files; without `what`, all folders of the library again.

        The run sets `metadata` (JSON) and `external_id` on every sound that it indexes or meets
        unchanged. A file that cannot be embedded is a failure in the summary, not an error.
        `on_progress` receives the progress. `cancel`, once set, ends the run after the current
        batch. `turn` is called, from several threads, before windows are embedded: a program that
        has more urgent work may let it wait there. The options from `exclude` on are those of
        `indexer.options.Options`; folders remember `exclude` and `follow_symlinks` (see `set_root`).

        With `cluster`, the machines of a Ray cluster decode and embed; `turn` does not reach them.

        Raises `LibraryBusy`, `LibraryReadOnly`, `InvalidQuery`, `SoundNotFound`, `ModelNotFound`,
        `ModelMismatch` or `ClusterUnavailable`.

        >>> library.add("sample_library/fire").unchanged
        1
        """
        from indexer.options import Options
        from indexer.run import index

        sources = [what] if isinstance(what, str | os.PathLike) else what
        options = Options(
            exclude=None if exclude is None else tuple(exclude),
            follow_symlinks=follow_symlinks,
            prune=prune,
            rehash=rehash,
            retry=retry,
            dry_run=dry_run,
            model=model,
            workers=workers,
            wait=wait,
            cluster=cluster,
        )
        return index(
            self.store,
            [os.fspath(path) for path in sources],
            options,
            metadata=metadata,
            external_id=external_id,
            on_progress=on_progress,
            cancel=cancel,
            model=self._model.loaded(self._stored_model()),
            standby=self._decoding.standby,
            turn=turn,
        )

    def watch(
        self,
        folders: Iterable[FilePath] | FilePath = (),
        *,
        poll: float | None = None,
        settle: float = 2.0,
        workers: int | None = None,
        cancel: threading.Event | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Iterator[WatchEvent]:
        """Keep the library up to date with these folders, or with all of its own, until `cancel` is
        set. Yields what happens.

        The writer's lock is held while sounds are written, and waited for. `poll`, `settle` and
        `workers` are those of `indexer.watching.events.WatchOptions`. Raises `SoundNotFound`,
        `LibraryBusy` where another program watches for this library, `AudioSearchError` where
        `watchfiles` is missing and `poll` not given, and what `add` raises.

        >>> import threading
        >>> stop = threading.Event()
        >>> for event in library.watch(poll=60, cancel=stop):
        ...     print(event.text)
        ...     stop.set()
        watching 1 folder, with a look every 60 s
        """
        from indexer.run import index
        from indexer.watching.events import WatchOptions
        from indexer.watching.loop import watch

        sources = [folders] if isinstance(folders, str | os.PathLike) else folders
        event = cancel or threading.Event()

        def run(selection: Selection, options: Options) -> Summary:
            return index(
                self.store,
                (),
                options,
                on_progress=on_progress,
                cancel=event,
                model=self._model.loaded(self._stored_model()),
                standby=self._decoding.standby,
                selection=selection,
            )

        options = WatchOptions(poll, settle, workers)
        return watch(self.store, [os.fspath(path) for path in sources], options, run, event)

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
        return remove(self.store, named, dry_run=dry_run)

    def duplicates(
        self,
        *,
        where: Where = None,
        threshold: float | None = None,
        on_progress: Callable[[DuplicateProgress], None] | None = None,
    ) -> list[DuplicateGroup]:
        """Return the groups of sounds that are copies of one sound, the best copy first.

        Copies have identical content, or are one recording in another format, rate, level, number
        of channels, or cut: the shorter one is at least half of the longer one. `where` is as in
        `search`. `threshold` (above 0, at most 1; default 0.7) is the least agreement of a copy
        with the best one. The first call decodes the sounds whose vectors lie close together, and
        the library keeps what it learns of them. Nothing is ever deleted.

        Raises `InvalidQuery` or `LibraryDamaged`.

        >>> library.duplicates(where={"path": "*/fire/*"})
        []
        """
        from indexer.duplicates import duplicates

        condition = self._resolved(where)
        return duplicates(self._reader, condition, threshold, on_progress)

    def copy(
        self,
        to: FilePath,
        *,
        on_progress: Callable[[CopyProgress], None] | None = None,
    ) -> Copied:
        """Copy this library to another place, a folder or ``postgresql://...``, without embedding
        again, and compare both.

        The copy answers no query until it is complete. Where an earlier copy ended early, this one
        goes on. Keys, jobs and pictures of sounds are not copied. Raises `InvalidQuery` where the
        place holds another library, and `LibraryBusy`.

        >>> library.copy(folder / "copy.library").sounds == library.status().sounds
        True
        """
        from indexer.copying import copy_library

        return copy_library(self.store, os.fspath(to), on_progress)

    def move_root(self, old: FilePath, new: FilePath, *, dry_run: bool = False) -> MoveSummary:
        """Give a folder of the library that was moved or renamed its new path. No file is read.

        Raises `SoundNotFound` or `LibraryBusy`.

        >>> library.move_root("sample_library", "sample_library", dry_run=True).merged
        0
        """
        from indexer.moves import move_root

        return move_root(self.store, os.fspath(old), os.fspath(new), dry_run=dry_run)

    def set_root(
        self,
        folder: FilePath,
        *,
        exclude: Iterable[str] | None = None,
        follow_symlinks: bool | None = None,
        dry_run: bool = False,
    ) -> OptionsSummary:
        """Set which patterns a folder of the library leaves out (instead of those that it had), and
        whether links are followed in it; `None` changes nothing.

        The folder is a root, or lies in one. The next run over it forgets the sounds that are left
        out, and adds those that no longer are. Raises `SoundNotFound`, `InvalidQuery`, or
        `LibraryBusy` where another writer does not finish within 30 s.

        >>> library.set_root("sample_library", exclude=["scenes"], dry_run=True).leaves_out > 0
        True
        """
        from indexer.root_options import set_options

        patterns = None if exclude is None else tuple(exclude)
        return set_options(
            self.store,
            os.fspath(folder),
            exclude=patterns,
            follow_symlinks=follow_symlinks,
            dry_run=dry_run,
            wait=30.0,
        )

    def set_ucs_list(self, file: FilePath | Sequence[UcsCategory]) -> int:
        """Keep a list of UCS categories in the library: the official one, saved as CSV with the
        columns Category, SubCategory and CatID, or its entries. Returns the number of categories.

        With it, names need no more than a CatID of the list, and facets have categories.

        Raises `InvalidQuery` for another file, or `LibraryBusy`.

        >>> _ = (folder / "ucs.csv").write_text("Category,SubCategory,CatID\\nDOORS,WOOD,DOORWood")
        >>> library.set_ucs_list(folder / "ucs.csv")
        1
        """
        from audiosearch.catalog.ucs import read_list
        from indexer.ucs import set_list

        entries = read_list(Path(file)) if isinstance(file, str | os.PathLike) else file
        set_list(self.store, entries)
        return len(entries)

    def keep_ucs(self, chosen: Mapping[int, str | None]) -> int:
        """Keep UCS categories as your own choice: a CatID for each sound, by id; `None` takes it
        back. Returns how many choices changed.

        A choice counts in filters and facets, and says so: `source` in `Sound.ucs` is ``kept``, not
        ``name``. It stays with its sound when files are indexed again, moved or changed, and counts
        for as long as the name of the file has no category. `Library.ucs_choices` reads choices.

        Raises `InvalidQuery` for a CatID that is not on the library's list, or a sound whose name has
        a category; `SoundNotFound`, `LibraryBusy`. Then no choice changes.

        >>> dogs = library.sound("sample_library/animals/dogs.mp3")
        >>> library.keep_ucs({dogs.id: "ANMLDog"})
        1
        >>> library.sound(dogs.id).ucs["source"]
        'kept'
        >>> library.keep_ucs({dogs.id: None})
        1
        """
        from indexer.ucs import keep

        return keep(self.store, chosen)

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
        from indexer.belongings import Belongings, describe

        described = [(sound, Belongings(named, about)) for sound, named, about in sounds]
        describe(self.store, described)
