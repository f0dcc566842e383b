"""`Together` sends the items of many threads through a tower at once.

An item that arrives during a batch waits, and goes with the next batch. A single text costs no more
than without it; eight texts at once cost half as much each (mini: 4.0 ms alone, 1.9 ms in eight).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Item = TypeVar("Item")


@dataclass
class _Waiting(Generic[Item]):
    item: Item
    vector: np.ndarray | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.vector is not None or self.error is not None


class Together(Generic[Item]):
    """The use of `compute`, which makes vectors (n, d) of n items, by many threads.

    One call runs at a time, with at most `most` items: beyond some number the first items only wait
    for the last.
    """

    def __init__(self, compute: Callable[[list[Item]], np.ndarray], most: int) -> None:
        self._compute = compute
        self._most = most
        self._changed = threading.Condition()
        self._waiting: list[_Waiting[Item]] = []
        self._busy = False

    def embed(self, items: Sequence[Item]) -> np.ndarray:
        """Return (n, d): the vectors of n items. Raises the errors of `compute`."""
        own = [_Waiting(item) for item in items]
        with self._changed:
            self._waiting += own
        for waiting in own:
            while not waiting.done:
                self._advance(waiting)
        for waiting in own:
            if waiting.error is not None:
                raise waiting.error
        return np.stack([waiting.vector for waiting in own if waiting.vector is not None])

    def _advance(self, own: _Waiting[Item]) -> None:
        """Compute the next batch, or wait until another thread has computed it."""
        with self._changed:
            if own.done:
                return
            if self._busy:
                self._changed.wait_for(lambda: own.done or not self._busy)
                return
            self._busy = True
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            vectors = self._compute([waiting.item for waiting in batch])
            for waiting, vector in zip(batch, vectors, strict=True):
                waiting.vector = vector
        except BaseException as error:  # noqa: BLE001 - it is raised again in each thread that waits
            for waiting in batch:
                waiting.error = error
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
