"""How many requests are in hand at once, by what they wait for.

Each lane has as many hands as the settings say, so that what waits in one (for a decoder, for the
writer's lock, for a client) never keeps others from what does not wait. Probes have no limit: they
are asked for most when there is most to do.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

Lane = Literal["probes", "events", "receiving", "uploading", "searching", "decoding", "writing"]

_PROBES = ("/healthz", "/readyz", "/metrics")
# They ask in a body and change nothing.
_READING_POSTS = ("/v1/search", "/v1/facets", "/v1/classify", "/v1/embed")
UPLOADS = ("/v1/uploads", "/v1/search/audio", "/v1/classify/audio", "/v1/embed/audio")
_DECODING = ("/audio", "/peaks", "/spectrogram")
SAFE = ("GET", "HEAD", "OPTIONS")


# So long an index run waits with each window where searches never cease: it goes on, slowly. On two
# cores with 32 searches at once, p95 is 258 ms and 7 files a second are indexed with 0.25 s, 256 and 16
# with 0.1, 274 and 27 with 0.05, 356 and 45 with 0.02, 604 and 67 without a wait.
_COURTESY = 0.1


class HandsFull(Exception):
    """As many requests as a lane takes are in hand."""


def reads(method: str, path: str) -> bool:
    """Whether a request changes nothing."""
    return method in SAFE or any(
        path == start or path.startswith(f"{start}/") for start in _READING_POSTS
    )


def lane_of(method: str, path: str) -> Lane:
    """What a request may wait for."""
    if path in _PROBES:
        return "probes"
    if path.endswith("/events"):  # a listener does nothing most of the time
        return "events"
    if path in UPLOADS:
        return "uploading"
    if path.endswith(_DECODING) or path == "/v1/classify":
        return "decoding"
    return "searching" if reads(method, path) else "writing"


class Hands:
    """The requests in hand: `most` in each lane, half of them of one client. Bodies that are still
    on their way cost next to nothing: four times as many are waited for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_hand: Counter[Lane] = Counter()
        self._of_client: Counter[tuple[Lane, str]] = Counter()
        self._no_search = threading.Event()
        self._no_search.set()

    @contextmanager
    def one(self, lane: Lane, client: str) -> Iterator[None]:
        """One more, for as long as the block lasts. Raises `HandsFull`."""
        most = 4 * self._most if lane == "receiving" else self._most
        own = (lane, client)
        full = self._in_hand[lane] >= most or self._of_client[own] >= max(1, self._most // 2)
        if lane != "probes" and full:
            raise HandsFull
        self._in_hand[lane] += 1
        self._of_client[own] += 1
        if lane == "searching":
            self._no_search.clear()
        try:
            yield
        finally:
            self._in_hand[lane] -= 1
            if not self._in_hand["searching"]:
                self._no_search.set()
            self._of_client[own] -= 1
            if not self._of_client[own]:
                del self._of_client[own]

    def let_searches_go_first(self) -> None:
        """Wait until no search is in hand, for 0.1 s at most. For other threads."""
        self._no_search.wait(_COURTESY)

    def counts(self) -> dict[str, int]:
        """How many are in hand in each lane."""
        return {lane: self._in_hand[lane] for lane in get_args(Lane)}
