"""The list of UCS categories that a user gives to a library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiosearch.catalog import database, ucs
from indexer.lock import writer_lock
from indexer.store import next_generation


def set_list(directory: Path, entries: Sequence[ucs.UcsCategory]) -> None:
    """Replace the list, and take the names of all sounds apart again. No sound is read.

    Raises `LibraryBusy` where another writer does not finish within 30 s.
    """
    with writer_lock(directory, wait=30.0), database.translating(directory):
        engine = database.writer(directory)
        try:
            with engine.begin() as connection:
                next_generation(connection)
                ucs.set_categories(connection, entries)
        finally:
            engine.dispose()
