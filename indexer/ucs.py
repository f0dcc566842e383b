"""The list of UCS categories that a user gives to a library, and the categories that a user keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from audiosearch.catalog import ucs
from audiosearch.catalog.changes import note_changed
from audiosearch.catalog.store import Store
from audiosearch.catalog.ucs_choices import set_choices
from indexer.lock import writing
from indexer.meta import next_generation


@contextmanager
def _writing(store: Store) -> Iterator[Connection]:
    with writing(store, wait=30.0) as engine, engine.begin() as connection:
        yield connection


def set_list(store: Store, entries: Sequence[ucs.UcsCategory]) -> None:
    """Replace the list, and take the names of all sounds apart again. No sound is read.

    Raises `LibraryBusy` where another writer does not finish within 30 s.
    """
    with _writing(store) as connection:
        next_generation(connection)
        ucs.set_categories(connection, entries)


def keep(store: Store, chosen: Mapping[int, str | None]) -> int:
    """Keep a CatID for each sound, by id; `None` takes it back. Return how many changed: with an
    error, none.

    Raises `LibraryBusy`, and the errors of `set_choices`.
    """
    with _writing(store) as connection:
        changed = set_choices(connection, chosen)
        if changed:
            next_generation(connection)
            ucs.index_names(connection, changed)
            note_changed(connection, changed)
    return len(changed)
