"""`StateCache` keeps values that hold for one state of a library and cost time to make: the sample
for percentiles, the table for facets, and the windows that a filter allows.

A state is a generation and the digest of the model that answers in it. The sample has a slot of its
own: filters change as people type, and every search needs the sample.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import numpy as np

from audiosearch.catalog.facet_table import FacetTable
from audiosearch.catalog.filters import Filter

# Each window that a filter allows takes 8 bytes: 32 filters that allow all of 1 M windows take 256
# MB.
FILTERS_KEPT = 32

Made = TypeVar("Made")
_NOTHING = object()


class _Slot(Generic[Made]):
    """One value. The first thread makes it; other threads wait for it meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Any = _NOTHING

    def get(self, make: Callable[[], Made]) -> Made:
        if self._value is _NOTHING:
            with self._lock:
                if self._value is _NOTHING:
                    self._value = make()
        return cast(Made, self._value)


@dataclass
class _State(Generic[Made]):
    generation: int
    digest: str
    sample: _Slot[Made] = field(default_factory=_Slot)
    facets: _Slot[FacetTable] = field(default_factory=_Slot)
    filters: OrderedDict[Filter, _Slot[np.ndarray]] = field(default_factory=OrderedDict)


class StateCache(Generic[Made]):
    """The sample and the latest filters of the newest state that a search used. It is thread-safe.

    A thread that still works on an older state gets values of that state, and changes nothing in
    the newer one. An error of `make` reaches the caller, and the cache keeps nothing. `make` must
    not request the same value from the cache.
    """

    def __init__(self, filters_kept: int = FILTERS_KEPT) -> None:
        self._filters_kept = filters_kept
        self._lock = threading.Lock()
        self._state: _State[Made] | None = None

    def sample(self, generation: int, digest: str, make: Callable[[], Made]) -> Made:
        """Return the sample of a state; `make` makes it where the cache has none."""
        with self._lock:
            slot = self._at(generation, digest).sample
        return slot.get(make)

    def facets(self, generation: int, digest: str, make: Callable[[], FacetTable]) -> FacetTable:
        """Return the table for facets of a state; `make` makes it where the cache has none."""
        with self._lock:
            slot = self._at(generation, digest).facets
        return slot.get(make)

    def allowed(
        self, generation: int, digest: str, where: Filter, make: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Return the ids (int64, ascending) of the windows that a filter allows in a state.

        `make` makes them where the cache has none. The least recently used filter leaves first.
        """
        with self._lock:
            filters = self._at(generation, digest).filters
            slot = filters.setdefault(where, _Slot())
            filters.move_to_end(where)
            if len(filters) > self._filters_kept:
                filters.popitem(last=False)
        return slot.get(make)

    def _at(self, generation: int, digest: str) -> _State[Made]:
        state = self._state
        if state is None or (state.generation, state.digest) != (generation, digest):
            state = self._state = _State(generation, digest)
        return state
