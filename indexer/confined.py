"""What every process that decodes does first: it takes limits on, and keeps its stdout for messages."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import IO

# Address space. Beyond it a decoder is not decoding a sound but obeying a header.
_MOST_MEMORY = 6 << 30


def run(serve: Callable[[IO[bytes], IO[bytes]], None]) -> None:
    """Call `serve` with stdin and stdout. Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    # A C library that prints must not be able to break the protocol: stdout becomes stderr for all
    # but us.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, outgoing)
