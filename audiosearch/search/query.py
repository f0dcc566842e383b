"""A query: signed, weighted terms.

A negative weight stands for "not": text towers ignore the word "no".
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from audiosearch.errors import InvalidQuery, shown_value

# With greater weights a sum of float32 loses the other terms, and then overflows.
_MOST_WEIGHT = 1e6


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a query: a text, a sound file, a stored sound or a vector, and only one of these.

    `path` is a file, in the library or not; `id` is the id of a stored sound. `start` and `end`
    (seconds) limit either to a part. `vector` is (d,), of any length except zero. `weight` is not
    zero, and at most a million; a negative weight steers away from the term. Raises `InvalidQuery`.
    """

    text: str | None = None
    path: str | None = None
    id: int | None = None
    vector: np.ndarray | None = None
    weight: float = 1.0
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        parts = [v for v in (self.text, self.path, self.id, self.vector) if v is not None]
        if len(parts) != 1:
            raise InvalidQuery("a term is one of text, path, id or vector")
        if not _is_number(self.weight) or not 0 < abs(self.weight) <= _MOST_WEIGHT:
            raise InvalidQuery(f"the weight of a term cannot be {shown_value(self.weight)}")
        for name, seconds in (("start", self.start), ("end", self.end)):
            if not (_is_number(seconds) or (name == "end" and seconds is None)):
                raise InvalidQuery(f"the {name} of a term cannot be {shown_value(seconds)}")
        if self.text is not None:
            check_text(self.text)
        if self.id is not None and (
            isinstance(self.id, bool) or not isinstance(self.id, int | np.integer)
        ):
            raise InvalidQuery(f"the id of a sound cannot be {shown_value(self.id)}")
        if self.path is not None:
            object.__setattr__(self, "path", _checked_path(self.path))
        if self.vector is not None:
            object.__setattr__(self, "vector", _checked_vector(self.vector))


def _is_number(value: Any) -> bool:
    """Return whether a value is one finite number."""
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _checked_path(path: Any) -> str:
    try:
        raw = os.fsencode(path)
    except (TypeError, ValueError) as error:
        raise InvalidQuery(f"the path of a term cannot be {shown_value(path)}") from error
    if not raw or b"\0" in raw:
        raise InvalidQuery(f"the path of a term cannot be {shown_value(path)}")
    return os.fsdecode(raw)


def _checked_vector(vector: Any) -> np.ndarray:
    try:
        values = np.asarray(vector)
    except (TypeError, ValueError) as error:  # rows of unlike lengths
        raise InvalidQuery(f"{shown_value(vector)} is no vector") from error
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise InvalidQuery(
            f"a query vector is a row of numbers, not {values.dtype} of shape {values.shape}"
        )
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise InvalidQuery("a term's vector holds NaN or infinite values")
    return values


# A query is compared with sounds, with the words that people wrote, or with both.
Match = Literal["both", "sound", "words"]

# What shares a hit: nothing, sounds with identical content, or near-duplicates as well.
Group = bool | Literal["near"]

Query = str | Term | Sequence[str | Term] | np.ndarray


def check_text(text: str) -> None:
    """Raise `InvalidQuery` for a value that is not a text, and for a text without a word."""
    if not isinstance(text, str):
        raise InvalidQuery(f"the text of a query cannot be {shown_value(text)}")
    if not text.strip():
        raise InvalidQuery('the query is empty: describe a sound, such as "campfire crackling"')
    if all(unicodedata.category(c)[0] in "PZC" for c in text):
        raise InvalidQuery(
            f"the query {text[:40]!r} is only punctuation: describe a sound in words"
        )


def _as_term(part: Any) -> Term:
    if isinstance(part, str):
        return Term(text=part)
    if isinstance(part, Term):
        return part
    hint = ": put it in Term(vector=...)" if isinstance(part, np.ndarray) else ""
    raise InvalidQuery(f"each term is a text or a Term, not {shown_value(part)}{hint}")


def as_terms(query: Query) -> list[Term]:
    """Return any form of a query as terms.

    Raises `InvalidQuery` for any other value, and for a query without a positive term.
    """
    if isinstance(query, np.ndarray):
        terms = [Term(vector=query)]
    elif isinstance(query, str):
        terms = [Term(text=query)]
    elif isinstance(query, Term):
        terms = [query]
    elif isinstance(query, Iterable) and not isinstance(query, bytes | dict):
        terms = [_as_term(part) for part in query]
    else:
        raise InvalidQuery(
            f"a query is a text, a Term, a list of these, or a vector, not {shown_value(query)}"
        )
    if not any(term.weight > 0 for term in terms):
        raise InvalidQuery("a query needs at least one term to look for, not only terms to avoid")
    return terms
