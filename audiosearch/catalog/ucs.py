"""The Universal Category System in a library: the blocks of the names of its sounds, the categories
that a user chose for sounds whose names have none, and the list of categories, where a user gave it.

The list is not part of this program. It names the category and the subcategory of each CatID;
without it a CatID is kept as it is written. `ucs_names` has what counts, and is made anew whenever a
sound changes: the name of the file, else the choice in `ucs_kept`, else the CatID that is embedded in
the file (iXML).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Row,
    Table,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
)

from audiosearch.catalog.json_values import text_member
from audiosearch.catalog.schema import contents, metadata, sounds
from audiosearch.catalog.types import StoredText
from audiosearch.catalog.ucs_names import UcsName, is_cat_id, parse_name, short_form
from audiosearch.errors import InvalidQuery

# What a category comes from.
NAME, KEPT, EMBEDDED = "name", "kept", "embedded"

names = Table(
    "ucs_names",
    metadata,
    Column("sound_id", ForeignKey("sounds.id", ondelete="CASCADE"), primary_key=True),
    Column("cat_id", StoredText, nullable=False),
    Column("cat_short", StoredText, nullable=False),
    Column("fx_name", StoredText, nullable=False),
    Column("creator_id", StoredText),
    Column("source_id", StoredText),
    Column("user_category", StoredText),
    Column("vendor_category", StoredText),
    Column("user_data", StoredText),
    Column("source", StoredText, nullable=False, server_default=NAME),
)

kept = Table(
    "ucs_kept",
    metadata,
    Column("sound_id", ForeignKey("sounds.id", ondelete="CASCADE"), primary_key=True),
    Column("cat_id", StoredText, nullable=False),
)

categories = Table(
    "ucs_categories",
    metadata,
    Column("cat_id", StoredText, primary_key=True),
    Column("category", StoredText, nullable=False),
    Column("subcategory", StoredText, nullable=False),
)

# The official list has some 750 categories; a larger file is something else.
_MOST_CATEGORIES = 10_000
_MOST_BYTES = 10_000_000
_CHUNK = 1_000

# The fields of `ucs` on a sound, in their order.
FIELDS = (
    *("cat_id", "cat_short", "fx_name", "creator_id", "source_id", "user_category"),
    *("vendor_category", "user_data", "category", "subcategory", "source"),
)
COLUMNS = tuple(
    (categories if name in ("category", "subcategory") else names).c[name].label(f"ucs_{name}")
    for name in FIELDS
)


@dataclass(frozen=True)
class UcsCategory:
    """An entry of the list: ``DOORWood``, ``DOORS``, ``WOOD``."""

    cat_id: str
    category: str
    subcategory: str


def create_tables(connection: Connection) -> None:
    """Make the tables where they are missing, and take the names of the stored sounds apart."""
    metadata.create_all(connection, [names, categories, kept])
    index_all(connection)


def add_choices(connection: Connection) -> None:
    """Make room for choices in a library that has the other tables."""
    metadata.create_all(connection, [kept])
    columns = [column["name"] for column in inspect(connection).get_columns(names.name)]
    if "source" not in columns:
        connection.execute(
            text(f"ALTER TABLE ucs_names ADD COLUMN source TEXT NOT NULL DEFAULT '{NAME}'")
        )


def index_all(connection: Connection) -> None:
    """Take the names of all sounds apart."""
    ids = [row[0] for row in connection.execute(select(sounds.c.id))]
    for first in range(0, len(ids), _CHUNK):
        index_names(connection, ids[first : first + _CHUNK])


def index_names(connection: Connection, sound_ids: Sequence[int]) -> None:
    """Take the names of these sounds apart, in the transaction that changed the sounds. A sound whose
    name has no category has the one that was chosen for it, or else is embedded in it.
    """
    for first in range(0, len(sound_ids), _CHUNK):
        ids = [int(one) for one in sound_ids[first : first + _CHUNK]]
        connection.execute(delete(names).where(names.c.sound_id.in_(ids)))
        rows = connection.execute(
            select(sounds.c.id, sounds.c.path, kept.c.cat_id, _EMBEDDED)
            .select_from(sounds.outerjoin(kept).outerjoin(contents))
            .where(sounds.c.id.in_(ids))
        )
        known = _known(connection)
        values = []
        for row in rows:
            name, source = parse_name(row.path, known), NAME
            if name is None and row.cat_id is not None:
                name, source = UcsName(row.cat_id, short_form(row.cat_id), fx_name=""), KEPT
            elif name is None and _is_category(row.embedded, known):
                name, source = UcsName(row.embedded, short_form(row.embedded), ""), EMBEDDED
            if name:
                values.append({"sound_id": row.id, **asdict(name), "source": source})
        if values:
            connection.execute(insert(names), values)


_EMBEDDED = text_member(contents.c.tags, "cat_id").label("embedded")


def _is_category(text: object, known: Container[str]) -> bool:
    return isinstance(text, str) and (text in known or is_cat_id(text))


def _known(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(categories.c.cat_id)).scalars())


def all_categories(connection: Connection) -> list[UcsCategory]:
    """Return the list of categories, by CatID; empty where nobody gave one."""
    rows = connection.execute(select(categories).order_by(categories.c.cat_id))
    return [UcsCategory(*row) for row in rows]


def set_categories(connection: Connection, entries: Iterable[UcsCategory]) -> None:
    """Replace the list, and take all names apart again: with it more of them count."""
    connection.execute(delete(categories))
    connection.execute(insert(categories), [asdict(entry) for entry in entries])
    index_all(connection)


def fields_of(row: Row[Any]) -> dict[str, str]:
    """Return the fields of a row that has `COLUMNS`, without empty ones."""
    values = {name: getattr(row, f"ucs_{name}") for name in FIELDS}
    return {name: value for name, value in values.items() if value}


def in_category(values: Iterable[str]) -> ColumnElement[bool]:
    """Return whether a sound is in one of these: a CatID (``DOORWood``), the short or the full
    name of a category (``DOOR``, ``DOORS``) or of a subcategory (``DOORS-WOOD``), in any case.
    """
    lowered = [value.lower() for value in values]
    full = categories.c.category + "-" + categories.c.subcategory
    forms = (names.c.cat_id, names.c.cat_short, categories.c.category, full)
    matching = (
        select(names.c.sound_id)
        .select_from(names.outerjoin(categories, categories.c.cat_id == names.c.cat_id))
        .where(or_(*(func.lower(form, type_=StoredText).in_(lowered) for form in forms)))
    )
    return sounds.c.id.in_(matching)


def read_list(file: Path) -> list[UcsCategory]:
    """Return the categories of the official list, saved as CSV with commas, semicolons or tabs.

    One line names the columns: Category, SubCategory, CatID. Raises `InvalidQuery` for any other
    file.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidQuery(f"{file} is no list of UCS categories: it is too large")
        content = file.read_bytes()
    except OSError as error:
        raise InvalidQuery(f"cannot read {file}: {error.strerror}") from error
    return parse_list(content, str(file))


def parse_list(data: bytes, file: str) -> list[UcsCategory]:
    """Return the categories of a list as CSV, as `read_list` does. `file` names it in messages."""
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidQuery(f"{file} is not UTF-8 text: save the list as CSV (UTF-8)") from error
    entries: dict[str, UcsCategory] = {}
    for delimiter in ",;\t":
        columns: dict[str, int] = {}
        for row in _rows(content, delimiter, file):
            cells = [cell.strip() for cell in row]
            if not columns:
                heads = [cell.lower() for cell in cells]
                if {"category", "subcategory", "catid"} <= set(heads):
                    columns = {name: heads.index(name) for name in heads}
            elif len(cells) > max(columns[n] for n in ("category", "subcategory", "catid")):
                one = UcsCategory(
                    *(cells[columns[n]] for n in ("catid", "category", "subcategory"))
                )
                if one.cat_id and one.category:
                    entries[one.cat_id] = one
        if columns:
            break
    if not 0 < len(entries) <= _MOST_CATEGORIES:
        raise InvalidQuery(
            f"{file} is no list of UCS categories: it needs a line that names the columns "
            "Category, SubCategory and CatID (save the official list as CSV)"
        )
    return list(entries.values())


def _rows(content: str, delimiter: str, file: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(content), delimiter=delimiter)
    except csv.Error as error:
        raise InvalidQuery(f"{file} is no list of UCS categories: {error}") from error
