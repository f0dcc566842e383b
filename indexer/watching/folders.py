"""The folders of a watch as they are now: armed for hints, or looked at every now and then.

A folder is polled where the operating system tells nothing of it: on a file system that other
machines change, beyond the limits of inotify, or where names are not UTF-8.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from audiosearch import paths
from audiosearch.catalog.store import Store
from indexer import roots
from indexer.watching import hints
from indexer.watching.events import WatchOptions
from indexer.watching.mounts import mounts
from indexer.watching.places import Disk, Place, disk, places, unit_of

# Hints are lost where more come at once than the system's queue holds (16,384 by default).
_MOST_HINTS = 8_000
# So many lost hints in so many seconds, and a folder is polled until the next whole look.
_MOST_LOST = 3
_LOST_SECONDS = 30.0
# New folders that are tried at once.
_MOST_PROBED = 1_000
# By default a look every 10 s, but for at most 2 % of the time.
_POLL = 10.0
_POLL_SHARE = 50.0


@dataclass
class WatchedFolders:
    """The watched folders (`places`), and the parts of them that may have changed (`units`: folders
    relative to the root, and whether with all below; by the place's path).
    """

    store: Store
    sources: Sequence[str]
    options: WatchOptions
    cancel: threading.Event
    places: list[Place] = field(default_factory=list)
    units: dict[bytes, dict[bytes, bool]] = field(default_factory=dict)
    polled: dict[bytes, str] = field(default_factory=dict)
    emptied: list[str] = field(default_factory=list)
    unmounted: set[bytes] = field(default_factory=set)
    next_poll: float = 0.0
    look_seconds: float = 0.0
    _hints: hints.Hints = field(default_factory=hints.Hints)
    _disks: dict[bytes, Disk] = field(default_factory=dict)
    _moved: set[bytes] = field(default_factory=set)
    _lost: dict[bytes, list[float]] = field(default_factory=dict)

    def close(self) -> None:
        """Disarm everything."""
        self._hints.close()

    @property
    def is_silent(self) -> bool:
        """Whether other machines may write to one of the folders."""
        return any(state.silent for state in self._disks.values())

    # -- hints --------------------------------------------------------------------------------

    def hear(self, seconds: float) -> None:
        """Wait so long for hints, and note which folders they are about."""
        try:
            changed = self._hints.wait(seconds, self.cancel)
        except hints.HintsLost as error:
            self._lose(str(error), time.monotonic())
            return
        if len(changed) > _MOST_HINTS:
            self._lose("", time.monotonic())
            return
        own = os.fsencode(self.store.directory.absolute())
        fresh = []
        for hint in changed:
            if roots.inside(hint, own) is not None:
                continue
            for place in self.places:
                unit = None
                if place.files is None and roots.inside(hint, place.path) is not None:
                    unit = unit_of(place, hint)
                if unit:
                    known = self.units.setdefault(place.path, {})
                    known[unit[0]] = known.get(unit[0], False) or unit[1]
                    if unit[1] and os.path.isdir(hint):  # noqa: PTH112 (bytes)
                        fresh.append(hint)
        try:
            hints.probe(fresh[:_MOST_PROBED])
        except hints.NoHints as error:  # what happens in the new folders would not be heard of
            self.polled |= dict.fromkeys(self._hints.armed, str(error))
            self.next_poll = 0.0
            self._rearm()

    def _lose(self, reason: str, now: float) -> None:
        """Look at everything that lost hints may be about, and arm it again."""
        about = [f for f in self._hints.armed if f"{paths.shown(f)}/" in reason]
        for folder in about or self._hints.armed:
            self.whole(folder)
            if reason:
                lost = [when for when in self._lost.get(folder, []) if now - when < _LOST_SECONDS]
                self._lost[folder] = [*lost, now]
                if len(lost) + 1 >= _MOST_LOST:
                    self.polled[folder] = hints.in_words(reason)
        self._rearm()

    def whole(self, folder: bytes) -> None:
        """Note that anything in a watched folder may have changed."""
        for place in self.places:
            if place.path == folder:
                self.units[place.path] = {place.below: True}

    def everything(self) -> None:
        """Note that anything may have changed, and try hints again where they were lost."""
        for place in self.places:
            self.whole(place.path)
        again = [folder for folder in self._lost if self.polled.pop(folder, None) is not None]
        self._lost.clear()
        if again:
            self._rearm()

    def poll(self, now: float) -> None:
        """Note the polled folders where they are due."""
        if self.polled and now >= self.next_poll:
            for folder in self.polled:
                self.whole(folder)
            share = max(_POLL, _POLL_SHARE * self.look_seconds)
            self.next_poll = now + (self.options.poll or share)

    # -- folders and disks --------------------------------------------------------------------

    def refresh(self) -> bool:
        """See whether other folders are to be watched, what is set for them, and on which disks they
        are. Returns whether other folders are watched than before.
        """
        before = {place.path: place for place in self.places}
        self.read_places()
        self.see_disks()
        moved, self._moved = self._moved, set()
        for place in self.places:
            known = before.get(place.path)
            if known is None or known.rules != place.rules or place.path in moved:
                self.whole(place.path)
        others = before.keys() != {place.path for place in self.places}
        if others or moved:
            self._arm()
        return others

    def read_places(self) -> None:
        """Read from the library which folders are to be watched."""
        engine = self.store.reader()
        try:
            with self.store.translating(), engine.connect() as connection:
                current = places(connection, self.sources)
                have = {place.path for place in current}
                emptied = [path for path in self.emptied if os.fsencode(path) not in have]
                self.places = current + (places(connection, emptied) if emptied else [])
        finally:
            engine.dispose()

    def see_disks(self) -> None:
        """See on which disks the folders are, and which disks below them went away."""
        known = mounts()
        now = {place.path: disk(place.path, known) for place in self.places}
        for folder, state in now.items():
            before = self._disks.get(folder)
            if before:
                self.unmounted |= before.mounted - state.mounted
            self.unmounted -= state.mounted
            if before != state:
                self._moved.add(folder)
        self._disks = now

    def _arm(self) -> None:
        self.polled, self._lost = {}, {}
        for place in self.places:
            # A few single files, wherever they are, cost nothing to look at.
            if self.options.poll is not None or place.files is not None:
                self.polled[place.path] = ""
            elif self._disks[place.path].silent:
                self.polled[place.path] = "others may change its file system unseen"
        self._rearm()

    def _rearm(self) -> None:
        armed = [
            place.path
            for place in self.places
            if place.path not in self.polled and self._disks[place.path].identity
        ]
        refused = self._hints.arm(list(dict.fromkeys(armed)))
        if refused:
            self.polled |= refused
            self.next_poll = 0.0

    def reasons(self) -> Iterator[str]:
        """Yield why folders are polled, a line each."""
        every = f"every {self.options.poll:g} s" if self.options.poll else "every now and then"
        for folder, reason in self.polled.items():
            if reason:
                yield f"{paths.shown(folder)} is looked at {every}: {reason}"
