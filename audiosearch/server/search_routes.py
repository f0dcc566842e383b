"""Searching: a text by `GET`, mixtures, batches and sounds by `POST`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from audiosearch.errors import AudioSearchError, InvalidQuery
from audiosearch.library import Library
from audiosearch.results import Hit
from audiosearch.search.query import Term, as_terms
from audiosearch.server.answers import TheGathering, TheLibrary, ThePools, as_json, some_fields
from audiosearch.server.gathering import Gathering, Options
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

# Searches for so many hits take about as long as any.
_SHORT = 100


@router.get("/search", response_model=HitPage | SparseHitPage, summary="Sounds by a description.")
async def search(
    library: TheLibrary,
    pools: ThePools,
    gathering: TheGathering,
    asked: Annotated[Asked, Query()],
) -> Response:
    terms, where = [Term(text=asked.q)], asked.given()
    if _is_short(asked, where):
        return await _gathered(gathering, terms, asked)
    await embed_texts(pools, library, terms, asked.template)
    # Near-duplicates are decoded, to be compared.
    pool = pools.decode if asked.group == "near" else pools.search
    return await pool(answer, library, terms, where, asked)


@router.post(
    "/search", response_model=HitPage | SparseHitPage, summary="Sounds by a mixture of terms."
)
async def search_mixture(
    library: TheLibrary, pools: ThePools, gathering: TheGathering, mixture: SearchRequest
) -> Response:
    if _is_short(mixture, mixture.where.given()) and all(_is_text(term) for term in mixture.terms):
        terms = [term.term(library) for term in mixture.terms]
        return await _gathered(gathering, terms, mixture)
    await embed_texts(pools, library, mixture.terms, mixture.template)
    return await run(pools, _waits(mixture), lambda: as_json(_page(library, mixture)))


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
            page = await run(pools, _waits(mixture), partial(_page, library, mixture))
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


async def run(pools: Pools, waits: bool, work: Callable[[], Result]) -> Result:
    """The result of `work`, where its turn is: what decodes, or takes as long, waits for a decoder."""
    if not waits:
        return await pools.search(work)
    if pools.decoders.statistics().tasks_waiting >= _MOST_WAITING:
        raise Problem(503, "busy", "too many wait for parts of sounds: try again")
    return await pools.decode(work)


def _waits(mixture: SearchRequest) -> bool:
    return mixture.group == "near" or decodes(mixture.terms)


def answer(library: Library, terms: list[Term], where: dict[str, Any], shown: Shown) -> Response:
    return as_json(page_of(library, terms, where, shown))


def page_of(
    library: Library, terms: list[Term], where: dict[str, Any], shown: Shown
) -> HitPage | SparseHitPage:
    """A part of the ranking, whose order is the same from page to page."""
    with _request_in_words():
        hits = library.search(
            terms,
            k=_depth(shown),
            where=where or None,
            template=shown.template,
            moments=shown.moments,
            match=shown.match,
            group=shown.group,
        )
    return _page_from(hits, shown)


def _is_short(shown: Shown, where: dict[str, Any]) -> bool:
    """Whether a search takes no longer than others, which then need not mind to wait for it."""
    simple = not where and not shown.moments and shown.group != "near" and shown.min_score is None
    return simple and shown.offset + shown.k <= _SHORT


def _is_text(term: SearchTerm) -> bool:
    return bool(term.text) and term.id is None and term.external_id is None


async def _gathered(gathering: Gathering, terms: list[Term], shown: Shown) -> Response:
    """A part of the ranking of a short search."""
    options = Options(_depth(shown), shown.template, bool(shown.group), shown.match)
    with _request_in_words():
        return await gathering.search(
            as_terms(terms), options, lambda hits: as_json(_page_from(hits, shown))
        )


@contextmanager
def _request_in_words() -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise Problem(422, "invalid-request", "the request holds text that is none") from error


def _depth(shown: Shown) -> int:
    """How many hits a page needs: one more than it shows says whether there is a next page."""
    if shown.offset >= MOST_RESULTS:
        raise InvalidQuery(f"a ranking is given down to {MOST_RESULTS}")
    # Words move hits up, so that any may have a score that is high enough.
    return _end(shown) + 1 if shown.min_score is None else MOST_RESULTS


def _end(shown: Shown) -> int:
    return min(shown.offset + shown.k, MOST_RESULTS)


def _page_from(hits: list[Hit], shown: Shown) -> HitPage | SparseHitPage:
    end = _end(shown)
    if shown.min_score is not None:
        hits = [hit for hit in hits if hit.score >= shown.min_score]
    more = len(hits) > end and end < MOST_RESULTS
    part = hits[shown.offset : end]
    weak = bool(hits) and all(hit.weak for hit in hits)
    following = end if more else None
    if shown.fields:
        return SparseHitPage(some_fields(part, shown.fields, Hit), shown.offset, following, weak)
    return HitPage(tuple(part), shown.offset, following, weak)
