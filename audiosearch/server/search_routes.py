"""Searching: a text by `GET`, mixtures, batches and sounds by `POST`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.errors import AudioSearchError, InvalidQuery
from audiosearch.library import Library
from audiosearch.results import Hit
from audiosearch.search.query import Term
from audiosearch.server.addressing import by_external_id
from audiosearch.server.answers import TheLibrary, ThePools, as_json, some_fields
from audiosearch.server.pools import Pools
from audiosearch.server.problems import Problem
from audiosearch.server.types import (
    MOST_BATCH_RESULTS,
    MOST_QUERIES,
    MOST_RESULTS,
    MOST_TERMS,
    Coordinate,
    ExternalId,
    Fields,
    Finite,
    Id,
    Number,
    Text,
    Word,
)
from audiosearch.server.upload_routes import BODY, TheUpload

router = APIRouter(prefix="/v1", tags=["search"])

Result = TypeVar("Result")

# Searches that wait for a decoder take hands that others search with.
_MOST_WAITING = 32


class Filters(BaseModel):
    """Filters, as those of `audiosearch query`: all must hold; of several values, any may."""

    model_config = ConfigDict(extra="forbid")

    min_duration: Annotated[Finite | None, Field(description="Seconds.")] = None
    max_duration: Annotated[Finite | None, Field(description="Seconds.")] = None
    path: Annotated[list[Word], Field(examples=[["*/doors/*"]], max_length=50)] = []
    format: Annotated[list[Word], Field(examples=[["wav", "flac"]], max_length=50)] = []
    channels: Annotated[list[Number], Field(max_length=50)] = []
    rate: Annotated[list[Number], Field(description="Hz.", max_length=50)] = []
    root: Annotated[list[Word], Field(max_length=50)] = []
    since: Annotated[Word | None, Field(examples=["2026-01-31", "7d"])] = None
    tag: Annotated[list[Word], Field(examples=[["rights=cleared"]], max_length=50)] = []
    external_id: Annotated[list[ExternalId], Field(max_length=50)] = []

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        known = {*Where.model_fields}
        return {n: v for n, v in values.items() if n in known and v not in (None, [], {})}


Member = str | int | Finite | bool


class Bounds(BaseModel):
    """Bounds of a field: all of them numbers or all of them texts, as dates are."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gte: str | int | Finite | None = None
    gt: str | int | Finite | None = None
    lte: str | int | Finite | None = None
    lt: str | int | Finite | None = None


class Where(Filters):
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


class _Shown(BaseModel):
    """How much of a ranking is wanted, and in what form."""

    model_config = ConfigDict(extra="forbid")

    k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    offset: Annotated[int, Field(ge=0, le=MOST_RESULTS)] = 0
    template: Annotated[Text | None, Field(examples=["this is a sound of {}"])] = None
    moments: Annotated[bool, Field(description="Every stretch that stands out.")] = False
    group: Annotated[bool, Field(description="Copies of one file as one hit.")] = False
    min_score: Annotated[
        Finite | None, Field(description="No hit with a lower cosine.", ge=-1, le=1)
    ] = None
    fields: Fields = None
    match: Annotated[
        Literal["both", "sound", "words"],
        Field(description="What is heard, the words of names and metadata, or both."),
    ] = "both"


class Asked(Filters, _Shown):
    """The parameters of a `GET`."""

    q: Annotated[Text, Field(description="What is heard.", examples=["campfire crackling"])]


class AskedBySound(Filters, _Shown):
    """The parameters beside an uploaded sound."""


class OneTerm(BaseModel):
    """A text, a stored sound (or its part from `start` to `end` seconds) or a vector of
    `/v1/embed`, and how much it counts; below zero it pushes away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text | None = None
    id: Id | None = None
    external_id: ExternalId | None = None
    vector: Annotated[list[Coordinate] | None, Field(max_length=4096)] = None
    weight: Finite = 1.0
    start: Annotated[Finite, Field(ge=0, le=1e9)] = 0.0
    end: Annotated[Finite | None, Field(gt=0, le=1e9)] = None

    def term(self, library: Library) -> Term:
        """As the library knows it."""
        number = self.id
        if self.external_id is not None and number is None:
            number = by_external_id(library, self.external_id)
        elif self.external_id is not None:
            raise InvalidQuery("a term is one of text, id, external_id or vector")
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


def decodes(terms: list[OneTerm]) -> bool:
    """Whether a part of a sound is among the terms, which must be decoded."""
    return any(
        (t.id is not None or t.external_id is not None) and (t.start > 0 or t.end is not None)
        for t in terms
    )


class Mixture(_Shown):
    """The body of a `POST`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": _EXAMPLE})

    terms: Annotated[list[OneTerm], Field(min_length=1, max_length=MOST_TERMS)]
    where: Where = Where()

    def page(self, library: Library) -> Page | SparsePage:
        """Its part of the ranking."""
        terms = [term.term(library) for term in self.terms]
        return page_of(library, terms, self.where.given(), self)


class Batch(BaseModel):
    """Several mixtures at once."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"queries": [_EXAMPLE]}}
    )

    queries: Annotated[list[Mixture], Field(min_length=1, max_length=MOST_QUERIES)]


@dataclass(frozen=True)
class Page:
    """Hits `offset` to `offset + len(hits)` of the ranking; `next` is where it goes on, if it
    does."""

    hits: tuple[Hit, ...]
    offset: int
    next: int | None


@dataclass(frozen=True)
class SparsePage:
    """The same with those fields of the hits that were asked for."""

    hits: tuple[dict[str, Any], ...]
    offset: int
    next: int | None


@dataclass(frozen=True)
class Pages:
    """A page for each query, in their order."""

    pages: tuple[Page | SparsePage, ...]


@router.get("/search", response_model=Page | SparsePage, summary="Sounds by a description.")
async def search(
    library: TheLibrary, pools: ThePools, asked: Annotated[Asked, Query()]
) -> Response:
    terms = [Term(text=asked.q)]
    return await pools.search(answer, library, terms, asked.given(), asked)


@router.post("/search", response_model=Page | SparsePage, summary="Sounds by a mixture of terms.")
async def search_mixture(library: TheLibrary, pools: ThePools, mixture: Mixture) -> Response:
    return await run(pools, mixture.terms, lambda: as_json(mixture.page(library)))


@router.post("/search/batch", response_model=Pages, summary="Several mixtures at once.")
async def search_batch(library: TheLibrary, pools: ThePools, batch: Batch) -> Response:
    total = sum(mixture.offset + mixture.k for mixture in batch.queries)
    if total > MOST_BATCH_RESULTS:
        raise InvalidQuery(
            f"a batch ranks at most {MOST_BATCH_RESULTS} sounds in all (offsets and k), not {total}"
        )
    pages = []
    for number, mixture in enumerate(batch.queries):
        try:
            # A turn each: others have theirs in between.
            page = await run(pools, mixture.terms, partial(mixture.page, library))
        except InvalidQuery as error:
            raise InvalidQuery(f"query {number}: {error}") from error
        pages.append(page)
    return await pools.search(as_json, Pages(tuple(pages)))


@router.post(
    "/search/audio",
    response_model=Page | SparsePage,
    summary="Sounds like the one in the body.",
    openapi_extra=BODY,
)
async def search_by_sound(
    library: TheLibrary,
    pools: ThePools,
    asked: Annotated[AskedBySound, Query()],
    upload: TheUpload,
) -> Response:
    async with upload.file() as path:
        # By its path: it is embedded by the model whose vectors are searched.
        terms = [Term(path=str(path))]
        return await pools.decode(answer, library, terms, asked.given(), asked)


async def run(pools: Pools, terms: list[OneTerm], work: Callable[[], Result]) -> Result:
    """The result of `work` on these terms, where its turn is: decoding waits for a decoder."""
    if not decodes(terms):
        return await pools.search(work)
    if pools.decoders.statistics().tasks_waiting >= _MOST_WAITING:
        raise Problem(503, "busy", "too many wait for parts of sounds: try again")
    return await pools.decode(work)


def answer(library: Library, terms: list[Term], where: dict[str, Any], shown: _Shown) -> Response:
    return as_json(page_of(library, terms, where, shown))


def page_of(
    library: Library, terms: list[Term], where: dict[str, Any], shown: _Shown
) -> Page | SparsePage:
    """A part of the ranking, whose order is the same from page to page."""
    if shown.offset >= MOST_RESULTS:
        raise InvalidQuery(f"a ranking is given down to {MOST_RESULTS}")
    end = min(shown.offset + shown.k, MOST_RESULTS)
    try:
        # One more than is shown says whether there is a next page.
        hits = library.search(
            terms,
            # Words move hits up, so that any may have a score that is high enough.
            k=end + 1 if shown.min_score is None else MOST_RESULTS,
            where=where or None,
            template=shown.template,
            moments=shown.moments,
            match=shown.match,
            group=shown.group,
        )
    except AudioSearchError:
        raise
    except UnicodeEncodeError as error:
        raise Problem(422, "invalid-request", "the request holds text that is none") from error
    if shown.min_score is not None:
        hits = [hit for hit in hits if hit.score >= shown.min_score]
    more = len(hits) > end and end < MOST_RESULTS
    part = hits[shown.offset : end]
    if shown.fields:
        return SparsePage(some_fields(part, shown.fields, Hit), shown.offset, end if more else None)
    return Page(tuple(part), shown.offset, end if more else None)
