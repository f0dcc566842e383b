"""`serve --watch`: a thread that keeps the library up to date with its folders.

It writes as jobs do: with the writer's lock, one run at a time, and a job waits for it as it does
for a job. One program watches for a library. Another server stands by, and takes over when that one
ends.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from audiosearch.errors import AudioSearchError, LibraryBusy
from audiosearch.library import Library

if TYPE_CHECKING:
    from indexer.watching.events import WatchEvent

log = logging.getLogger("audiosearch.watch")

# Seconds between two tries, where another program watches, and after an error.
_STANDBY = 5.0
_AFTER_ERROR = 60.0


class Watching:
    """The thread that watches. `state` is ``starting``, ``watching``, ``standby`` (another program
    watches for this library), or ``failed: `` with the reason.
    """

    def __init__(self, library: Library, poll: float | None = None) -> None:
        self._library, self._poll = library, poll
        self._cancel = threading.Event()
        self.state = "starting"
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, and end."""
        self._cancel.set()
        self._thread.join()

    def _work(self) -> None:
        # Half of the processors: a long run leaves the others to searches.
        workers = max(1, (os.cpu_count() or 1) // 2)
        while not self._cancel.is_set():
            try:
                events = self._library.watch(poll=self._poll, workers=workers, cancel=self._cancel)
                for event in events:
                    self.state = "watching"
                    self._tell(event)
            except LibraryBusy:
                self.state = "standby"
                self._cancel.wait(_STANDBY)
            except AudioSearchError as error:
                self._fail(str(error))
            except Exception as error:  # a defect must be seen, and not end the watch for good
                log.exception("watching failed")
                self._fail(f"{type(error).__name__}: {error}")

    def _tell(self, event: WatchEvent) -> None:
        (log.warning if event.kind == "notice" else log.info)(event.text)

    def _fail(self, reason: str) -> None:
        if self._cancel.is_set():
            return
        self.state = f"failed: {reason}"
        log.warning("watching failed, and is tried again: %s", reason)
        self._cancel.wait(_AFTER_ERROR)
