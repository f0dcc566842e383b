"""What to search for: queries that the library answers well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from audiosearch.results import Suggestion
from audiosearch.server.answers import TheLibrary, ThePools, tagged, unless_known

router = APIRouter(prefix="/v1", tags=["search"])


@dataclass(frozen=True)
class SuggestionList:
    """Suggestions, each of another kind of sound."""

    suggestions: tuple[Suggestion, ...]


@router.get("/suggestions", response_model=SuggestionList, summary="What to search for.")
async def list_suggestions(
    request: Request,
    library: TheLibrary,
    pools: ThePools,
    k: Annotated[int, Query(ge=1, le=50)] = 12,
) -> Response:
    suggestions = await pools.search(library.suggestions, k)
    return unless_known(request, tagged(SuggestionList(tuple(suggestions))))
