"""SQLite's shell patterns (GLOB) as regular expressions of PostgreSQL.

``*``, ``?``, ``[a-z]`` and ``[^a-z]`` are special, ``!`` is not. Without its ``]``, a ``[`` matches
nothing. PostgreSQL compares either characters, or bytes, each of which is a character of Latin-1:
there a character that is not ASCII is a leading byte and those that continue it, as SQLite reads
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# All bytes that continue it: else the next part of a pattern could take the rest of a character.
_ANY_OF_BYTES = "[\\u00c0-\\u00ff][\\u0080-\\u00bf]*(?![\\u0080-\\u00bf])"
_CHAR_OF_BYTES = f"(?:{_ANY_OF_BYTES}|[^\\u00c0-\\u00ff])"


@dataclass
class _Set:
    """The characters between brackets, as ranges of code points."""

    inverted: bool = False
    ranges: list[tuple[str, str]] = field(default_factory=list)


def as_regex(pattern: str, *, of_bytes: bool) -> str | None:
    """Return an expression that matches what the whole pattern matches; `None` where it matches
    nothing. With `of_bytes` the pattern is ASCII, and texts are bytes as Latin-1.
    """
    parts: list[str] = []
    # ASCII matches no part of another character, so only these have to count characters.
    counts = of_bytes and ("?" in pattern or "[^" in pattern)
    several = f"{_CHAR_OF_BYTES}*" if counts else ".*"
    place = 0
    while place < len(pattern):
        char = pattern[place]
        place += 1
        if char == "*":
            if parts[-1:] != [several]:
                parts.append(several)
        elif char == "?":
            parts.append(_CHAR_OF_BYTES if of_bytes else ".")
        elif char == "[":
            closed = _set_at(pattern, place)
            if closed is None:
                return None
            chars, place = closed
            part = _bracket(chars, of_bytes)
            if part is None:
                return None
            parts.append(part)
        else:
            parts.append(_literal(char))
    return "^" + "".join(parts) + "$"


def _set_at(pattern: str, place: int) -> tuple[_Set, int] | None:
    """Return the set that begins at a place, and the place beyond it."""
    chars = _Set()
    if pattern[place : place + 1] == "^":
        chars.inverted = True
        place += 1
    if pattern[place : place + 1] == "]":  # the first is one of the characters
        chars.ranges.append(("]", "]"))
        place += 1
    before = ""
    while place < len(pattern) and pattern[place] != "]":
        char, place = pattern[place], place + 1
        if char == "-" and before and pattern[place : place + 1] not in ("", "]"):
            chars.ranges.append((before, pattern[place]))
            before, place = "", place + 1
        else:
            chars.ranges.append((char, char))
            before = char
    return (chars, place + 1) if place < len(pattern) else None


def _bracket(chars: _Set, of_bytes: bool) -> str | None:
    ranges = "".join(
        f"{_code(first)}-{_code(last)}" for first, last in chars.ranges if first <= last
    )
    if not chars.inverted:
        return f"[{ranges}]" if ranges else None
    if of_bytes:
        return f"(?:{_ANY_OF_BYTES}|[^{ranges}\\u00c0-\\u00ff])"
    return f"[^{ranges}]" if ranges else "."


def _literal(char: str) -> str:
    return char if char.isalnum() and char.isascii() else _code(char)


def _code(char: str) -> str:
    return f"\\U{ord(char):08x}"
