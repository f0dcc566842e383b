"""Whether the client of a request still waits for its answer: work that is in turn asks first.

Nothing is cancelled, since a thread cannot be; what waits for its turn is given up when that comes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from starlette.requests import ClientDisconnect

# Of the request whose task or thread asks.
hung_up: ContextVar[Callable[[], bool]] = ContextVar("hung_up", default=lambda: False)


def check_waiting() -> None:
    """Raises `ClientDisconnect` where the client has hung up."""
    if hung_up.get()():
        raise ClientDisconnect
