"""The categories that a user chose for sounds, by CatID: kept, read and taken back.

A choice stays with its sound whatever happens to the file. It counts for as long as the name of the
file has no category of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select

from audiosearch import paths
from audiosearch.catalog import reading, ucs
from audiosearch.catalog.dialect import IDS, ids_parameter, portable
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.schema import contents, roots, sounds
from audiosearch.catalog.ucs import kept
from audiosearch.catalog.ucs_names import is_cat_id
from audiosearch.errors import InvalidQuery, shown_value

_STATE = portable(
    "SELECT s.id, s.path, n.source, n.cat_id AS named, k.cat_id AS kept FROM sounds s "
    "LEFT JOIN ucs_names n ON n.sound_id = s.id LEFT JOIN ucs_kept k ON k.sound_id = s.id "
    f"WHERE s.id IN {IDS}"
)
_FORGET = portable(f"DELETE FROM ucs_kept WHERE sound_id IN {IDS}")


def choices(connection: Connection, condition: Filter) -> dict[int, str]:
    """Return the choices for sounds that meet the condition: the CatID by the sound's id."""
    query = (
        select(kept.c.sound_id, kept.c.cat_id)
        .select_from(kept.join(sounds).join(roots).outerjoin(contents))
        .where(*conditions(condition))
        .order_by(kept.c.sound_id)
    )
    return {row.sound_id: row.cat_id for row in connection.execute(query)}


def set_choices(connection: Connection, chosen: Mapping[int, str | None]) -> list[int]:
    """Keep a CatID for each of these sounds; `None` takes it back. Return the ids of those that
    changed, whose names the caller must take apart again.

    Raises `SoundNotFound`, and `InvalidQuery` for a CatID that is not on the list (without a list:
    that has not the form of one) or a sound whose name has a category.
    """
    rows = connection.execute(_STATE, ids_parameter(chosen))
    known = {row.id: row for row in rows}
    listed = {one.cat_id.lower(): one.cat_id for one in ucs.all_categories(connection)}
    values: list[dict[str, Any]] = []
    changed = []
    for sound_id, given in chosen.items():
        row = known.get(sound_id)
        if row is None:
            raise reading.no_sound(sound_id)
        cat_id = None if given is None else _checked(given, listed)
        if cat_id is not None and row.source == ucs.NAME:
            name = paths.shown(row.path)
            raise InvalidQuery(f"the name of {name} has a UCS category already: {row.named}")
        if cat_id != row.kept:
            changed.append(sound_id)
            if cat_id is not None:
                values.append({"sound_id": sound_id, "cat_id": cat_id})
    connection.execute(_FORGET, ids_parameter(changed))
    if values:
        connection.execute(insert(kept), values)
    return changed


def _checked(cat_id: str, listed: Mapping[str, str]) -> str:
    """Return a CatID as the list writes it."""
    if listed and cat_id.lower() in listed:
        return listed[cat_id.lower()]
    if not listed and is_cat_id(cat_id):
        return cat_id
    why = "not on the library's list of UCS categories" if listed else "no CatID, such as DOORWood"
    raise InvalidQuery(f"{shown_value(cat_id)} is {why}")
