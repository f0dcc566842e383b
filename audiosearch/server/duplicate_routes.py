"""Groups of sounds that are copies of one sound."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from audiosearch.duplicates.finding import DuplicateProgress
from audiosearch.duplicates.records import DuplicateGroup
from audiosearch.library import Library
from audiosearch.server.answers import as_json
from audiosearch.server.problems import Problem
from audiosearch.server.search_models import Filters
from audiosearch.server.types import MOST_RESULTS

router = APIRouter(prefix="/v1", tags=["search"])

# They wait for the one that compares; each of those holds a connection.
_MOST_WAITING = 8


class AskedDuplicates(Filters):
    """Filters, the threshold, and which groups to show."""

    threshold: Annotated[
        float,
        Field(gt=0, le=1, allow_inf_nan=False, description="The least agreement with the best."),
    ] = 0.7
    k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0

    def given(self) -> dict[str, Any]:
        """The filters that were set."""
        known = Filters.model_fields
        return {name: value for name, value in super().given().items() if name in known}


@dataclass(frozen=True)
class DuplicatePage:
    """Groups `offset` to `offset + len(groups)` of `total`, by the path of their best copies; `next`
    is where it goes on, if it does.
    """

    groups: tuple[DuplicateGroup, ...]
    offset: int
    next: int | None
    total: int


class LatestDuplicates:
    """The groups that were asked for last, so that their pages are one search; to be made where the
    event loop runs. `stopping` ends a search.
    """

    def __init__(self, library: Library, stopping: asyncio.Event) -> None:
        self._library, self._stopping = library, stopping
        self.limiter = CapacityLimiter(1)
        self._lock = threading.Lock()
        self._key: tuple[object, ...] | None = None
        self._groups: list[DuplicateGroup] = []

    def page(
        self, where: Mapping[str, Any], threshold: float, k: int, offset: int
    ) -> DuplicatePage:
        """Part of the groups of the library as it is now."""
        with self._lock:
            state = self._library.status()
            filters = json.dumps(where, sort_keys=True)
            key = (state.generation, state.model, filters, threshold)
            if key != self._key:
                self._groups = self._library.duplicates(
                    where=where or None, threshold=threshold, on_progress=self._go_on
                )
                self._key = key
            end = offset + k
            part = tuple(self._groups[offset:end])
            total = len(self._groups)
        return DuplicatePage(part, offset, end if end < total else None, total)

    def _go_on(self, progress: DuplicateProgress) -> None:
        if self._stopping.is_set():
            raise Problem(503, "stopping", f"the server stops ({progress.stage} was not finished)")


@router.get("/duplicates", response_model=DuplicatePage, summary="Copies of one sound, in groups.")
async def duplicates(request: Request, asked: Annotated[AskedDuplicates, Query()]) -> Response:
    """Of each group the best copy comes first. The first call decodes every sound that may be a
    copy, which takes minutes in a large library, and later calls remember them; the command
    `audiosearch duplicates` does it beforehand, too.
    """
    latest: LatestDuplicates = request.app.state.duplicates
    if latest.limiter.statistics().tasks_waiting >= _MOST_WAITING:
        raise Problem(503, "busy", "too many wait for duplicates: try again")
    work = partial(latest.page, asked.given(), asked.threshold, asked.k, asked.offset)
    return as_json(await to_thread.run_sync(work, limiter=latest.limiter))
