"""Stems of English words, as SQLite's FTS5 forms them: ``barking`` and ``barks`` are ``bark``.

Porter's algorithm (1980) with FTS5's departures: words below 3 and above 64 bytes stay as they are,
``-logi`` becomes ``-log`` and ``-bli`` becomes ``-ble``. PostgreSQL's own stemmer has none of those,
and would find other sounds.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

_LONGEST = 64

# Suffixes and what stands in their place. The first that a word ends in decides.
_SECOND = (
    *(("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize")),
    *(("logi", "log"), ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e")),
    *(("ousli", "ous"), ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al")),
    *(("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al")),
    *(("iviti", "ive"), ("biliti", "ble")),
)
_THIRD = (
    *(("ical", "ic"), ("ness", ""), ("icate", "ic"), ("iciti", "ic"), ("ful", "")),
    *(("ative", ""), ("alize", "al")),
)
_FOURTH = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion"),
    *("ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)


@lru_cache(maxsize=50_000)
def stem_of(word: str) -> str:
    """Return the stem of a word in lower case.

    >>> stem_of("barking"), stem_of("analogies"), stem_of("as")
    ('bark', 'analog', 'as')
    """
    raw = word.encode()
    if not 3 <= len(raw) <= _LONGEST:
        return word
    # FTS5 goes by bytes: each counts as one letter.
    stem = _stem(raw.decode("latin-1")).encode("latin-1")
    return stem.decode(errors="backslashreplace")


def _stem(word: str) -> str:
    word = _without_plural(word)
    word = _without_past(word)
    if word[-1:] == "y" and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(_replaced(word, _SECOND), _THIRD)
    suffix = next((one for one in _FOURTH if _ends(word, one)), None)
    if suffix is not None:
        rest = word[: -len(suffix)]
        if _measure(rest) > 1 and (suffix != "ion" or rest[-1] in "st"):
            word = rest
    if word[-1:] == "e":
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _is_short(rest)):
            word = rest
    if word.endswith("ll") and _measure(word[:-1]) > 1:
        word = word[:-1]
    return word


def _ends(word: str, suffix: str) -> bool:
    return len(word) > len(suffix) and word.endswith(suffix)


def _without_plural(word: str) -> str:
    if word[-1] != "s" or word[-2] == "s":
        return word
    if word[-2] == "e" and (_ends(word, "sses") or _ends(word, "ies")):
        return word[:-2]
    return word[:-1]


def _without_past(word: str) -> str:
    if _ends(word, "eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    suffix = next((one for one in ("ed", "ing") if _ends(word, one)), None)
    if suffix is None or not _has_vowel(word[: -len(suffix)]):
        return word
    word = word[: -len(suffix)]
    if any(_ends(word, one) for one in ("at", "bl", "iz")):
        return word + "e"
    if len(word) > 1 and word[-1] == word[-2] and word[-1] not in "aeioulsz":
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _is_short(word) else word


def _replaced(word: str, suffixes: tuple[tuple[str, str], ...]) -> str:
    for suffix, other in suffixes:
        if _ends(word, suffix):
            rest = word[: -len(suffix)]
            return rest + other if _measure(rest) > 0 else word
    return word


def _consonants(word: str) -> list[bool]:
    """Return which letters are consonants. A ``y`` is one unless it follows a consonant."""
    flags: list[bool] = []
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and bool(flags) and flags[-1])
        flags.append(not vowel)
    return flags


def _measure(word: str) -> int:
    """Return how often a consonant follows a vowel, Porter's m."""
    flags = _consonants(word)
    return sum(here and not before for before, here in pairwise(flags))


def _has_vowel(word: str) -> bool:
    return any(letter in "aeiou" or (letter == "y" and i) for i, letter in enumerate(word))


def _is_short(word: str) -> bool:
    """Return whether a word ends in consonant, vowel, consonant, the last not w, x or y."""
    return _consonants(word)[-3:] == [True, False, True] and word[-1] not in "wxy"
