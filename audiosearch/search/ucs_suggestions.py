"""Suggestions of UCS categories for sounds that have none: zero-shot, by the list that a user gave. A
suggestion is a guess; only a user makes it a choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sqlalchemy import Connection, select

from audiosearch import paths
from audiosearch.catalog import ucs
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.records import StoredModel
from audiosearch.catalog.schema import contents, embeddings, roots, sounds
from audiosearch.errors import InvalidQuery
from audiosearch.results import UcsSuggestion, UcsSuggestions
from audiosearch.vectors.codec import exact_scores, from_blobs

_BATCH = 1_000


def suggest(
    connection: Connection,
    stored: StoredModel,
    condition: Filter,
    k: int,
    embed_texts: Callable[[Sequence[str]], np.ndarray],
    offset: int = 0,
    limit: int | None = None,
) -> Iterator[UcsSuggestions]:
    """Yield the sounds that meet the condition and have no UCS category, by path, each with the k
    categories whose names are nearest to its mean vector. The first `offset` are left out.

    Raises `InvalidQuery` where the library has no list.
    """
    categories = ucs.all_categories(connection)
    if not categories:
        raise InvalidQuery(
            "the library has no list of UCS categories: save the official list as CSV and give it "
            "with audiosearch ucs --ucs-list FILE"
        )
    labels = embed_texts([label_of(category) for category in categories])
    query = (
        select(sounds.c.id, roots.c.path.label("root"), sounds.c.path, embeddings.c.mean)
        .select_from(
            sounds.join(roots)
            .join(contents)
            .join(embeddings, embeddings.c.content_id == contents.c.id)
        )
        .where(
            embeddings.c.model_id == stored.id,
            sounds.c.id.not_in(select(ucs.names.c.sound_id)),
            *conditions(condition),
        )
        .order_by(roots.c.path, sounds.c.path)
        .offset(offset)
        .limit(limit)
    )
    for rows in connection.execution_options(yield_per=_BATCH).execute(query).partitions():
        for row, mean in zip(
            rows, from_blobs((r.mean for r in rows), stored.dimension), strict=True
        ):
            scores = exact_scores(labels, mean)
            best = np.argsort(-scores, kind="stable")[:k]
            yield UcsSuggestions(
                paths.usable(row.root, row.path),
                row.id,
                tuple(UcsSuggestion(**vars(categories[i]), score=float(scores[i])) for i in best),
            )


def label_of(category: ucs.UcsCategory) -> str:
    """Return a category in words: ``wood doors``. MISC is a remainder and no word."""
    parts = (category.subcategory, category.category)
    return " ".join(part for part in parts if part and part.upper() != "MISC").lower()
