"""What searches ask for and answer with: filters, terms and pages, as `/openapi.json` shows them.

Times are in seconds, scores are cosines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.errors import InvalidQuery
from audiosearch.library import Library
from audiosearch.results import Hit
from audiosearch.search.query import Term
from audiosearch.server.addressing import SoundKey, by_external_id, id_of
from audiosearch.server.types import (
    MOST_QUERIES,
    MOST_RESULTS,
    MOST_TERMS,
    Coordinate,
    ExternalId,
    Fields,
    Finite,
    Matching,
    Number,
    Text,
    Word,
)


class Filters(BaseModel):
    """Filters, as those of `audiosearch query`: all must hold; of several values, any may."""

    model_config = ConfigDict(extra="forbid")

    min_duration: Annotated[Finite | None, Field(description="Seconds.")] = None
    max_duration: Annotated[Finite | None, Field(description="Seconds.")] = None
    min_loudness: Annotated[Finite | None, Field(description="LUFS.")] = None
    max_loudness: Annotated[Finite | None, Field(description="LUFS.")] = None
    path: Annotated[list[Word], Field(examples=[["*/doors/*"]], max_length=50)] = []
    format: Annotated[list[Word], Field(examples=[["wav", "flac"]], max_length=50)] = []
    channels: Annotated[list[Number], Field(max_length=50)] = []
    rate: Annotated[list[Number], Field(description="Hz.", max_length=50)] = []
    root: Annotated[list[Word], Field(max_length=50)] = []
    since: Annotated[Word | None, Field(examples=["2026-01-31", "7d"])] = None
    tag: Annotated[list[Word], Field(examples=[["rights=cleared"]], max_length=50)] = []
    external_id: Annotated[list[ExternalId], Field(max_length=50)] = []
    ucs_category: Annotated[
        list[Word],
        Field(description="By names in the UCS.", examples=[["DOORS"]], max_length=50),
    ] = []
    head: Annotated[
        list[Word],
        Field(
            description="Bounds on the probability of a label by a trained head; all must hold.",
            examples=[["animals=dog>0.8"]],
            max_length=20,
        ),
    ] = []

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        known = {*SearchFilters.model_fields}
        return {n: v for n, v in values.items() if n in known and v not in (None, [], {})}


Member = str | int | Finite | bool


class Bounds(BaseModel):
    """Bounds of a field: all of them numbers or all of them texts, as dates are."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gte: str | int | Finite | None = None
    gt: str | int | Finite | None = None
    lte: str | int | Finite | None = None
    lt: str | int | Finite | None = None


class SearchFilters(Filters):
    """Filters in a body, where fields of the metadata can be compared exactly too."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metadata: Annotated[
        dict[str, Member | list[Member] | Bounds],
        Field(
            description="A value, several of which any may be it, or bounds; of a field that is a "
            "list, any member may.",
            examples=[{"project": "Harbour", "rights": ["cleared", "own"], "year": {"gte": 2020}}],
        ),
    ] = {}

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        given = super().given()
        if self.metadata:
            given["metadata"] = {
                name: value.model_dump(exclude_none=True) if isinstance(value, Bounds) else value
                for name, value in self.metadata.items()
            }
        return given


class Shown(BaseModel):
    """How much of a ranking is wanted, and in what form."""

    model_config = ConfigDict(extra="forbid")

    k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    offset: Annotated[int, Field(ge=0, le=MOST_RESULTS)] = 0
    template: Annotated[Text | None, Field(examples=["this is a sound of {}"])] = None
    moments: Annotated[bool, Field(description="Every stretch that stands out.")] = False
    group: Annotated[
        bool | Literal["near"],
        Field(description="Copies of one file as one hit; near: near-duplicates as well."),
    ] = False
    min_score: Annotated[
        Finite | None, Field(description="No hit with a lower cosine.", ge=-1, le=1)
    ] = None
    fields: Fields = None
    match: Annotated[
        Matching,
        Field(description="What is heard, the words of names and metadata, or both."),
    ] = "both"


class Asked(Filters, Shown):
    """The parameters of a `GET`."""

    q: Annotated[Text, Field(description="What is heard.", examples=["campfire crackling"])]


class AskedBySound(Filters, Shown):
    """The parameters beside an uploaded sound."""


class SearchTerm(BaseModel):
    """A text, a stored sound (or its part from `start` to `end` seconds) or a vector of
    `/v1/embed`, and how much it counts; below zero it pushes away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text | None = None
    id: SoundKey | None = None
    external_id: ExternalId | None = None
    vector: Annotated[list[Coordinate] | None, Field(max_length=4096)] = None
    weight: Finite = 1.0
    start: Annotated[Finite, Field(ge=0, le=1e9)] = 0.0
    end: Annotated[Finite | None, Field(gt=0, le=1e9)] = None

    def term(self, library: Library) -> Term:
        """As the library knows it."""
        given = (self.text, self.id, self.external_id, self.vector)
        if sum(part is not None for part in given) != 1:
            raise InvalidQuery("a term is one of text, id, external_id or vector")
        number = None if self.id is None else id_of(library, self.id)
        if self.external_id is not None:
            number = by_external_id(library, self.external_id)
        vector = None if self.vector is None else np.array(self.vector, dtype=np.float32)
        return Term(
            text=self.text,
            id=number,
            vector=vector,
            weight=self.weight,
            start=self.start,
            end=self.end,
        )


_EXAMPLE: Any = {
    "terms": [{"text": "rain"}, {"text": "thunder", "weight": -1}],
    "k": 5,
    "where": {"format": ["wav"], "max_duration": 30},
}


def decodes(terms: list[SearchTerm]) -> bool:
    """Whether a part of a sound is among the terms, which must be decoded."""
    return any(
        (t.id is not None or t.external_id is not None) and (t.start > 0 or t.end is not None)
        for t in terms
    )


class SearchRequest(Shown):
    """The body of a `POST`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": _EXAMPLE})

    terms: Annotated[list[SearchTerm], Field(min_length=1, max_length=MOST_TERMS)]
    where: SearchFilters = SearchFilters()


class SearchBatch(BaseModel):
    """Several mixtures at once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"queries": [_EXAMPLE]}}
    )

    queries: Annotated[list[SearchRequest], Field(min_length=1, max_length=MOST_QUERIES)]


@dataclass(frozen=True)
class HitPage:
    """Hits `offset` to `offset + len(hits)` of the ranking; `next` is where it goes on, if it
    does. `weak`: even the best of the ranking stands out no more than made-up words would."""

    hits: tuple[Hit, ...]
    offset: int
    next: int | None
    weak: bool = False


@dataclass(frozen=True)
class SparseHitPage:
    """The same with those fields of the hits that were asked for."""

    hits: tuple[dict[str, Any], ...]
    offset: int
    next: int | None
    weak: bool = False


@dataclass(frozen=True)
class HitPages:
    """A page for each query, in their order."""

    pages: tuple[HitPage | SparseHitPage, ...]
