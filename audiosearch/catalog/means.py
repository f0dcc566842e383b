"""The mean vectors of contents, read for a whole library at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from audiosearch.catalog.dialect import CHUNK
from audiosearch.catalog.filters import Filter, conditions
from audiosearch.catalog.schema import contents, embeddings, roots, sounds


class Mean(NamedTuple):
    """The mean vector of a content, in its stored form, and the length of the content in seconds."""

    content_id: int
    vector: bytes
    duration: float


def means(connection: Connection, model_id: int, condition: Filter) -> Iterator[Mean]:
    """Yield the means of the contents whose sounds meet the condition, by content."""
    query = (
        select(embeddings.c.content_id, embeddings.c.mean, contents.c.duration)
        .join(contents, contents.c.id == embeddings.c.content_id)
        .where(embeddings.c.model_id == model_id)
        .order_by(embeddings.c.content_id)
    )
    if condition:
        passing = (
            select(sounds.c.content_id)
            .select_from(sounds.join(roots).join(contents))
            .where(and_(*conditions(condition)))
        )
        query = query.where(embeddings.c.content_id.in_(passing))
    for row in connection.execution_options(yield_per=CHUNK).execute(query):
        yield Mean(*row)
