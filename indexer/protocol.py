"""The messages between the indexer and its decoding processes: a JSON head, and raw bytes behind
it.

    length of the head (uint32) | length of the body (uint64) | head, UTF-8 JSON | body

A process that has read a hostile file may send anything. So a message is data, and never a pickle.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct("<IQ")

# A chunk of features is about 2 MB; a message of this size is not one of ours.
_MOST = 1 << 30


def send(stream: IO[bytes], head: dict[str, Any], body: bytes | memoryview = b"") -> None:
    """Write one message and flush it."""
    text = json.dumps(head).encode("ascii")
    stream.write(_LENGTHS.pack(len(text), len(body)))
    stream.write(text)
    stream.write(body)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one message. Returns `None` at the end of the stream, also in the middle of a message."""
    start = stream.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        return None
    head_length, body_length = _LENGTHS.unpack(start)
    if head_length + body_length > _MOST:
        return None
    head = stream.read(head_length)
    body = stream.read(body_length)
    if len(head) < head_length or len(body) < body_length:
        return None
    return json.loads(head), body
