"""Facets: how many sounds, or hits of a query, have what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.library import Library
from audiosearch.results import Facets
from audiosearch.search.query import Term
from audiosearch.server.answers import TheLibrary, ThePools, as_json
from audiosearch.server.search_models import Filters, SearchFilters, SearchTerm
from audiosearch.server.search_routes import embed_texts, run
from audiosearch.server.types import MOST_TERMS, Finite, Matching, Text, Word

router = APIRouter(prefix="/v1", tags=["search"])


class _Counted(BaseModel):
    """What is counted, and which hits are."""

    model_config = ConfigDict(extra="forbid")

    template: Annotated[Text | None, Field(examples=["this is a sound of {}"])] = None
    min_score: Annotated[
        Finite | None,
        Field(description="The hits have this cosine or more.", ge=-1, le=1),
    ] = None
    match: Annotated[
        Matching,
        Field(description="What is heard, the words of names and metadata, or both."),
    ] = "both"


class Faceted(Filters, _Counted):
    """Filters, a query whose hits are counted, and fields of the metadata to count the values of."""

    q: Annotated[
        Text | None, Field(description="Count the hits of this query.", examples=["rain"])
    ] = None
    metadata: Annotated[list[Word], Field(max_length=20, examples=[["rights"]])] = []

    def given(self) -> dict[str, Any]:
        """The filters that were set."""
        return {name: value for name, value in super().given().items() if name != "metadata"}


_EXAMPLE: Any = {
    "terms": [{"text": "rain"}, {"text": "thunder", "weight": -1}],
    "where": {"format": ["wav"], "max_duration": 30},
    "metadata": ["rights"],
}


class FacetRequest(_Counted):
    """The body of a `POST`: a mixture of terms whose hits are counted; without terms, sounds."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": _EXAMPLE})

    terms: Annotated[list[SearchTerm], Field(max_length=MOST_TERMS)] = []
    where: SearchFilters = SearchFilters()
    metadata: Annotated[list[Word], Field(max_length=20)] = []


@router.get("/facets", response_model=Facets, summary="How many sounds or hits have what.")
async def facets(
    library: TheLibrary, pools: ThePools, asked: Annotated[Faceted, Query()]
) -> Response:
    terms = [] if asked.q is None else [Term(text=asked.q)]
    await embed_texts(pools, library, terms, asked.template)
    return await pools.search(_counts, library, terms, asked.given(), asked.metadata, asked)


@router.post("/facets", response_model=Facets, summary="How many hits of a mixture have what.")
async def facets_of_mixture(
    library: TheLibrary, pools: ThePools, mixture: FacetRequest
) -> Response:
    def work() -> Response:
        terms = [term.term(library) for term in mixture.terms]
        return _counts(library, terms, mixture.where.given(), mixture.metadata, mixture)

    await embed_texts(pools, library, mixture.terms, mixture.template)
    return await run(pools, mixture.terms, work)


def _counts(
    library: Library,
    terms: list[Term],
    where: dict[str, Any],
    metadata: list[str],
    counted: _Counted,
) -> Response:
    return as_json(
        library.facets(
            where or None,
            metadata,
            query=terms or None,
            template=counted.template,
            match=counted.match,
            min_score=counted.min_score,
        )
    )
