"""The writer's lock: one writer at a time, any number of readers (see `catalog.store.Store.lock`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from audiosearch.catalog.store import Address, Store, store_at


@contextmanager
def writer_lock(where: Address, wait: float | None = 0.0) -> Iterator[Store]:
    """Hold the writer's lock of a library.

    The wait for it lasts at most `wait` seconds; `None` is for ever. Raises `LibraryBusy`, naming
    the holder, or `LibraryReadOnly`.
    """
    with store_at(where).lock(wait) as held:
        yield held


@contextmanager
def writing(store: Store, wait: float | None = 0.0) -> Iterator[Engine]:
    """Hold the writer's lock and give an engine that writes.

    Raises what `writer_lock` raises, and the database's errors as those of audiosearch.
    """
    with store.lock(wait) as held, store.translating():
        engine = held.writer()
        try:
            yield engine
        finally:
            engine.dispose()
