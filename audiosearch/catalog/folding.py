"""Paths as filters compare them: without regard to case and to Unicode's two forms of one text.

Identity stays byte-exact; only filters fold. A Mac writes ``é`` as two characters where a keyboard
makes one, and nobody sees which.
"""

from __future__ import annotations

import sqlite3
import unicodedata


def folded(path: bytes) -> bytes:
    """The form in which paths and patterns are compared; bytes that are no UTF-8 stay as they
    are."""
    text = path.decode("utf-8", "surrogateescape")
    if text.isascii():
        return path.lower()
    whole = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return whole.encode("utf-8", "surrogateescape")


def register(connection: sqlite3.Connection) -> None:
    """Make ``folded(blob)`` known to SQL."""
    connection.create_function("folded", 1, folded, deterministic=True)
