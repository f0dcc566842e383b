"""Texts in files, whose encoding is a guess."""

from __future__ import annotations

import codecs


def decoded(data: bytes, *, full: bool = False) -> str:
    """Text up to its first NUL: UTF-8 if it can be, else Windows' Latin.

    A character that was cut at the end is left out; `full` says that the text fills its field, so
    that even a single byte may be one. Bytes that do not fit are left out where more of the others
    are UTF-8 than not.
    """
    data, nul, _ = data.partition(b"\0")
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
        cut = len(data) - len(text.encode())
        # The one byte of a Latin letter looks like the first of a character that was cut. But that
        # of Latin letters is one of these two, which end no word.
        if cut != 1 or data[-1:] in b"\xc2\xc3" or (full and not nul) or not text.isascii():
            return text
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        wrong = text.count("\ufffd")
        right = sum(letter > "\x7f" for letter in text) - wrong
        if right > wrong:
            return text.replace("\ufffd", "")
    return data.decode("cp1252", "replace")
