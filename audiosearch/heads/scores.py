"""The probabilities of a library's sounds by a head, computed from the stored mean vectors.

Nothing is stored. With 100,000 sounds and ten labels the scores take 0.8 s of CPU once, and 3 ms
while an open library keeps them (`scripts/bench/heads.py`). A stored table would answer in 5 ms, but
take 44 MB for each such head, and every index run would have to keep it up to date.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, bindparam, select

from audiosearch.catalog import reading
from audiosearch.catalog.dialect import CHUNK
from audiosearch.catalog.heads import head_row
from audiosearch.catalog.schema import embeddings
from audiosearch.errors import InvalidQuery
from audiosearch.heads.head import Head, load_head, numbers_digest
from audiosearch.vectors.stored import batches

if TYPE_CHECKING:
    from audiosearch.catalog.filters import Filter
    from audiosearch.catalog.records import StoredModel

# Scores of a head with 50 labels take 20 MB for each 100,000 sounds.
_KEPT = 4

_MEANS = select(embeddings.c.content_id, embeddings.c.mean).where(
    embeddings.c.model_id == bindparam("model")
)


@dataclass(frozen=True)
class ContentScores:
    """The probabilities (n, labels), float32, of the contents with these ids (n,), ascending."""

    head: Head
    contents: np.ndarray
    probabilities: np.ndarray

    def column(self, label: str) -> np.ndarray:
        """Return the probabilities (n,) of a label. Raises `InvalidQuery` for an unknown one."""
        if label not in self.head.labels:
            raise InvalidQuery(
                f"the head {self.head.name} has no label {label[:80]!r}: it has "
                f"{', '.join(self.head.labels[:20])}{'...' if len(self.head.labels) > 20 else ''}"
            )
        column: np.ndarray = self.probabilities[:, self.head.labels.index(label)]
        return column


def compute_scores(connection: Connection, head: Head, stored: StoredModel) -> ContentScores:
    """Compute the probabilities of every content that the model has embedded."""
    rows = connection.execution_options(yield_per=CHUNK).execute(_MEANS, {"model": stored.id})
    ids: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    for numbers, vectors in batches(((row[0], row[1]) for row in rows), stored.dimension):
        ids.append(numbers)
        parts.append(head.probabilities(vectors).astype(np.float32))
    if not ids:
        return ContentScores(head, np.empty(0, np.int64), np.empty((0, len(head.labels))))
    contents, probabilities = np.concatenate(ids), np.concatenate(parts)
    order = np.argsort(contents)
    return ContentScores(head, contents[order], probabilities[order])


class HeadScores:
    """The latest scores of a library's newest state. It is thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str, int], ContentScores] = OrderedDict()

    def of(self, connection: Connection, name: str, stored: StoredModel | None) -> ContentScores:
        """Return the scores by the head of that name, of the state that the connection sees.

        Raises what `load_head` raises, and `InvalidQuery` in a library without a model.
        """
        if stored is None:
            raise InvalidQuery("the library holds no sounds yet: audiosearch index FOLDER")
        row = head_row(connection, name)
        digest = numbers_digest(row.numbers) if row else ""
        key = name, digest, stored.digest, reading.generation(connection)
        with self._lock:
            scores = self._kept.get(key)
            if scores is None:
                scores = compute_scores(connection, load_head(connection, name, stored), stored)
                self._kept[key] = scores
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        return scores

    def resolved(self, connection: Connection, condition: Filter) -> Filter:
        """Return the filter with the contents that pass its bounds on heads.

        Raises what `of` raises, and `InvalidQuery` for an unknown label.
        """
        if not condition.head:
            return condition
        stored = reading.active_model(connection)
        bounds = []
        for bound in condition.head:
            scores = self.of(connection, bound.head, stored)
            passing = bound.passes(scores.column(bound.label))
            row = head_row(connection, bound.head)
            digest = numbers_digest(row.numbers) if row else ""
            bounds.append(bound.resolved(digest, scores.contents[passing]))
        return replace(condition, head=tuple(bounds))
