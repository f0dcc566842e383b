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

# The words of many queries are few; each that 2,000 sounds hold takes 34 KB.
OTHERS_KEPT = 500

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

    @property
    def made(self) -> Made | None:
        """The value, if it was made."""
        return None if self._value is _NOTHING else cast(Made, self._value)

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
    others: OrderedDict[str, _Slot[Any]] = field(default_factory=OrderedDict)
    previous: Made | None = None


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

    def previous_sample(self, generation: int, digest: str) -> Made | None:
        """Return the sample of the model's state before this one, if there was one."""
        with self._lock:
            return self._at(generation, digest).previous

    def other(self, generation: int, digest: str, name: str, make: Callable[[], Any]) -> Any:
        """Return the value of that name in a state; `make` makes it where the cache has none."""
        with self._lock:
            slot = _latest(self._at(generation, digest).others, name, OTHERS_KEPT)
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
            slot: _Slot[np.ndarray] = _latest(
                self._at(generation, digest).filters, where, self._filters_kept
            )
        return slot.get(make)

    def _at(self, generation: int, digest: str) -> _State[Made]:
        state = self._state
        if state is None or (state.generation, state.digest) != (generation, digest):
            state = self._state = _State(generation, digest, previous=_sample_of(state, digest))
        return state


def _sample_of(state: _State[Made] | None, digest: str) -> Made | None:
    """The sample of a state of that model, or of the one before where none has asked for it."""
    if state is None or state.digest != digest:
        return None
    return state.sample.made or state.previous


def _latest(slots: OrderedDict[Any, _Slot[Any]], key: Any, most: int) -> _Slot[Any]:
    """The slot of a key, which becomes the latest of at most so many."""
    slot = slots.setdefault(key, _Slot())
    slots.move_to_end(key)
    if len(slots) > most:
        slots.popitem(last=False)
    return slot
