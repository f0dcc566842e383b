"""Texts in files, whose encoding is a guess."""

from __future__ import annotations

import codecs


def decoded(data: bytes) -> str:
    """Text up to its first NUL: UTF-8 if it can be, else Windows' Latin.

    A character that was cut at the end of a field is left out. So are bytes that do not fit where
    more of the others are UTF-8 than not.
    """
    data = data.split(b"\0", 1)[0]
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        wrong = text.count("\ufffd")
        right = sum(letter > "\x7f" for letter in text) - wrong
        return text.replace("\ufffd", "") if right > wrong else data.decode("cp1252", "replace")
