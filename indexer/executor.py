"""The executor of a run: it embeds files, with processes on this machine or on a cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from audiosearch.models.model import Model
from indexer.encoder import CourteousEncoder
from indexer.options import Options
from indexer.pipeline import Outcome, embed
from indexer.plan import FileTask
from indexer.standby import Standby


class Executor(Protocol):
    """It starts at the first call of `embed`. Close it after use."""

    def embed(self, tasks: Sequence[FileTask]) -> Iterator[Outcome]:
        """Embed files, in whatever order they finish; `indexer.pipeline.embed` says more."""

    def close(self) -> None:
        """End what works for it."""


class Processes:
    """Decoding processes on this machine, and the audio tower in this process."""

    def __init__(
        self,
        limit: int | None,
        model: Model,
        standby: Standby,
        known: Callable[[bytes], bool],
        cancel: threading.Event,
        turn: Callable[[], None] | None,
    ) -> None:
        self._limit = limit
        self._model = model
        self._standby = standby
        self._known = known
        self._cancel = cancel
        self._turn = turn

    def embed(self, tasks: Sequence[FileTask]) -> Iterator[Outcome]:
        """See `Executor`."""
        encoder = self._standby.encoder(self._model)
        if self._turn:
            encoder = CourteousEncoder(encoder, self._turn)
        workers = min(self._limit or os.cpu_count() or 1, len(tasks))
        open_worker = partial(self._standby.worker, self._model, gentle=self._turn is not None)
        return embed(tasks, open_worker, encoder, self._known, self._cancel, workers)

    def close(self) -> None:
        """See `Executor`. The standby keeps what another run may need."""


def executor(
    options: Options,
    model: Model,
    standby: Standby,
    known: Callable[[bytes], bool],
    cancel: threading.Event,
    turn: Callable[[], None] | None,
) -> Executor:
    """Return the executor that the options ask for."""
    if options.cluster is None:
        return Processes(options.workers, model, standby, known, cancel, turn)
    from indexer.cluster.address import cluster_address
    from indexer.cluster.coordinator import Coordinator

    address = cluster_address(options.cluster)
    return Coordinator(address, options.workers, model, standby, known, cancel)
