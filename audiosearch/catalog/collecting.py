"""`Collections` reads and changes the collections and saved searches of an open library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from audiosearch.catalog import collections as tables
from audiosearch.catalog import reading
from audiosearch.catalog.collections import FAVOURITES, MOST_SOUNDS, Collection, SavedSearch
from audiosearch.catalog.reader import CatalogReader
from audiosearch.catalog.records import Sound
from audiosearch.errors import CollectionNotFound, InvalidQuery, NameTaken, SoundNotFound

MOST_COLLECTIONS = 1_000
_MOST_NAME = 200
_MOST_QUERY = 20_000

Check = Callable[[Any], None]


def _unchecked(record: Any) -> None:
    pass


class Collections:
    """The collections of the library that `reader` reads. It is thread-safe.

    `which` is an id or a name; `FAVOURITES` is the id of the favourites. A change is one transaction
    of its own. `check` gets the record as it is before; what it raises changes nothing. The methods
    raise `CollectionNotFound`, `LibraryReadOnly`, and `LibraryBusy`.
    """

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        # Without the writer's lock: see `audiosearch.catalog.collections`. One
        # transaction writes at a time, and those of an index run are short.
        store = self._reader.store
        with store.translating():
            engine = store.writer()
            try:
                with engine.begin() as connection:
                    yield connection
            finally:
                engine.dispose()

    def all(self) -> list[Collection]:
        """Return every collection, the favourites first, then by name."""
        with self._reader.snapshot() as connection:
            return tables.all_collections(connection)

    def get(self, which: int | str) -> Collection:
        """Return a collection."""
        with self._reader.snapshot() as connection:
            return _one(connection, which)

    def holding(self, sound_id: int) -> list[Collection]:
        """Return the collections that hold a sound."""
        with self._reader.snapshot() as connection:
            return tables.holding(connection, sound_id)

    def page(
        self, which: int | str, after: int = 0, k: int | None = None
    ) -> tuple[list[Sound], int | None]:
        """Return up to k sounds of a collection beyond the place `after`, in its order, and the place
        after which the next page begins, if there is one.
        """
        with self._reader.snapshot() as connection:
            one_more = None if k is None else k + 1
            placed = tables.places(connection, _one(connection, which).id, after, one_more)
            shown = placed if k is None else placed[:k]
            sounds = reading.sounds_by_id(connection, [sound_id for _, sound_id in shown])
        more = shown[-1][0] if len(shown) < len(placed) else None
        return [sounds[sound_id] for _, sound_id in shown], more

    def sounds(self, which: int | str) -> list[Sound]:
        """Return the sounds of a collection in its order."""
        return self.page(which)[0]

    def make(self, name: str) -> Collection:
        """Make an empty collection. Raises `NameTaken`, and `InvalidQuery` for a name without a
        letter or one too many.
        """
        name = _checked(name)
        with self._writing() as connection:
            _check_room(len(tables.all_collections(connection)))
            _check_free(connection, tables.collections, name)
            row = {"name": name, "version": 1, "made": tables.now()}
            statement = insert(tables.collections).values(**row, changed=row["made"])
            (number,) = connection.execute(statement).inserted_primary_key or (0,)
            return _one(connection, number)

    def rename(self, which: int | str, name: str, check: Check = _unchecked) -> Collection:
        """Give a collection another name. Raises `NameTaken` and `InvalidQuery`."""
        name = _checked(name)
        with self._writing() as connection:
            before = _own(connection, which)
            check(before)
            if name != before.name:
                _check_free(connection, tables.collections, name)
            return _changed(connection, before, name=name)

    def delete(self, which: int | str, check: Check = _unchecked) -> None:
        """Delete a collection; its sounds stay in the library."""
        with self._writing() as connection:
            before = _own(connection, which)
            check(before)
            table = tables.collections
            connection.execute(delete(table).where(table.c.id == before.id))

    def add(
        self,
        which: int | str,
        sound_ids: Iterable[int],
        before: int | None = None,
        check: Check = _unchecked,
    ) -> Collection:
        """Put sounds before the sound `before`, or at the end; those that are in it already move
        there. Raises `SoundNotFound`, and `InvalidQuery` where it would hold too many or `before` is
        one of them.
        """
        sound_ids = list(sound_ids)
        with self._writing() as connection:
            current = _one(connection, which)
            check(current)
            known = reading.sounds_by_id(connection, sound_ids)
            for sound_id in sound_ids:
                if sound_id not in known:
                    raise reading.no_sound(sound_id)
            order = [sound_id for _, sound_id in tables.places(connection, current.id)]
            if before in sound_ids:
                raise InvalidQuery(f"the sound {before} cannot be moved before itself")
            if before is not None and before not in order:
                raise SoundNotFound(f"the collection {current.name} does not hold {before}")
            order = tables.with_moved(order, sound_ids, before)
            if len(order) > MOST_SOUNDS:
                raise InvalidQuery(f"a collection holds at most {MOST_SOUNDS} sounds")
            tables.set_order(connection, current.id, order)
            return _changed(connection, current)

    def remove(
        self, which: int | str, sound_ids: Iterable[int], check: Check = _unchecked
    ) -> Collection:
        """Take sounds out; those that are not in it are passed over."""
        with self._writing() as connection:
            current = _one(connection, which)
            check(current)
            going = set(sound_ids)
            order = [number for _, number in tables.places(connection, current.id)]
            staying = [number for number in order if number not in going]
            if staying == order:
                return current
            tables.set_order(connection, current.id, staying)
            return _changed(connection, current)

    # -- saved searches -------------------------------------------------------------------------

    def searches(self) -> list[SavedSearch]:
        """Return the saved searches, by name."""
        table = tables.saved_searches
        with self._reader.snapshot() as connection:
            rows = connection.execute(select(table).order_by(table.c.name))
            return [_search(row) for row in rows]

    def save_search(self, name: str, query: Mapping[str, Any]) -> SavedSearch:
        """Keep a query, a JSON object, under a name. Raises `NameTaken` and `InvalidQuery`."""
        name, stored = _checked(name), _query_json(query)
        table = tables.saved_searches
        with self._writing() as connection:
            _check_room(len(connection.execute(select(table.c.id)).all()))
            _check_free(connection, table, name)
            at = tables.now()
            statement = insert(table).values(name=name, query=stored, made=at, changed=at)
            (number,) = connection.execute(statement).inserted_primary_key or (0,)
            return _one_search(connection, number)

    def change_search(
        self,
        which: int,
        name: str | None = None,
        query: Mapping[str, Any] | None = None,
        check: Check = _unchecked,
    ) -> SavedSearch:
        """Give a saved search another name, or query, or both."""
        values = {} if query is None else {"query": _query_json(query)}
        table = tables.saved_searches
        with self._writing() as connection:
            before = _one_search(connection, which)
            check(before)
            if name is not None and _checked(name) != before.name:
                values["name"] = _checked(name)
                _check_free(connection, table, values["name"])
            statement = update(table).where(table.c.id == which)
            connection.execute(statement.values(**values, changed=tables.now()))
            return _one_search(connection, which)

    def delete_search(self, which: int, check: Check = _unchecked) -> None:
        """Forget a saved search."""
        table = tables.saved_searches
        with self._writing() as connection:
            check(_one_search(connection, which))
            connection.execute(delete(table).where(table.c.id == which))


def _one(connection: Connection, which: int | str) -> Collection:
    record = tables.collection(connection, which)
    if record is None:
        raise CollectionNotFound(f"there is no collection {which}: see audiosearch collection list")
    return record


def _own(connection: Connection, which: int | str) -> Collection:
    record = _one(connection, which)
    if record.id == FAVOURITES:
        raise InvalidQuery("the favourites stay, under their name: make a collection of your own")
    return record


def _changed(connection: Connection, before: Collection, **values: Any) -> Collection:
    table = tables.collections
    statement = update(table).where(table.c.id == before.id)
    values |= {"version": before.version + 1, "changed": tables.now()}
    connection.execute(statement.values(**values))
    return _one(connection, before.id)


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > _MOST_NAME or not name.isprintable():
        raise InvalidQuery(f"a name has 1 to {_MOST_NAME} characters that can be printed")
    if name.isdecimal():
        raise InvalidQuery("a name of digits alone would be taken for an id")
    return name


def _check_room(number: int) -> None:
    if number >= MOST_COLLECTIONS:
        raise InvalidQuery(f"a library keeps at most {MOST_COLLECTIONS} of them: delete some first")


def _check_free(connection: Connection, table: Any, name: str) -> None:
    if connection.execute(select(table.c.id).where(table.c.name == name)).first():
        raise NameTaken(f"the name {name} is taken")


def _query_json(query: Mapping[str, Any]) -> str:
    try:
        stored = json.dumps(dict(query), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidQuery(f"a saved query is a JSON object: {error}") from error
    if len(stored) > _MOST_QUERY:
        raise InvalidQuery(f"a saved query has at most {_MOST_QUERY} characters, not {len(stored)}")
    return stored


def _search(row: Row[Any]) -> SavedSearch:
    return SavedSearch(row.id, row.name, json.loads(row.query), row.made, row.changed)


def _one_search(connection: Connection, which: int) -> SavedSearch:
    table = tables.saved_searches
    row = connection.execute(select(table).where(table.c.id == which)).first()
    if row is None:
        raise CollectionNotFound(f"there is no saved search {which}")
    return _search(row)


def exported(sounds: Sequence[Sound], form: str) -> bytes:
    """Return sounds as a file: ``paths`` (one a line), ``csv`` with a head, or ``m3u8``.

    Raises `InvalidQuery` for another form, and for a path that holds a line break in a form of lines.
    """
    from audiosearch.catalog.listing import as_csv, as_m3u8, as_paths

    forms = {"paths": as_paths, "csv": as_csv, "m3u8": as_m3u8}
    if form not in forms:
        raise InvalidQuery(f"a collection is exported as {', '.join(forms)}, not {form}")
    return forms[form](sounds)
