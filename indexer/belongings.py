"""What the embedding program sets on a sound: an id of its own, and metadata (a JSON object)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, update

from audiosearch.catalog.schema import sounds
from audiosearch.catalog.store import Store
from audiosearch.catalog.words import index_words
from audiosearch.errors import InvalidQuery
from indexer.lock import writing
from indexer.meta import next_generation


@dataclass(frozen=True)
class Belongings:
    """The id and the metadata that the embedding program sets on a sound. `None` changes nothing."""

    external_id: str | None = None
    metadata: Mapping[str, Any] | None = None

    def values(self) -> dict[str, str]:
        """Return the columns to set, with their values."""
        columns: dict[str, str] = {}
        if self.external_id is not None:
            columns["external_id"] = self.external_id
        if self.metadata is not None:
            columns["metadata"] = metadata_json(self.metadata)
        return columns


# Of objects in metadata that are nested in each other.
_DEEPEST = 100


def metadata_json(metadata: Mapping[str, Any]) -> str:
    """Return the stored form of a sound's metadata. Raises `InvalidQuery` where JSON cannot hold
    it.
    """
    try:
        stored = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
        _check_depth(metadata)
        stored.encode()  # a lone surrogate is not text
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidQuery(f"metadata must be a JSON object: {error}") from error
    return stored


def _check_depth(metadata: Mapping[str, Any]) -> None:
    """Raise `ValueError` where objects are nested deeper than SQLite and Python can read."""
    level: list[Any] = [metadata]
    for _ in range(_DEEPEST):
        level = [
            part
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for part in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} deep")


def describe(store: Store, described: Sequence[tuple[int, Belongings]]) -> None:
    """Set the external ids and the metadata of stored sounds, by id: all of them or none.

    Ids that are not in the library are skipped.
    """
    for _, belongings in described:
        belongings.values()  # bad metadata is an error before the wait for the lock
    with writing(store, wait=30.0) as engine, engine.begin() as connection:
        set_belongings(connection, described)


def set_belongings(connection: Connection, described: Sequence[tuple[int, Belongings]]) -> None:
    """Set the external ids and the metadata of sounds, by id."""
    changes = [(sound_id, belongings.values()) for sound_id, belongings in described]
    changes = [(sound_id, values) for sound_id, values in changes if values]
    if changes:
        next_generation(connection)
    for sound_id, values in changes:
        connection.execute(update(sounds).where(sounds.c.id == sound_id).values(values))
    index_words(connection, [sound_id for sound_id, _ in changes])
