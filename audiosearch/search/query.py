"""Queries: signed, weighted terms.

Negation is a negative weight: text towers ignore the word "no".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosearch.errors import InvalidQuery


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a query: exactly one of a text, a sound file, a stored sound, or a vector.

    `path` may be in the library or not; `id` is a stored sound's. Of either, only the part from
    `start` to `end` (seconds) counts. `vector` is (d,), of any length but zero. `weight` is any
    number but zero; below zero the term pushes away.
    """

    text: str | None = None
    path: str | None = None
    id: int | None = None
    vector: np.ndarray | None = None
    weight: float = 1.0
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.text, self.path, self.id, self.vector) if v is not None]
        if len(given) != 1:
            raise InvalidQuery("a term is one of text, path, id or vector")
        if not np.isfinite(self.weight) or self.weight == 0:
            raise InvalidQuery(f"the weight of a term cannot be {self.weight}")
        if self.text is not None:
            check_text(self.text)


Query = str | Term | Sequence[str | Term] | np.ndarray


def check_text(text: str) -> None:
    """Raises `InvalidQuery` where a text holds nothing that could be heard."""
    if not text.strip():
        raise InvalidQuery('the query is empty: describe a sound, such as "campfire crackling"')
    if all(unicodedata.category(c)[0] in "PZC" for c in text):
        raise InvalidQuery(
            f"the query {text[:40]!r} is only punctuation: describe a sound in words"
        )


def as_terms(query: Query) -> list[Term]:
    """Any form of a query as terms. Raises `InvalidQuery` where there is none that pulls."""
    if isinstance(query, np.ndarray):
        terms = [Term(vector=query)]
    elif isinstance(query, str):
        terms = [Term(text=query)]
    elif isinstance(query, Term):
        terms = [query]
    else:
        terms = [Term(text=part) if isinstance(part, str) else part for part in query]
    if not any(term.weight > 0 for term in terms):
        raise InvalidQuery("a query needs at least one term to look for, not only terms to avoid")
    return terms
