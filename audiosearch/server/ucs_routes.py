"""UCS categories over HTTP: the list that a user gives, suggestions, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from audiosearch.catalog.ucs import UcsCategory, parse_list
from audiosearch.library import Library
from audiosearch.results import UcsSuggestions
from audiosearch.server.addressing import SoundKey, id_of
from audiosearch.server.answers import TheLibrary, ThePools, as_json
from audiosearch.server.search_models import Filters
from audiosearch.server.types import Number, Word

router = APIRouter(prefix="/v1/ucs", tags=["sounds"])

MOST_CHOICES = 1_000

_CSV: dict[str, Any] = {
    "requestBody": {
        "description": "The official list, saved as CSV (UTF-8) with the columns Category, "
        "SubCategory and CatID.",
        "required": True,
        # Generators of clients know how to send an octet-stream; a csv they leave out.
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@dataclass(frozen=True)
class UcsList:
    """The categories of the library's list, by CatID; none where nobody gave one."""

    categories: tuple[UcsCategory, ...]


@dataclass(frozen=True)
class UcsListSet:
    """How many categories the list has."""

    categories: int


class AskedUcs(Filters):
    """Filters, how many categories to suggest for each sound, and which sounds to show."""

    k: Annotated[int, Field(ge=1, le=20, description="Categories for each sound.")] = 1
    limit: Annotated[int, Field(ge=1, le=1_000, description="Sounds.")] = 100
    offset: Annotated[Number, Field(description="Sounds to leave out.")] = 0


@dataclass(frozen=True)
class UcsSuggestionPage:
    """Sounds `offset` to `offset + len(suggested)` of those without a category, by path; `next` is
    where it goes on, if it does. All of it is guessed by the sound.
    """

    suggested: tuple[UcsSuggestions, ...]
    offset: int
    next: int | None


class UcsChoice(BaseModel):
    """A category to keep for a sound; null takes it back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: SoundKey
    cat_id: Annotated[Word, Field(min_length=1)] | None


class UcsChoices(BaseModel):
    """Categories to keep, or to take back; of several for one sound, the last counts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"choices": [{"id": 1, "cat_id": "ANMLDog"}]}},
    )

    choices: Annotated[list[UcsChoice], Field(min_length=1, max_length=MOST_CHOICES)]


@dataclass(frozen=True)
class UcsChoicesSet:
    """How many choices changed."""

    changed: int


@router.get("/list", response_model=UcsList, summary="The library's list of UCS categories.")
def get_ucs_list(library: TheLibrary) -> Response:
    return as_json(UcsList(tuple(library.ucs_list())))


@router.put(
    "/list",
    response_model=UcsListSet,
    summary="Give the library the list of UCS categories.",
    openapi_extra=_CSV,
)
async def set_ucs_list(request: Request, library: TheLibrary, pools: ThePools) -> Response:
    """It takes the place of the one before, and the names of all sounds are taken apart again. A body
    has at most a megabyte.
    """
    entries = parse_list(await request.body(), "the body")
    await pools.write(library.set_ucs_list, entries)
    return as_json(UcsListSet(len(entries)))


@router.get(
    "/suggestions",
    response_model=UcsSuggestionPage,
    summary="UCS categories suggested for sounds without one.",
)
async def list_ucs_suggestions(
    library: TheLibrary, pools: ThePools, asked: Annotated[AskedUcs, Query()]
) -> Response:
    """The score is the cosine of the sound and the category's name. Nothing is stored. The first call
    takes some seconds, for 750 names. While you keep what it suggests, the sounds that are left move
    up: ask for offset 0 again.
    """
    return as_json(await pools.embed(_page, library, asked))


def _page(library: Library, asked: AskedUcs) -> UcsSuggestionPage:
    end = asked.offset + asked.limit
    suggestions = library.suggest_ucs(
        asked.given() or None, asked.k, offset=asked.offset, limit=asked.limit + 1
    )
    suggested = tuple(suggestions)
    return UcsSuggestionPage(
        tuple(islice(suggested, asked.limit)),
        asked.offset,
        end if len(suggested) > asked.limit else None,
    )


@router.patch(
    "/choices",
    response_model=UcsChoicesSet,
    summary="Keep UCS categories as your own choice, or take them back.",
)
async def keep_ucs(library: TheLibrary, pools: ThePools, asked: UcsChoices) -> Response:
    """All of them or, with an error, none. A sound has its choice in `ucs`, where `source` is
    `kept`.
    """
    return as_json(UcsChoicesSet(await pools.write(_keep, library, asked)))


def _keep(library: Library, asked: UcsChoices) -> int:
    chosen = {id_of(library, choice.id): choice.cat_id for choice in asked.choices}
    return library.keep_ucs(chosen)
