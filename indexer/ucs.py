"""The list of UCS categories that a user gives to a library, and the categories that a user keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from audiosearch.catalog import database, ucs
from audiosearch.catalog.changes import note_changed
from audiosearch.catalog.ucs_choices import set_choices
from indexer.lock import writer_lock
from indexer.store import next_generation


@contextmanager
def _writing(directory: Path) -> Iterator[Connection]:
    with writer_lock(directory, wait=30.0), database.translating(directory):
        engine = database.writer(directory)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


def set_list(directory: Path, entries: Sequence[ucs.UcsCategory]) -> None:
    """Replace the list, and take the names of all sounds apart again. No sound is read.

    Raises `LibraryBusy` where another writer does not finish within 30 s.
    """
    with _writing(directory) as connection:
        next_generation(connection)
        ucs.set_categories(connection, entries)


def keep(directory: Path, chosen: Mapping[int, str | None]) -> int:
    """Keep a CatID for each sound, by id; `None` takes it back. Return how many changed: with an
    error, none.

    Raises `LibraryBusy`, and the errors of `set_choices`.
    """
    with _writing(directory) as connection:
        changed = set_choices(connection, chosen)
        if changed:
            next_generation(connection)
            ucs.index_names(connection, changed)
            note_changed(connection, changed)
    return len(changed)
