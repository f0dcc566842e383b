"""The contents of an open library: its sounds, counts, outlines and failures. `Library` adds
searching and writing. Times are in seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from audiosearch.care.status import library_status
from audiosearch.catalog import migrations, reading
from audiosearch.catalog.changes import Change, changes_after
from audiosearch.catalog.collecting import Collections
from audiosearch.catalog.filters import Filter, make_filter
from audiosearch.catalog.folders import Folder, folders_below
from audiosearch.catalog.reader import CatalogReader, once_more
from audiosearch.catalog.records import Sound
from audiosearch.catalog.store import Store
from audiosearch.catalog.tag_values import Tag, tag_values
from audiosearch.errors import InvalidQuery, LibraryDamaged, SoundNotFound
from audiosearch.heads.scores import HeadScores
from audiosearch.results import Failure, Status
from audiosearch.search.isolation import Isolation

if TYPE_CHECKING:
    from audiosearch.audio.peaks import Peaks
    from audiosearch.catalog.ucs import UcsCategory

Where = Filter | Mapping[str, Any] | None
FilePath = str | os.PathLike[str]


class LibraryContents:
    """The contents of the library in `store`, read from its database. It is thread-safe.

    `directory` is the folder of what lies beside the database.

    Raises `LibraryNotFound` or `LibraryDamaged`.
    """

    def __init__(self, store: Store, decoders: int = 1) -> None:
        self.store = store
        self.directory = store.directory
        self._reader = CatalogReader(store)
        self._decoding = Isolation(decoders)
        self._head_scores = HeadScores()
        self._collections = Collections(self._reader)

    def close(self) -> None:
        """Release connections, files and decoding processes."""
        self._decoding.close()
        self._reader.close()

    def _resolved(self, where: Where) -> Filter:
        """Return the filter, its bounds on heads as sounds of the library as it is now."""
        with self._reader.snapshot() as connection:
            return self._head_scores.resolved(connection, make_filter(where))

    def _check_schema(self) -> None:
        """Bring an older library up to date. Raises `LibraryDamaged` where the database is another
        program's, `LibraryTooNew`, and `LibraryReadOnly` where it cannot be upgraded.
        """
        with self._reader.snapshot() as connection:
            version = migrations.check_version(connection, self.store.name)
        if not version:
            raise LibraryDamaged(f"{self.store.database} is not a library of audiosearch")
        if version < migrations.SCHEMA_VERSION:
            from indexer.store import upgrade_library

            upgrade_library(self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def sounds(self, where: Where = None) -> Iterator[Sound]:
        """Yield every sound that has an embedding and passes the filter `where`, ordered by path.

        Raises `InvalidQuery`.

        >>> sum(1 for sound in library.sounds(where={"format": "ogg", "max_duration": 12}))
        9
        """
        condition = make_filter(where)
        with self._reader.snapshot() as connection:
            condition = self._head_scores.resolved(connection, condition)
            yield from reading.iterate_sounds(connection, condition, failed=False)

    @once_more
    def sound(self, which: int | FilePath) -> Sound:
        """Return a sound by its id or path, also one that failed. Raises `SoundNotFound`.

        >>> library.sound("sample_library/animals/dogs.mp3").format
        'mp3'
        """
        with self._reader.snapshot() as connection:
            if isinstance(which, int):
                return reading.known_sound(connection, which)
            absolute = os.path.abspath(os.fspath(which))  # noqa: PTH100
            sound = reading.sound_by_path(connection, absolute)
        if sound is None:
            raise SoundNotFound(f"{which} is not in the library {self.store.name}")
        return sound

    @once_more
    def page(self, after: int = 0, k: int = 100, *, where: Where = None) -> list[Sound]:
        """Return the k sounds that follow the id `after`, ordered by id. Failed sounds count too.

        A program can so walk through a library that changes meanwhile. Raises `InvalidQuery`.

        >>> first = library.page(k=2)
        >>> [sound.id for sound in library.page(first[-1].id, k=2)]
        [3, 4]
        """
        if k < 1:
            raise InvalidQuery(f"k must be at least 1, not {k}")
        condition = make_filter(where)
        with self._reader.snapshot() as connection:
            condition = self._head_scores.resolved(connection, condition)
            return reading.page_of_sounds(connection, condition, after, k)

    def failed_page(self, after: int = 0, k: int = 100) -> list[Sound]:
        """Return the k files without embedding that follow the id `after`, by id, with the reasons.

        >>> library.failed_page()
        []
        """
        with self._reader.snapshot() as connection:
            return reading.page_of_sounds(connection, make_filter(None), after, k, failed=True)

    @once_more
    def changes(self, since: int = 0, k: int = 1_000) -> list[Change]:
        """Return the k changes after the number `since`, in order, for programs that keep a copy.

        Each sound comes once, with its last change.

        >>> [(change.kind, change.id) for change in library.changes(k=1)]
        [('changed', 1)]
        """
        with self._reader.snapshot() as connection:
            return changes_after(connection, since, k)

    @property
    def collections(self) -> Collections:
        """The favourites, the named collections and the saved searches of the library.

        >>> calm = library.collections.make("Calm")
        >>> library.collections.add(calm.id, [2, 1]).sounds
        2
        >>> [sound.id for sound in library.collections.sounds("Calm")]
        [2, 1]
        """
        return self._collections

    @once_more
    def folders(self, parent: FilePath | None = None) -> list[Folder]:
        """Return the folders just below `parent` that hold sounds, or the library's own folders.

        >>> [folder.name for folder in library.folders()]
        ['sample_library']
        >>> library.folders("sample_library")[0].name
        'alarms'
        """
        absolute = None if parent is None else os.path.abspath(os.fspath(parent))  # noqa: PTH100
        with self._reader.snapshot() as connection:
            return folders_below(connection, absolute)

    @once_more
    def tags(self, k: int = 20) -> list[Tag]:
        """Return the fields of embedded tags and metadata, with the k most frequent values of each.

        >>> [tag] = [tag for tag in library.tags(k=1) if tag.key == "title"]
        >>> len(tag.values) <= 1 <= tag.sounds
        True
        """
        with self._reader.snapshot() as connection:
            return tag_values(connection, k)

    def peaks(self, which: int | FilePath) -> Peaks:
        """Return the outline of a sound, from which a program can draw it.

        The library computes it once for each content, and keeps it.

        Raises `SoundNotFound`, `AudioRejected`.

        >>> outline = library.peaks("sample_library/animals/dogs.mp3")
        >>> outline.levels.shape[1]  # lowest and highest sample of each bucket
        2
        """
        from audiosearch.audio.peaks import FOLDER, keep, load

        sound, folder = self.sound(which), self.directory / FOLDER
        outline = load(folder, sound.content) if sound.content else None
        if outline is None:
            outline = self._decoding.reader.peaks(sound.path)
            if sound.content:
                keep(folder, sound.content, outline)
        return outline

    def spectrogram(
        self,
        which: int | FilePath,
        start: float = 0.0,
        end: float | None = None,
        *,
        columns: int = 1_024,
        rows: int = 128,
    ) -> bytes:
        """Return the spectrogram of a sound, or of its part from `start` to `end` seconds, as a PNG.

        It has 8 bits of grey: 255 is the loudest, 0 is 90 dB below; the highest of 20 kHz is at the
        top, on the mel scale. The library keeps 256 MB of them. Raises `SoundNotFound`,
        `InvalidQuery`, `AudioRejected`.

        >>> library.spectrogram("sample_library/animals/dogs.mp3", columns=64)[:4]
        b'\x89PNG'
        """
        from audiosearch.audio.spectrogram import FOLDER, file_of, keep, load

        sound, folder = self.sound(which), self.directory / FOLDER
        file = file_of(folder, sound.content or "", start, end, columns, rows)
        png = load(file) if sound.content else None
        if png is None:
            png = self._decoding.reader.spectrogram(
                sound.path, start, end, columns, rows, sound.duration
            )
            if sound.content:
                keep(file, png, folder)
        return png

    def peaks_of_part(self, which: int | FilePath, start: float, end: float) -> Peaks:
        """Return the outline of the part from `start` to `end` seconds, finer than `peaks` has it of
        a long sound. It is not kept. The errors are those of `render`.

        >>> library.peaks_of_part("sample_library/animals/dogs.mp3", 1, 2).frames
        256
        """
        from audiosearch.audio.reader import check_range

        check_range(start, end)
        return self._decoding.reader.peaks(self.sound(which).path, start, end)

    def render(
        self,
        which: int | FilePath,
        file: FilePath,
        *,
        kind: str = "wav",
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        """Write a sound, or its part from `start` to `end` seconds, to a ``wav`` or ``opus`` file.

        Raises `SoundNotFound`, `InvalidQuery`, `AudioRejected`.

        >>> library.render("sample_library/animals/dogs.mp3", folder / "bark.wav", start=1, end=2)
        >>> (folder / "bark.wav").exists()
        True
        """
        self._decoding.reader.render(self.sound(which).path, Path(file), kind, start, end)

    @once_more
    def failures(self) -> list[Failure]:
        """Return the files that have no embedding, with the reasons, ordered by path.

        >>> library.failures()
        []
        """
        with self._reader.snapshot() as connection:
            return [
                Failure(sound.path, sound.failure or "", sound.reason or "")
                for sound in reading.iterate_sounds(connection, failed=True)
            ]

    @once_more
    def status(self) -> Status:
        """Return the counts, the roots, the model, and the state of the vector cache.

        >>> library.status().sounds
        61
        """
        with self._reader.snapshot() as connection:
            return library_status(connection, self.store)

    def export(self, file: FilePath, *, where: Where = None) -> int:
        """Write ids, paths, times and vectors of the windows to ``.npz`` or ``.parquet``.

        Returns the number of windows. Raises `InvalidQuery` for another suffix, and
        `AudioSearchError` where the file cannot be written.

        >>> library.export(folder / "fire.npz", where={"path": "*/fire/*"})
        4
        """
        from audiosearch.care.export import export

        with self._reader.snapshot() as connection:
            stored = reading.active_model(connection)
            condition = self._head_scores.resolved(connection, make_filter(where))
            return export(connection, stored, Path(file), condition)

    def ucs_list(self) -> list[UcsCategory]:
        """Return the library's list of UCS categories (`set_ucs_list`), by CatID.

        >>> library.ucs_list()
        []
        """
        from audiosearch.catalog.ucs import all_categories

        with self._reader.snapshot() as connection:
            return all_categories(connection)

    def ucs_choices(self, where: Where = None) -> dict[int, str]:
        """Return the CatIDs that were kept (`keep_ucs`) for sounds that pass the filter, by the
        sounds' ids. Raises `InvalidQuery`.

        >>> library.ucs_choices()
        {}
        """
        from audiosearch.catalog.ucs_choices import choices

        with self._reader.snapshot() as connection:
            condition = self._head_scores.resolved(connection, make_filter(where))
            return choices(connection, condition)
