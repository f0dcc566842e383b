"""Keeping a library up to date with its folders while they change.

Hints of the operating system, or a look every now and then, name folders that may have changed. A
look compares such a folder with the catalog, byte by byte of the names, without the writer's lock.
What differs settles: a file counts once its size and time have been the same for some seconds, and
a file that is gone once it has been gone for so long, so that both halves of a rename come in one
run. That run of the indexer takes the lock, and all the safeguards of any other run hold for it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from audiosearch import paths
from audiosearch.catalog.store import Store
from audiosearch.errors import AudioSearchError, InvalidQuery, LibraryBusy
from indexer import roots
from indexer.options import Options
from indexer.plan import Scan
from indexer.summary import Summary
from indexer.watching import hints
from indexer.watching.events import WatchEvent, WatchOptions
from indexer.watching.folders import WatchedFolders
from indexer.watching.pending import Pending
from indexer.watching.places import NO_ROOT, scans_of
from indexer.watching.selection import Selection
from indexer.watching.settling import GONE

# Between two looks at what is watched: new roots, options, disks that come and go.
_TICK = 5.0
# Between two tries for the writer's lock.
_PATIENCE = 1.0
# More changed folders than that are looked at as a whole.
_MOST_UNITS = 1_000
# A file server's answers about size and time may be that old.
_REMOTE_SETTLE = 10.0
# Everything is looked at that often, whatever the hints were.
_WHOLE = 3_600.0

Run = Callable[[Selection, Options], Summary]


def watch(
    store: Store,
    sources: Sequence[str],
    options: WatchOptions,
    run: Run,
    cancel: threading.Event,
) -> Iterator[WatchEvent]:
    """Yield what happens until `cancel` is set. `Library.watch` explains the rest.

    `run` brings a selection of files up to date, as `indexer.run.index` does.
    """
    for name, value in (("poll", options.poll), ("settle", options.settle)):
        if value is not None and not 0 < value <= 86_400:
            raise InvalidQuery(f"{name} must be a number of seconds above 0, not {value:g}")
    if options.poll is None and not hints.available():
        raise AudioSearchError(
            "watching needs watchfiles: pip install 'audiosearch[watch]' (or look every minute "
            "without it: --poll 60)"
        )
    folders = WatchedFolders(store, sources, options, cancel)
    folders.read_places()
    unknown = {place.path for place in folders.places if place.root_id == NO_ROOT}
    new = [source for source in sources if roots.absolute(source) in unknown]
    roots.check_sources(new, files=False)  # a known one may be on a disk that comes later
    with store.lock(role="watcher"):
        try:
            folders.places = []
            yield from _Watcher(folders, Pending(store), run).events()
        finally:
            folders.close()


@dataclass
class _Watcher:
    folders: WatchedFolders
    pending: Pending
    run: Run
    _said: set[str] = field(default_factory=set)
    _waiting: bool = False
    _next_whole: float = 0.0
    _next_try: float = 0.0

    def events(self) -> Iterator[WatchEvent]:
        """Yield what happens until it is cancelled."""
        cancel, tick = self.folders.cancel, 0.0
        while not cancel.is_set():
            now = time.monotonic()
            if now >= tick:
                if self.folders.refresh():
                    yield self._watching()
                tick = now + _TICK
            if now >= self._next_whole:
                self._next_whole = now + _WHOLE
                self.pending.try_again()
                self.folders.everything()
            self.folders.poll(now)
            for text in self.folders.reasons():
                yield from self._notice(text)
            if any(self.folders.units.values()):
                yield from self._look()
            if time.monotonic() >= self._next_try and not cancel.is_set():
                yield from self._settle()
            self.folders.hear(max(0.01, self._next_moment(tick) - time.monotonic()))

    def _next_moment(self, tick: float) -> float:
        moments = [tick, self._next_whole]
        if self.folders.polled:
            moments.append(self.folders.next_poll)
        due = self.pending.settling.next_due(self._settle_seconds)
        if due is not None:
            moments.append(max(due, self._next_try))
        return min(moments)

    @property
    def _settle_seconds(self) -> float:
        settle = self.folders.options.settle
        return max(settle, _REMOTE_SETTLE) if self.folders.is_silent else settle

    def _look(self) -> Iterator[WatchEvent]:
        units, self.folders.units = self.folders.units, {}
        started = time.monotonic()
        scans: list[Scan] = []
        for place in self.folders.places:
            parts = units.get(place.path)
            if parts:
                scans += scans_of(place, {place.below: True} if len(parts) > _MOST_UNITS else parts)
        notices = self.pending.look(scans)
        self.folders.look_seconds = time.monotonic() - started
        for notice in notices:
            yield from self._notice(notice)

    def _settle(self) -> Iterator[WatchEvent]:
        """Hand what is complete to a run, unless another program writes."""
        if not len(self.pending.settling):
            return
        started = time.monotonic()
        self.folders.see_disks()
        ready = self.pending.complete(
            self.folders.places, self._settle_seconds, self.folders.unmounted
        )
        if not ready:
            return
        folders = [*self.folders.sources, *self.folders.emptied]
        selection = Selection(ready, [f for f in folders if os.path.isdir(f)])  # noqa: PTH112
        before = {place.path for place in self.folders.places if place.root_id != NO_ROOT}
        try:
            summary = self.run(selection, Options(workers=self.folders.options.workers))
        except LibraryBusy as error:
            spent = time.monotonic() - started
            self._next_try = time.monotonic() + max(_PATIENCE, 10 * spent)
            if not self._waiting:
                self._waiting = True
                what = str(error).partition(": ")[0]
                yield WatchEvent("waiting", f"waiting: {what}", paths=_usable(ready))
            return
        self._waiting = False
        self.folders.read_places()
        self.pending.done(self.folders.places, selection, summary)
        if not self.folders.sources:  # a folder that was emptied may fill again
            after = {place.path for place in self.folders.places if place.root_id != NO_ROOT}
            self.folders.emptied += [paths.usable(folder) for folder in sorted(before - after)]
            self.folders.read_places()
        for notice in summary.notices:
            yield from self._notice(notice)
        text = _in_words(selection, summary)
        if text:
            yield WatchEvent("indexed", text, paths=_usable(ready), summary=summary)

    # -- what is told -------------------------------------------------------------------------

    def _notice(self, text: str) -> Iterator[WatchEvent]:
        if text not in self._said:
            self._said.add(text)
            yield WatchEvent("notice", text)

    def _watching(self) -> WatchEvent:
        self._said.clear()
        folders = _usable(place.path for place in self.folders.places)
        polled = _usable(self.folders.polled)
        text = f"watching {len(folders)} folder{'' if len(folders) == 1 else 's'}"
        if self.folders.options.poll is not None:
            text += f", with a look every {self.folders.options.poll:g} s"
        return WatchEvent("watching", text, folders, polled)


def _usable(raw: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(paths.usable(path) for path in sorted(raw))


def _in_words(selection: Selection, summary: Summary) -> str:
    """What a run did, on one line; nothing where it did nothing."""
    counts = {
        "added": summary.added,
        "updated": summary.updated,
        "moved": summary.moved,
        "copies": summary.copied,
        "removed": summary.removed,
        "failed": summary.failed,
    }
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if not done:
        return ""
    # Of a file that was moved, the new place says enough.
    there = [path for path, state in selection.states.items() if state != GONE]
    ordered = sorted(there or selection.states)
    more = f" and {len(ordered) - 1} more" if len(ordered) > 1 else ""
    return f"{done} in {summary.elapsed:.1f} s: {paths.shown(ordered[0])}{more}"
