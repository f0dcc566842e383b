"""The folding of paths: filters ignore case and the two Unicode forms of one text.

Identity stays byte-exact; only filters fold. A Mac writes ``é`` as two characters, a keyboard
writes one, and nobody sees the difference.
"""

from __future__ import annotations

import sqlite3
import unicodedata


def folded(path: bytes) -> bytes:
    """Return the form in which paths and patterns are compared. Bytes that are not UTF-8 stay as
    they are.
    """
    text = path.decode("utf-8", "surrogateescape")
    if text.isascii():
        return path.lower()
    whole = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return whole.encode("utf-8", "surrogateescape")


def register(connection: sqlite3.Connection) -> None:
    """Make ``folded(blob)`` known to SQL."""
    connection.create_function("folded", 1, folded, deterministic=True)
