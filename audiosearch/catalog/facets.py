"""Facets: for each property that people filter by, the number of sounds with each value.

The counts of a property leave its own filter out: they show what another choice of the same
property would pass. All other filters count.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import Connection

from audiosearch import paths
from audiosearch.catalog.facet_table import FacetTable
from audiosearch.catalog.filters import Filter, nanoseconds, parse_since
from audiosearch.results import Facets

# The bands, in seconds, stand for effects, phrases, loops, ambiences, takes and recordings.
_BANDS = (0, 1, 5, 30, 120, 600)
_AGES = ("1d", "7d", "1m", "3m", "1y")

# A field with more values than this is an id, and no facet.
_MOST_VALUES = 100

# The filters that choose among the values of each property.
_OWN = {
    "duration": ("min_duration", "max_duration"),
    "suffix": ("format",),
    "folder": ("root",),
}


def facets(
    connection: Connection,
    table: FacetTable,
    condition: Filter,
    fields: Sequence[str] = (),
    hits: np.ndarray | None = None,
    min_score: float | None = None,
) -> Facets:
    """Count the sounds that meet the condition and are in the mask `hits` (by default all), the
    most frequent value first.

    `fields` of their metadata are counted as well, the 100 most frequent values of each.
    `min_score` is passed on.
    """
    masks = table.masks(connection, condition, hits)
    every = np.ones(len(table.ids), bool) if hits is None else hits

    def without(own: Iterable[str]) -> np.ndarray:
        left = [mask for name, mask in masks.items() if name not in own]
        kept: np.ndarray = np.logical_and.reduce([every, *left])
        return kept

    passing = without(())

    def count(name: str, most: int | None = None) -> dict[Any, int]:
        own = _of_tags(condition, name) if name in _TAGS else _OWN.get(name, (name,))
        mask = without(own) if any(one in masks for one in own) else passing
        return (
            _COUNTED[name](table, mask)
            if name in _COUNTED
            else table.columns[name].counts(mask, most)
        )

    by_metadata = {}
    for field in fields:
        own = f"metadata: {field}"
        mask = without((own,)) if own in masks else passing
        by_metadata[field] = table.metadata(connection, field).counts(mask, _MOST_VALUES)
    chosen = [_absolute(folder) for folder in condition.root]
    return Facets(
        sounds=int(passing.sum()),
        min_score=min_score,
        format=count("format"),
        suffix=count("suffix", _MOST_VALUES),
        duration=count("duration"),
        rate=count("rate"),
        channels=count("channels"),
        root=count("root"),
        folder=_folders(table, without(_OWN["folder"]), passing, chosen),
        category=count("category", _MOST_VALUES),
        keywords=count("keywords", _MOST_VALUES),
        since=count("since"),
        metadata=by_metadata,
    )


# Embedded tags, which the filter `tag` chooses among.
_TAGS = ("category", "keywords")


def _of_tags(condition: Filter, name: str) -> tuple[str, ...]:
    """Return the filter on tags where it chooses among the values of one tag, and nothing else."""
    alone = all(tag.startswith(f"{name}=") for tag in condition.tag)
    return ("tag",) if alone else ()


def _by_band(table: FacetTable, mask: np.ndarray) -> dict[str, int]:
    """Count durations by band. A band does not include its upper end."""
    places = np.searchsorted(_BANDS[1:], table.durations[mask], side="right")
    names = [f"{low}-{high}" for low, high in pairwise(_BANDS)] + [f"{_BANDS[-1]}-"]
    numbers = np.bincount(places, minlength=len(names)).tolist()
    return {name: number for name, number in zip(names, numbers, strict=True) if number}


def _by_age(table: FacetTable, mask: np.ndarray) -> dict[str, int]:
    """Count the sounds that each of the ages lets through as a filter."""
    now, times = datetime.now(UTC), table.modified[mask]
    numbers = {age: int((times >= nanoseconds(parse_since(age, now))).sum()) for age in _AGES}
    return {age: number for age, number in numbers.items() if number}


_COUNTED: dict[str, Callable[[FacetTable, np.ndarray], dict[Any, int]]] = {
    "duration": _by_band,
    "since": _by_age,
}


def _folders(
    table: FacetTable, without_roots: np.ndarray, passing: np.ndarray, chosen: Sequence[str]
) -> dict[str, int]:
    """Count the folders just below each root, and those just below each chosen folder."""
    column = table.columns["folder"]
    numbers: Counter[str] = Counter()
    for (root, folder), number in zip(
        column.values, column.numbers(without_roots).tolist(), strict=True
    ):
        if number and folder:
            numbers[paths.usable(root, folder.partition(b"/")[0])] += number
    below: Counter[str] = Counter()
    for (root, folder), number in zip(column.values, column.numbers(passing).tolist(), strict=True):
        if not (chosen and number):
            continue
        absolute = paths.usable(root, folder)
        for parent in chosen:
            prefix = parent.rstrip(os.sep) + os.sep
            if absolute.startswith(prefix):
                below[prefix + absolute[len(prefix) :].partition(os.sep)[0]] += number
    numbers |= below
    order = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(order[:_MOST_VALUES])


def _absolute(folder: str) -> str:
    return os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111 (as roots are)
