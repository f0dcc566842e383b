"""Changing what a stored sound belongs to, by what it belongs to now: read and written as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import update

from audiosearch.catalog import reading
from audiosearch.catalog.records import Sound
from audiosearch.catalog.schema import sounds
from audiosearch.catalog.store import Store
from audiosearch.catalog.words import index_words
from indexer.belongings import metadata_json
from indexer.lock import writing
from indexer.meta import next_generation

Belonging = tuple[str | None, Mapping[str, Any]]


def amend(store: Store, sound_id: int, change: Callable[[Sound], Belonging]) -> Sound:
    """Set the `external_id` (`None`: it has none) and metadata that `change` makes of a sound.

    Returns the sound as it is then. Raises `SoundNotFound`, `InvalidQuery`, `LibraryBusy` where
    another writer does not finish within 30 s, and what `change` raises, which changes nothing.
    """
    with writing(store, wait=30.0) as engine, engine.begin() as connection:
        before = reading.known_sound(connection, sound_id)
        external_id, metadata = change(before)
        if (external_id, metadata) == (before.external_id, before.metadata):
            return before
        values = {"external_id": external_id, "metadata": metadata_json(metadata)}
        next_generation(connection)
        connection.execute(update(sounds).where(sounds.c.id == sound_id).values(values))
        index_words(connection, [sound_id])
        after = reading.sound_by_id(connection, sound_id)
    assert after
    return after
