"""Facets: for each property that people filter by, the number of sounds with each value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, case, cast, func, select, true

from audiosearch import paths
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.schema import contents, roots, sounds
from audiosearch.results import Facets

# The bands, in seconds, stand for effects, phrases, loops, ambiences, takes and recordings.
_BANDS = (0, 1, 5, 30, 120, 600)


# A field with more values than this is an id, and no facet.
_MOST_VALUES = 100


def facets(connection: Connection, condition: Filter, fields: Sequence[str] = ()) -> Facets:
    """Count the embedded sounds that meet the condition, the most frequent value first.

    `fields` of their metadata are counted as well, the 100 most frequent values of each.
    """
    joined = sounds.join(roots).join(contents)

    def count(value: ColumnElement[Any]) -> dict[Any, int]:
        query = select(value, func.count()).select_from(joined).group_by(value)
        if condition:
            query = query.where(and_(*conditions(condition)))
        rows = connection.execute(query).all()
        return {row[0]: row[1] for row in sorted(rows, key=lambda row: (-row[1], row[0]))}

    bands = [(f"{low}-{high}", contents.c.duration < high) for low, high in pairwise(_BANDS)]
    by_band = count(
        case(*((inside, name) for name, inside in bands), else_=f"{_BANDS[-1]}-").label("band")
    )
    names = [name for name, _ in bands] + [f"{_BANDS[-1]}-"]
    folders = count(roots.c.path)
    return Facets(
        format=count(contents.c.format),
        duration={name: by_band[name] for name in names if name in by_band},
        rate=count(contents.c.sample_rate),
        channels=count(contents.c.channels),
        root={paths.usable(path): number for path, number in folders.items()},
        metadata={field: _values(connection, condition, field) for field in fields},
    )


def _values(connection: Connection, condition: Filter, field: str) -> dict[str, int]:
    """How many sounds have each value of a field of the metadata, or hold it in a list."""
    fields = func.json_each(sounds.c.metadata).table_valued("key", "type", "value", name="field")
    listed = case((fields.c.type == "array", fields.c.value), else_=func.json_array(fields.c.value))
    members = func.json_each(listed).table_valued("type", "value", name="member")
    shown = case(
        (fields.c.type.in_(("true", "false")), fields.c.type),
        (members.c.type.in_(("true", "false")), members.c.type),
        else_=cast(members.c.value, Text),
    )
    count = func.count(func.distinct(sounds.c.id))
    query = (
        select(shown, count)
        .select_from(sounds.join(roots).join(contents).join(fields, true()).join(members, true()))
        .where(fields.c.key == field, members.c.value.is_not(None), *conditions(condition))
        .group_by(shown)
        .order_by(count.desc(), shown)
        .limit(_MOST_VALUES)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
