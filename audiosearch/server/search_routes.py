"""Searching: a text by `GET`, mixtures, batches and sounds by `POST`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from audiosearch.errors import AudioSearchError, InvalidQuery
from audiosearch.library import Library
from audiosearch.results import Hit
from audiosearch.search.query import Term
from audiosearch.server.answers import TheLibrary, ThePools, as_json, some_fields
from audiosearch.server.pools import Pools
from audiosearch.server.problems import Problem
from audiosearch.server.search_models import (
    Asked,
    AskedBySound,
    HitPage,
    HitPages,
    SearchBatch,
    SearchRequest,
    SearchTerm,
    Shown,
    SparseHitPage,
    decodes,
)
from audiosearch.server.types import MOST_BATCH_RESULTS, MOST_RESULTS
from audiosearch.server.upload_routes import BODY, TheUpload

router = APIRouter(prefix="/v1", tags=["search"])

Result = TypeVar("Result")

# Searches that wait for a decoder take hands that others search with.
_MOST_WAITING = 32


@router.get("/search", response_model=HitPage | SparseHitPage, summary="Sounds by a description.")
async def search(
    library: TheLibrary, pools: ThePools, asked: Annotated[Asked, Query()]
) -> Response:
    terms = [Term(text=asked.q)]
    await embed_texts(pools, library, terms, asked.template)
    # Near-duplicates are decoded, to be compared.
    pool = pools.decode if asked.group == "near" else pools.search
    return await pool(answer, library, terms, asked.given(), asked)


@router.post(
    "/search", response_model=HitPage | SparseHitPage, summary="Sounds by a mixture of terms."
)
async def search_mixture(library: TheLibrary, pools: ThePools, mixture: SearchRequest) -> Response:
    await embed_texts(pools, library, mixture.terms, mixture.template)
    near = mixture.group == "near"
    return await run(pools, mixture.terms, lambda: as_json(_page(library, mixture)), near=near)


@router.post("/search/batch", response_model=HitPages, summary="Several mixtures at once.")
async def search_batch(library: TheLibrary, pools: ThePools, batch: SearchBatch) -> Response:
    total = sum(mixture.offset + mixture.k for mixture in batch.queries)
    if total > MOST_BATCH_RESULTS:
        raise InvalidQuery(
            f"a batch ranks at most {MOST_BATCH_RESULTS} sounds in all (offsets and k), not {total}"
        )
    pages = []
    for number, mixture in enumerate(batch.queries):
        try:
            # A turn each: others have theirs in between.
            near = mixture.group == "near"
            page = await run(pools, mixture.terms, partial(_page, library, mixture), near=near)
        except InvalidQuery as error:
            raise InvalidQuery(f"query {number}: {error}") from error
        pages.append(page)
    return await pools.search(as_json, HitPages(tuple(pages)))


@router.post(
    "/search/audio",
    response_model=HitPage | SparseHitPage,
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


def _page(library: Library, mixture: SearchRequest) -> HitPage | SparseHitPage:
    terms = [term.term(library) for term in mixture.terms]
    return page_of(library, terms, mixture.where.given(), mixture)


async def embed_texts(
    pools: Pools, library: Library, terms: Sequence[Term | SearchTerm], template: str | None
) -> None:
    """Let the library know the vectors of the texts, which the search then need not wait for."""
    texts = [term.text for term in terms if term.text is not None]
    if texts:
        with suppress(AudioSearchError, UnicodeEncodeError):  # the search says what is wrong
            await pools.embed(library.embed_text, texts, template=template)


async def run(
    pools: Pools, terms: list[SearchTerm], work: Callable[[], Result], *, near: bool = False
) -> Result:
    """The result of `work` on these terms, where its turn is: what decodes, as the grouping of near
    duplicates may, waits for a decoder.
    """
    if not (near or decodes(terms)):
        return await pools.search(work)
    if pools.decoders.statistics().tasks_waiting >= _MOST_WAITING:
        raise Problem(503, "busy", "too many wait for parts of sounds: try again")
    return await pools.decode(work)


def answer(library: Library, terms: list[Term], where: dict[str, Any], shown: Shown) -> Response:
    return as_json(page_of(library, terms, where, shown))


def page_of(
    library: Library, terms: list[Term], where: dict[str, Any], shown: Shown
) -> HitPage | SparseHitPage:
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
    weak = bool(hits) and all(hit.weak for hit in hits)
    following = end if more else None
    if shown.fields:
        return SparseHitPage(some_fields(part, shown.fields, Hit), shown.offset, following, weak)
    return HitPage(tuple(part), shown.offset, following, weak)
