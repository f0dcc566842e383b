"""The validity of the cache file: whether it belongs to the state that a transaction sees, and how
far it is behind.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from audiosearch.catalog import reading, window_reading
from audiosearch.catalog.records import StoredModel
from audiosearch.vectors.cachefile import CacheFooter, CacheUnusable, SnapshotTooOld, read_footer


def usable_footer(connection: Connection, directory: Path, model: StoredModel) -> CacheFooter:
    """Return the footer of the cache, if the file belongs to this library and model, and to this
    state or an earlier one.

    Raises `CacheUnusable`. A file is too old where the library no longer has the tombstones since
    then.
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


# Searches read this many windows from the database, and nobody notices. `scripts.bench.adding`
# measures 2,000 windows: they cost 35 ms once, at the opening of the library (a whole command takes
# 1.3 s), and then 0.2 ms a search, where the cache of 100,000 windows takes 17 ms. From 4,000
# windows on they do not fit into the processor's own memory, and each costs ten times as much. A
# new cache of that size takes 0.4 to 1.4 s: less than a millisecond for each of 2,000 windows that
# came one by one.
FEW = 2_000

# A smaller cache takes milliseconds to write: it is written anew when this part of it is behind.
_SMALL_PART = 8


def windows_behind(connection: Connection, model: StoredModel, footer: CacheFooter) -> int:
    """Return how many windows came or went since the cache was written. It stops counting beyond
    `FEW`.
    """
    new = window_reading.count_windows_after(connection, model.id, footer.covers, FEW + 1)
    return new + window_reading.count_dead_windows(connection, footer.generation, FEW + 1)


def is_long(behind: int, covered: int) -> bool:
    """Return whether a cache of `covered` windows that is `behind` by this many is worth rewriting."""
    return behind > min(FEW, covered // _SMALL_PART)
