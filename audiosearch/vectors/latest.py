"""Values that cost time to make, kept by key: the latest few, each made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, cast

Made = TypeVar("Made")
_NOTHING = object()


class Slot(Generic[Made]):
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


class Latest(Generic[Made]):
    """At most `most` values by key; the least recently used leaves first. It is thread-safe.

    An error of `make` reaches the caller, and nothing is kept. `make` must not request the same
    value.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, Slot[Made]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return the value of a key; `make` makes it where there is none."""
        with self._lock:
            slot = self._slots.setdefault(key, Slot())
            self._slots.move_to_end(key)
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
        return slot.get(make)
