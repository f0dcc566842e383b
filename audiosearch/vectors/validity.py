"""Does the cache file belong to the state that a transaction sees, and how far is it behind?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from audiosearch.catalog import reading
from audiosearch.catalog.records import StoredModel
from audiosearch.vectors.cachefile import CacheFooter, CacheUnusable, SnapshotTooOld, read_footer


def usable_footer(connection: Connection, directory: Path, model: StoredModel) -> CacheFooter:
    """Return the footer of the cache, if the file is one of this library, this model and this state
    or an earlier one.

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


# Windows that searches read from the database without anybody noticing. `scripts.bench.adding` says
# of 2,000: 35 ms, once, to whoever opens the library (a command that asks once takes 1.3 s); then
# 0.2 ms a search, where the cache of 100,000 windows takes 17. From 4,000 on they do not fit into
# the processor's own memory any more, and each costs ten times as much. To write that cache anew
# takes 0.4 to 1.4 s: less than a millisecond for each of 2,000 windows that came one by one.
FEW = 2_000

# A smaller cache is written anew in milliseconds, and is when so large a part of it is behind.
_SMALL_PART = 8


def windows_behind(connection: Connection, model: StoredModel, footer: CacheFooter) -> int:
    """Return how many windows came or went since the cache was written; beyond `FEW` it does not
    count on.
    """
    new = reading.count_windows_after(connection, model.id, footer.covers, FEW + 1)
    return new + reading.count_dead_windows(connection, footer.generation, FEW + 1)


def is_long(behind: int, covered: int) -> bool:
    """Return whether so many windows behind a cache of `covered` windows are worth writing it anew."""
    return behind > min(FEW, covered // _SMALL_PART)
