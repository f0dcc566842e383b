"""Does the cache file belong to the state that a transaction sees?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.records import StoredModel
from audiosearch.vectors.cachefile import CacheFooter, CacheUnusable, SnapshotTooOld, read_footer


def usable_footer(connection: Connection, directory: Path, model: StoredModel) -> CacheFooter:
    """The footer of the cache, if the file is one of this library, this model and this state or an
    earlier one.

    Raises `CacheUnusable`; too old is a file written before the tombstones that are kept.
    """
    footer = read_footer(directory)
    if footer.library_id != reading.get_meta(connection, "library_id"):
        raise CacheUnusable("it belongs to another library")
    if footer.model != model.digest or footer.dimension != model.dimension:
        raise CacheUnusable("it belongs to another model")
    if footer.generation > reading.generation(connection):
        raise SnapshotTooOld("it is newer than the state being read")
    if footer.generation < int(reading.get_meta(connection, "tombstone_floor") or 0):
        raise CacheUnusable("it is too old")
    return footer
