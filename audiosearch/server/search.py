"""Searching: `GET /v1/search` for a text and its filters, `POST /v1/search` for mixtures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.errors import InvalidQuery
from audiosearch.library import Library
from audiosearch.query import Term
from audiosearch.results import Hit
from audiosearch.server.answers import TheLibrary, as_json

router = APIRouter(prefix="/v1", tags=["search"])

MOST_RESULTS = 1_000
MOST_TERMS = 100
MOST_CHARACTERS = 10_000

Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class Where(BaseModel):
    """Filters, as those of `audiosearch query`: all must hold; of several values, any may."""

    model_config = ConfigDict(extra="forbid")

    min_duration: float | None = None
    max_duration: float | None = None
    path: list[str] = []
    format: list[str] = []
    channels: list[int] = []
    rate: list[int] = []
    root: list[str] = []
    since: str | None = None
    tag: list[str] = []
    external_id: list[str] = []

    def given(self) -> dict[str, Any]:
        """Those that were set."""
        return {name: value for name, value in self if value not in (None, [])}


class Asked(Where):
    """The parameters of a `GET`."""

    q: Annotated[Text, Field(description="What is heard.", examples=["campfire crackling"])]
    k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    offset: Annotated[int, Field(ge=0, le=MOST_RESULTS)] = 0
    template: str | None = None
    moments: bool = False
    group: bool = False


class OneTerm(BaseModel):
    """A text or a stored sound, and how much it counts; below zero it pushes away."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = None
    id: int | None = None
    weight: float = 1.0


class Mixture(BaseModel):
    """The body of a `POST`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "terms": [{"text": "rain"}, {"text": "thunder", "weight": -1}],
                "k": 5,
                "where": {"format": ["wav"], "max_duration": 30},
            }
        },
    )

    terms: Annotated[list[OneTerm], Field(min_length=1, max_length=MOST_TERMS)]
    k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    offset: Annotated[int, Field(ge=0, le=MOST_RESULTS)] = 0
    template: str | None = None
    moments: bool = False
    group: bool = False
    where: Where = Where()


@dataclass(frozen=True)
class Page:
    """Hits `offset` to `offset + len(hits)` of the ranking; `next` is where it goes on, if it
    does."""

    hits: tuple[Hit, ...]
    offset: int
    next: int | None


@router.get("/search", response_model=Page, summary="Sounds by a description.")
def search(library: TheLibrary, asked: Annotated[Asked, Query()]) -> Response:
    where = {name: value for name, value in asked.given().items() if name in Where.model_fields}
    return _page(library, [Term(text=asked.q)], where, asked)


@router.post("/search", response_model=Page, summary="Sounds by a mixture of terms.")
def search_mixture(library: TheLibrary, mixture: Mixture) -> Response:
    terms = [Term(text=t.text, id=t.id, weight=t.weight) for t in mixture.terms]
    return _page(library, terms, mixture.where.given(), mixture)


def _page(
    library: Library, terms: list[Term], where: dict[str, Any], asked: Asked | Mixture
) -> Response:
    end = asked.offset + asked.k
    if end > MOST_RESULTS:
        raise InvalidQuery(f"a ranking is given down to {MOST_RESULTS}: ask for less")
    # One more than is shown says whether there is a next page. The order is stable.
    hits = library.search(
        terms,
        k=end + 1,
        where=where or None,
        template=asked.template,
        moments=asked.moments,
        group=asked.group,
    )
    page = Page(tuple(hits[asked.offset : end]), asked.offset, end if len(hits) > end else None)
    return as_json(asdict(page))
