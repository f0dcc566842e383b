"""`StateCache` keeps values that hold for one state of a library and cost time to make: the sample
for percentiles, the table for facets, and what words match.

A state is a generation and the digest of the model that answers in it. The sample has a slot of its
own: words change as people type, and every search needs the sample.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from audiosearch.catalog.facet_table import FacetTable
from audiosearch.vectors.latest import Latest, Slot

# The words of many queries are few; each that 2,000 sounds hold takes 34 KB.
OTHERS_KEPT = 500

Made = TypeVar("Made")


def _others() -> Latest[Any]:
    return Latest(OTHERS_KEPT)


@dataclass
class _State(Generic[Made]):
    generation: int
    digest: str
    sample: Slot[Made] = field(default_factory=Slot)
    facets: Slot[FacetTable] = field(default_factory=Slot)
    others: Latest[Any] = field(default_factory=_others)
    previous: Made | None = None


class StateCache(Generic[Made]):
    """The sample and other values of the newest state that a search used. It is thread-safe.

    A thread that still works on an older state gets values of that state, and changes nothing in
    the newer one. An error of `make` reaches the caller, and the cache keeps nothing. `make` must
    not request the same value from the cache.
    """

    def __init__(self) -> None:
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
            others = self._at(generation, digest).others
        return others.get(name, make)

    def facets(self, generation: int, digest: str, make: Callable[[], FacetTable]) -> FacetTable:
        """Return the table for facets of a state; `make` makes it where the cache has none."""
        with self._lock:
            slot = self._at(generation, digest).facets
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
