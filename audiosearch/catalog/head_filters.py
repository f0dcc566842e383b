"""Filters by heads: ``NAME=LABEL>0.8`` passes the sounds whose probability of a label, as the head
computes it, is above a bound.

`audiosearch.heads.scores` computes the probabilities: a bound becomes SQL only after the contents
that pass it are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
from sqlalchemy import ColumnElement, and_, bindparam

from audiosearch.catalog.dialect import IDS, portable
from audiosearch.errors import InvalidQuery

_BOUND = re.compile(
    r"(?P<head>[^=<>]+)=(?P<label>.+?)"
    r"(?:\s*(?P<operator>>=|<=|>|<)\s*(?P<value>[0-9.]+(?:[eE]-?[0-9]+)?))?",
    re.DOTALL,
)
# Without a bound, a label is to be more probable than not.
_PROBABLE = ">=", 0.5
_FORM = "a filter by a head is NAME=LABEL>0.8 (or >=, <, <=), or NAME=LABEL for at least 0.5"


@dataclass(frozen=True)
class HeadBound:
    """A bound on the probability of a label. `value` is in 0..1.

    `digest` and `contents` (int64, ascending) are there once the bound is resolved: the digest of
    the head's numbers, and the ids of the contents that pass. The digest stands for the ids in
    comparisons.
    """

    head: str
    label: str
    operator: str
    value: float
    digest: str | None = None
    contents: np.ndarray | None = field(default=None, compare=False, repr=False)

    def passes(self, probabilities: np.ndarray) -> np.ndarray:
        """Return where the probabilities (n,) pass the bound, as bool (n,)."""
        compare = {
            ">": np.greater,
            ">=": np.greater_equal,
            "<": np.less,
            "<=": np.less_equal,
        }[self.operator]
        passing: np.ndarray = compare(probabilities, self.value)
        return passing

    def resolved(self, digest: str, contents: np.ndarray) -> HeadBound:
        """Return the bound with the contents that pass it."""
        return replace(self, digest=digest, contents=contents)


def parse_bound(value: str | HeadBound) -> HeadBound:
    """Return the bound that a text states. Raises `InvalidQuery`.

    >>> parse_bound("animals=dog>0.8").label
    'dog'
    """
    if isinstance(value, HeadBound):
        return replace(value, digest=None, contents=None)
    match = _BOUND.fullmatch(value)
    if match is None:
        raise InvalidQuery(f"cannot read {value[:80]!r}: {_FORM}")
    operator, bound = _PROBABLE
    if match["operator"]:
        operator = match["operator"]
        try:
            bound = float(match["value"])
        except ValueError as error:
            raise InvalidQuery(f"cannot read {value[:80]!r}: {_FORM}") from error
    if not 0 <= bound <= 1:
        raise InvalidQuery(f"a probability is from 0 to 1, not {bound:g}: {_FORM}")
    return HeadBound(match["head"].strip(), match["label"].strip(), operator, bound)


def bound_condition(bound: HeadBound) -> ColumnElement[bool]:
    """Return a resolved bound as SQL on `contents`."""
    if bound.contents is None:
        raise ValueError(f"the bound on the head {bound.head} is not resolved")
    ids = "[" + ",".join(map(str, bound.contents.tolist())) + "]"
    return and_(portable(f"contents.id IN {IDS}").bindparams(bindparam("ids", ids, unique=True)))
