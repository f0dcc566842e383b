"""`CatalogReader` takes snapshots of a library's database, in any number of threads."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection

from audiosearch.catalog.store import Address, store_at
from audiosearch.errors import LibraryDamaged, LibraryUnreachable

P = ParamSpec("P")
Answer = TypeVar("Answer")


class CatalogReader:
    """The database of a library, open for reading.

    Raises `LibraryNotFound` or `LibraryDamaged`.
    """

    def __init__(self, where: Address) -> None:
        self.store = store_at(where)
        self._engine = self.store.reader()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the library for as long as the block lasts.

        Raises `LibraryDamaged` where the database cannot be read, also inside the block.
        """
        with self.store.translating(), self._engine.connect() as connection:
            try:
                yield connection
            except (UnicodeDecodeError, json.JSONDecodeError) as error:
                raise LibraryDamaged(
                    f"the library {self.store.name} holds text that audiosearch did not write "
                    f"({error}): see audiosearch doctor"
                ) from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def once_more(method: Callable[P, Answer]) -> Callable[P, Answer]:
    """Let a method that only reads try once more where the connection to the database was lost, as
    after a restart of its server.
    """

    @functools.wraps(method)
    def read(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return method(*args, **kwargs)
        except LibraryUnreachable:
            return method(*args, **kwargs)

    return read
