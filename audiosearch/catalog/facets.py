"""Facets: for each property that people filter by, the number of sounds with each value."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from audiosearch import paths
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.schema import contents, roots, sounds
from audiosearch.results import Facets

# The bands, in seconds, stand for effects, phrases, loops, ambiences, takes and recordings.
_BANDS = (0, 1, 5, 30, 120, 600)


def facets(connection: Connection, condition: Filter) -> Facets:
    """Count the embedded sounds that meet the condition, the most frequent value first."""
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
    )
