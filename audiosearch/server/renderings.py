"""Sounds in a form that browsers play, made once and kept for a while."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from audiosearch.library import Library

# 115 MB each at the very most, and mostly a few seconds.
_KEPT = 32


class Renderings:
    """The last renderings, in a temporary folder; close it when done."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._folder = tempfile.TemporaryDirectory(prefix="audiosearch-")
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, str, float, float | None], Path] = OrderedDict()
        self._number = 0

    def made(self, sound_id: int, kind: str, start: float, end: float | None) -> Path | None:
        """A file that holds the sound from `start` to `end`, if there is one."""
        key = self._key(sound_id, kind, start, end)
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)

    def make(self, sound_id: int, kind: str, start: float, end: float | None) -> Path:
        """Make that file. Raises what `Library.render` does."""
        made = self.made(sound_id, kind, start, end)
        if made:  # while this request waited for a decoder
            return made
        key = self._key(sound_id, kind, start, end)
        with self._lock:
            self._number += 1
            path = Path(self._folder.name) / f"{self._number}.{kind}"
        self._library.render(sound_id, path, kind=kind, start=start, end=end)
        with self._lock:
            self._made[key] = path
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)[1].unlink(missing_ok=True)
        return path

    def _key(
        self, sound_id: int, kind: str, start: float, end: float | None
    ) -> tuple[str, str, float, float | None]:
        return self._library.sound(sound_id).content or f"sound {sound_id}", kind, start, end

    def close(self) -> None:
        """Delete them."""
        self._folder.cleanup()
