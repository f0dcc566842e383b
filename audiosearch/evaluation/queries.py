"""Short queries, as people type them, each with the kind of sound that answers it.

The figures: the part of the queries whose first hit is of their kind, and of those with one among
the first three; mAP over all sounds of the kind; how far the wordings of one kind lie apart; and how
unequally often sounds come up (k-occurrence, Radovanović et al. 2010). A sound scores by its best
window, as search does.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.errors import InvalidQuery
from audiosearch.evaluation import bootstrap, retrieval
from audiosearch.evaluation.bootstrap import Interval
from audiosearch.evaluation.measuring import EmbeddedSounds
from audiosearch.evaluation.task import csv_rows, spoken
from audiosearch.models.model import Model, apply_template

NEIGHBOURS = 10  # hits in which occurrences are counted


@dataclass(frozen=True)
class Query:
    """A text, and the class of the sounds that answer it."""

    text: str
    kind: str


@dataclass(frozen=True)
class QueryResult:
    """Figures in [0, 1], but for the last three.

    `spread` is the mean cosine distance of a query from the first one of its kind, as a share of the
    distance of unlike kinds; ``None`` where no kind has two queries. `occurrence_*` are of the number
    of queries that have a sound among their first ten: its `skew` is 0 where all sounds come up alike
    and above 2 where a few come up everywhere. `missed` are the queries with another kind first.
    """

    prompt: str
    queries: int
    items: int
    first: float
    first_interval: Interval
    first_three: float
    first_three_interval: Interval
    map: float
    map_interval: Interval
    missed: tuple[str, ...]
    spread: float | None
    occurrence_mean: float
    occurrence_most: int
    occurrence_skew: float


def read_queries(where: Path, classes: Collection[str]) -> tuple[Query, ...]:
    """Return the rows of a csv with columns ``query`` and ``kind``, blank queries left out.

    Raises `InvalidQuery` where there is no such file, column or query, or a kind is none of
    `classes`.
    """
    try:
        rows = list(csv_rows(where))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is not a csv file in UTF-8"
        raise InvalidQuery(f"cannot read the queries {where}: {reason}") from error
    for name in ("query", "kind"):
        if rows and rows[0].get(name) is None:
            raise InvalidQuery(f"{where} has no column {name}: it needs query and kind")
    queries = [Query((row["query"] or "").strip(), spoken(row["kind"] or "")) for row in rows]
    queries = [query for query in queries if query.text]
    if not queries:
        raise InvalidQuery(f"{where} has no queries: it needs rows with query and kind")
    check_kinds(queries, classes)
    return tuple(queries)


def check_kinds(queries: Iterable[Query], classes: Collection[str]) -> None:
    """Raise `InvalidQuery` for a query whose kind is none of `classes`."""
    for query in queries:
        if query.kind not in classes:
            raise InvalidQuery(
                f"no sound is of the kind {query.kind!r} of the query {query.text!r}"
            )


def wording_spread(queries: tuple[Query, ...], vectors: np.ndarray) -> float | None:
    """Return the mean distance (1 - cosine) of a query from the first of its kind, divided by the
    mean distance of the first ones of two kinds. `vectors` (queries, d) have unit length.
    """
    firsts: dict[str, int] = {}
    for place, query in enumerate(queries):
        firsts.setdefault(query.kind, place)
    others = [i for i, query in enumerate(queries) if firsts[query.kind] != i]
    if not others or len(firsts) < 2:
        return None
    heads = vectors[list(firsts.values())]
    between = 1 - (heads @ heads.T)[~np.eye(len(heads), dtype=bool)]
    within = [1 - float(vectors[i] @ vectors[firsts[queries[i].kind]]) for i in others]
    return float(np.mean(within) / max(float(between.mean()), 1e-9))


def occurrences(scores: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Return (items,): among the first `k` of how many queries each is. `scores` (queries, items)."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.bincount(top.ravel(), minlength=scores.shape[1])


def skewness(counts: np.ndarray) -> float:
    """Return the third standardised moment of (n,); 0 where all are alike."""
    centred = counts - counts.mean()
    variance = float((centred**2).mean())
    return float((centred**3).mean() / variance**1.5) if variance else 0.0


def evaluate_queries(
    model: Model,
    sounds: EmbeddedSounds,
    queries: tuple[Query, ...],
    template: str,
    draws: int = bootstrap.DRAWS,
) -> QueryResult:
    """Measure how well queries bring sounds of their kinds.

    Raises `InvalidQuery` for a query whose kind no sound has.
    """
    check_kinds(queries, set().union(*(item.classes for item in sounds.items)))
    vectors = model.embed_text([apply_template(template, query.text) for query in queries])
    scores = sounds.best_windows(vectors)
    relevant = np.array([[q.kind in item.classes for item in sounds.items] for q in queries])
    first = retrieval.recall_at(scores, relevant, 1)
    three = retrieval.recall_at(scores, relevant, 3)
    precision = retrieval.average_precision(scores, relevant)
    counts = occurrences(scores)
    return QueryResult(
        prompt=template,
        queries=len(queries),
        items=len(sounds.items),
        first=float(first.mean()),
        first_interval=bootstrap.mean_interval(first, draws),
        first_three=float(three.mean()),
        first_three_interval=bootstrap.mean_interval(three, draws),
        map=float(precision.mean()),
        map_interval=bootstrap.mean_interval(precision, draws),
        missed=tuple(q.text for q, right in zip(queries, first, strict=True) if not right),
        spread=wording_spread(queries, vectors),
        occurrence_mean=float(counts.mean()),
        occurrence_most=int(counts.max()),
        occurrence_skew=skewness(counts),
    )
