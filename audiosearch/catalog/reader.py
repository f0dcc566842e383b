"""`CatalogReader` takes snapshots of a library's database, in any number of threads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from audiosearch.catalog.store import Address, store_at
from audiosearch.errors import LibraryDamaged


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
