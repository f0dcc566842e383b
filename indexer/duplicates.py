"""The searches for copies, with the fingerprints of the library that are made when they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from audiosearch.catalog.filters import Filter
from audiosearch.catalog.reader import CatalogReader
from audiosearch.duplicates.finding import OnProgress, find_duplicates
from audiosearch.duplicates.folding import folded_search
from audiosearch.duplicates.matching import THRESHOLD
from audiosearch.duplicates.records import DuplicateGroup
from audiosearch.results import Hit
from audiosearch.search.isolation import Isolation
from indexer.fingerprints import StoredFingerprints
from indexer.isolated import IsolatedReader


def duplicates(
    reader: CatalogReader,
    condition: Filter,
    threshold: float | None = None,
    on_progress: OnProgress | None = None,
) -> list[DuplicateGroup]:
    """Return the groups of copies in the library; a process on each processor decodes for it."""
    processes = os.cpu_count() or 1
    with IsolatedReader(processes) as decoding:
        return find_duplicates(
            reader,
            StoredFingerprints(reader, lambda: decoding, processes),
            condition,
            THRESHOLD if threshold is None else threshold,
            on_progress,
        )


def folded(
    reader: CatalogReader, decoding: Isolation, search: Callable[[int], Sequence[Hit]], k: int
) -> list[Hit]:
    """Return the first k hits of `search`, those that are copies of one sound as one."""
    fingerprints = StoredFingerprints(reader, lambda: decoding.reader)
    return folded_search(reader, fingerprints, search, k)
