"""`FacetTable`: the properties that people filter by, of every embedded sound, in memory.

A table holds one state of a library. Row i is the sound `ids[i]`; ids ascend. A mask is (n,) bool
over the rows. 100,000 sounds take some 10 MB and half a second to read; after that a count takes
milliseconds, whatever the filters are.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Column as Sql
from sqlalchemy import Connection, bindparam, case, select

from audiosearch import paths
from audiosearch.catalog import ucs
from audiosearch.catalog.dialect import IDS, ids_parameter, portable
from audiosearch.catalog.filters import Filter, conditions, nanoseconds
from audiosearch.catalog.json_values import MEMBERS, text_member
from audiosearch.catalog.schema import contents, roots, sounds, windows
from audiosearch.catalog.types import Id, StoredText

# Keywords are one text; programs write commas or semicolons between them.
_BETWEEN_KEYWORDS = re.compile(r"[,;]")
# A mask of 1 M sounds takes 1 MB.
_MASKS_KEPT = 64

# What the filters of these names look at, and no more: the container, encoding and suffix, and the
# folder.
_DECIDING = {"format": "kind", "root": "folder", "rate": "rate", "channels": "channels"}

_JOINED = sounds.join(roots).join(contents)

# Each value of a field of the metadata, once for each sound.
_MEMBERS = (
    portable(
        """
    SELECT DISTINCT sounds.id, CASE WHEN field.type IN ('true', 'false') THEN field.type
        WHEN member.type IN ('true', 'false') THEN member.type ELSE CAST(member.value AS text) END
    FROM sounds, json_each(sounds.metadata) AS field, json_each(
        CASE field.type WHEN 'array' THEN field.value ELSE json_array(field.value) END) AS member
    WHERE sounds.metadata <> '{}' AND sounds.content_id IS NOT NULL AND field.key = :field
        AND member.value IS NOT NULL
    """,
        f"""
    SELECT DISTINCT sounds.id, member.value #>> '{{}}' FROM sounds, {MEMBERS}
    WHERE sounds.metadata <> '{{}}' AND sounds.content_id IS NOT NULL AND field.key = :field
        AND json_typeof(member.value) <> 'null'
    """,
    )
    .bindparams(bindparam("field", type_=StoredText))
    .columns(Sql("id", Id), Sql("value", StoredText))
)


@dataclass(frozen=True)
class Column:
    """The values of a property: entry i says that the sound in row `rows[i]` has the value
    `values[codes[i]]`. Without `rows`, each sound has one value, and entry i is that of row i.
    """

    values: Sequence[Any]
    codes: np.ndarray
    rows: np.ndarray | None = None

    def numbers(self, mask: np.ndarray) -> np.ndarray:
        """Return, for each value, the number of sounds in the mask that have it."""
        kept = mask if self.rows is None else mask[self.rows]
        return np.bincount(self.codes[kept], minlength=len(self.values))

    def counts(self, mask: np.ndarray, most: int | None = None) -> dict[Any, int]:
        """Return the numbers by value, without zeros, the most frequent `most` values first."""
        numbers = self.numbers(mask).tolist()
        pairs = [(value, n) for value, n in zip(self.values, numbers, strict=True) if n]
        pairs.sort(key=lambda pair: (-pair[1], pair[0]))
        return dict(pairs[:most])


def column(values: Iterable[Any], rows: np.ndarray | None = None) -> Column:
    """Return a column of values, one for each row, or each for the row of the same place."""
    codes: dict[Any, int] = {}
    coded = np.fromiter((codes.setdefault(value, len(codes)) for value in values), np.int32)
    return Column(list(codes), coded, rows)


class FacetTable:
    """The table of the state that the connection's transaction sees. It is thread-safe."""

    def __init__(self, connection: Connection, model_id: int | None) -> None:
        tag = [text_member(contents.c.tags, key) for key in ("category", "keywords")]
        rows = connection.execute(
            select(
                sounds.c.id,
                sounds.c.content_id,
                sounds.c.path,
                roots.c.path,
                sounds.c.mtime_ns,
                contents.c.duration,
                contents.c.sample_rate,
                contents.c.channels,
                contents.c.format,
                contents.c.subtype,
                *(case((contents.c.tags != "{}", part)) for part in tag),
            )
            .select_from(_JOINED)
            .order_by(sounds.c.id)
        ).all()
        fields = list(zip(*rows, strict=True)) if rows else [()] * 12
        self.ids = np.array(fields[0], np.int64)
        self.contents = np.array(fields[1], np.int64)
        self.modified = np.array(fields[4], np.int64)
        self.durations = np.array(fields[5], np.float64)
        folders = [path.rpartition(b"/")[0] for path in fields[2]]
        suffixes = [_suffix(path) for path in fields[2]]
        self.columns = {
            "rate": column(fields[6]),
            "channels": column(fields[7]),
            "format": column(fields[8]),
            "suffix": self._several((one,) if one else () for one in suffixes),
            "kind": column(zip(fields[8], fields[9], suffixes, strict=True)),
            "root": column(map(_usable, fields[3])),
            "folder": column(zip(fields[3], folders, strict=True)),
            "category": self._several((one,) if one else () for one in map(_label, fields[10])),
            "keywords": self._several(map(_keywords, fields[11])),
        }
        self.columns |= self._ucs(connection)
        self._windows = _windows(connection, model_id)
        self._lock = threading.Lock()
        self._masks: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def _several(self, values: Iterable[Iterable[Any]]) -> Column:
        pairs = [(row, value) for row, some in enumerate(values) for value in some]
        return column((value for _, value in pairs), np.array([row for row, _ in pairs], np.int64))

    def _ucs(self, connection: Connection) -> dict[str, Column]:
        """Return the columns of names in the UCS: CatIDs, categories and subcategories."""
        query = (
            select(sounds.c.id, *ucs.COLUMNS)
            .select_from(
                sounds.join(ucs.names).outerjoin(
                    ucs.categories, ucs.categories.c.cat_id == ucs.names.c.cat_id
                )
            )
            .where(sounds.c.content_id.is_not(None))
        )
        rows = connection.execute(query).all()
        places = np.searchsorted(self.ids, np.array([row.id for row in rows], np.int64))
        listed = np.array([row.ucs_category is not None for row in rows], bool)
        return {
            "ucs": column((row.ucs_cat_id for row in rows), places),
            "ucs_category": column((row.ucs_category or row.ucs_cat_short for row in rows), places),
            "ucs_subcategory": column(
                (f"{row.ucs_category}-{row.ucs_subcategory}" for row in rows if row.ucs_category),
                places[listed],
            ),
        }

    def contents_of(self, windows_: np.ndarray) -> np.ndarray:
        """Return the content (n,) of each of these windows (n,)."""
        ids, content_ids = self._windows
        return content_ids[np.searchsorted(ids, windows_)]

    def of_contents(self, content_ids: np.ndarray) -> np.ndarray:
        """Return the mask of the sounds with these contents."""
        return np.isin(self.contents, content_ids, kind="table")

    def metadata(self, connection: Connection, field: str) -> Column:
        """Return the values of a top-level field of the metadata that was set; of a list, its
        members.

        The values are texts; false and true are ``false`` and ``true``.
        """
        rows = connection.execute(_MEMBERS, {"field": field}).all()
        places = np.searchsorted(self.ids, np.array([row[0] for row in rows], np.int64))
        return column((row[1] for row in rows), places)

    def masks(
        self, connection: Connection, condition: Filter, among: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Return the mask of each condition of a filter, by its field; ``metadata: KEY`` for a
        field of the metadata. All must hold.

        With `among`, a mask, the masks may be false outside of it.
        """
        return {
            name: self._mask(connection, part, among)
            for name, part in _single_conditions(condition)
        }

    def _mask(self, connection: Connection, part: Filter, among: np.ndarray | None) -> np.ndarray:
        mask = self._by_column(part)
        if mask is not None:
            return mask
        with self._lock:
            if part in self._masks:
                self._masks.move_to_end(part)
                return self._masks[part]
        mask = self._by_representatives(connection, part)
        # To ask for each of many sounds takes longer than to go through all.
        few = mask is None and among is not None and among.sum() * 8 < len(among)
        if mask is None:
            mask = self._by_sound(connection, part, among if few else None)
        if not few:
            with self._lock:
                self._masks[part] = mask
                if len(self._masks) > _MASKS_KEPT:
                    self._masks.popitem(last=False)
        return mask

    def _by_representatives(self, connection: Connection, part: Filter) -> np.ndarray | None:
        """Return the mask of a condition that all sounds with one value of a column meet, or none:
        SQL decides it for one sound of each value.
        """
        name = next((name for name in _DECIDING if getattr(part, name)), None)
        if name is None:
            return None
        codes = self.columns[_DECIDING[name]].codes
        _, first = np.unique(codes, return_index=True)
        one_each = np.zeros(len(self.ids), bool)
        one_each[first] = True
        passing = codes[self._by_sound(connection, part, one_each)]
        return np.isin(codes, passing, kind="table")

    def _by_sound(
        self, connection: Connection, part: Filter, among: np.ndarray | None
    ) -> np.ndarray:
        """Return the mask of a condition that SQL decides for each sound in the mask `among`."""
        query = select(sounds.c.id).select_from(_JOINED).where(*conditions(part))
        values: dict[str, Any] = {}
        if among is not None:
            query = query.where(portable(f"sounds.id IN {IDS}"))
            values = ids_parameter(self.ids[among].tolist())
        mask = np.zeros(len(self.ids), bool)
        passing = [row[0] for row in connection.execute(query, values).all()]
        mask[np.searchsorted(self.ids, np.array(passing, np.int64))] = True
        return mask

    def _by_column(self, part: Filter) -> np.ndarray | None:
        """Return the mask of a condition that is one comparison; `None` for any other, which SQL
        decides.
        """
        mask: np.ndarray | None = None
        if part.min_duration is not None:
            mask = self.durations >= part.min_duration
        elif part.max_duration is not None:
            mask = self.durations <= part.max_duration
        elif part.since is not None:
            mask = self.modified >= nanoseconds(part.since)
        return mask


def _single_conditions(condition: Filter) -> Iterator[tuple[str, Filter]]:
    for name, value in vars(condition).items():
        if name == "metadata":
            for key, one in value:
                yield f"metadata: {key}", Filter(metadata=((key, one),))
        elif value not in (None, ()):
            yield name, Filter(**{name: value})


def _windows(connection: Connection, model_id: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (n,), ascending, of the model's windows, and their contents (n,)."""
    query = select(windows.c.id, windows.c.content_id).where(windows.c.model_id == model_id)
    pairs = np.array([tuple(row) for row in connection.execute(query)], np.int64).reshape(-1, 2)
    pairs = pairs[np.argsort(pairs[:, 0])]
    return pairs[:, 0], pairs[:, 1]


def _usable(root: bytes) -> str:
    return paths.usable(root)


def _suffix(path: bytes) -> str:
    return os.fsdecode(os.path.splitext(path)[1][1:].lower())  # noqa: PTH122 (bytes)


def _label(value: Any) -> str:
    """Return a tag as text: a file may hold anything under its name."""
    return value.strip() if isinstance(value, str) else ""


def _keywords(value: Any) -> Iterable[str]:
    words = (word.strip() for word in _BETWEEN_KEYWORDS.split(_label(value)))
    return dict.fromkeys(word for word in words if word)
