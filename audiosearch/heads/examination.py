"""Can the heads of a library be used? Each is read as a search would read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sqlalchemy import Connection

from audiosearch.catalog.heads import head_rows
from audiosearch.catalog.records import StoredModel
from audiosearch.errors import LibraryDamaged
from audiosearch.heads.head import head_of_row, made_by


def head_problems(
    connection: Connection, active: StoredModel | None, building: StoredModel | None
) -> Iterator[tuple[Literal["error", "notice"], str]]:
    """Yield an error for each head whose row does not hold one, and a notice for each that reads the
    vectors of neither the `active` model nor the one that is being built.
    """
    models = {model.digest: model for model in (building, active) if model}
    for row in head_rows(connection):
        own = models.get(row.digest)
        try:
            head_of_row(row, own.dimension if own else None)
        except LibraryDamaged as error:
            yield "error", str(error)
            continue
        if own is None and active is not None:
            yield (
                "notice",
                f"the head {row.name} was trained on vectors of the model {row.model}, and the "
                f"library answers with another ({active.name}): {made_by(row)}",
            )
