"""The way from a library to the processes that decode for it, which are started when first needed.

Decoders are C libraries that read whatever people have on their disks: one that crashes must not
take the program along that embeds a library. The processes are `indexer`'s, which this package
imports only when it decodes.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.isolated import IsolatedReader
    from indexer.standby import Standby


class Isolation:
    """One `IsolatedReader` of `processes` processes, and what index runs of an open library keep for
    the next (`Standby`), each made when it is first asked for; thread-safe.
    """

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._lock = threading.Lock()
        self._reader: IsolatedReader | None = None
        self._standby: Standby | None = None

    @property
    def reader(self) -> IsolatedReader:
        """The reader there is."""
        from indexer.isolated import IsolatedReader

        with self._lock:
            if self._reader is None:
                self._reader = IsolatedReader(self._processes)
            return self._reader

    @property
    def standby(self) -> Standby:
        """What index runs keep for the next."""
        from indexer.standby import Standby

        with self._lock:
            if self._standby is None:
                self._standby = Standby()
            return self._standby

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            if self._reader:
                self._reader.close()
            if self._standby:
                self._standby.close()
