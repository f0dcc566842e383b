"""Hints of changes from the operating system, by `watchfiles` (extra `watch`).

A hint is a path below an armed folder that somebody made, changed, renamed or removed. Hints may be
late, too many or lost; `indexer.watching.loop` looks at the folders themselves.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# Changes come together until none follows for a quarter of a second, but for two seconds at most.
# The first is also how often an idle watch wakes up.
_QUIET_MS = 250
_BURST_MS = 2_000

_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


class HintsLost(Exception):
    """Some changes cannot be told, as those of a name that is not UTF-8; the message says why."""


class NoHints(Exception):
    """The operating system tells nothing of these folders; the message says why."""


def available() -> bool:
    """Whether `watchfiles` is installed."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        return False
    return True


class Hints:
    """The changes in folders that are armed together. `close` it."""

    def __init__(self) -> None:
        self._notify: Any = None
        self.armed: tuple[bytes, ...] = ()

    def arm(self, folders: Sequence[bytes]) -> dict[bytes, str]:
        """Arm these folders in place of others. Returns those that cannot be armed, with the reason."""
        self.close()
        try:
            self._notify = _notify(folders)
        except NoHints as error:
            if len(folders) == 1:
                return {folders[0]: str(error)}
            refused = _refused(folders) or dict.fromkeys(folders, str(error))
            return refused | self.arm([folder for folder in folders if folder not in refused])
        self.armed = tuple(folders)
        return {}

    def wait(self, seconds: float, cancel: threading.Event) -> set[bytes]:
        """Return the paths of a burst of changes; nothing where none came in time, or on `cancel`.

        Raises `HintsLost`.
        """
        if self._notify is None:
            cancel.wait(seconds)
            return set()
        from watchfiles._rust_notify import WatchfilesRustInternalError

        try:
            changes = self._notify.watch(
                _BURST_MS, _QUIET_MS, max(1, round(1000 * seconds)), cancel
            )
        except (WatchfilesRustInternalError, OSError) as error:
            raise HintsLost(str(error)) from error
        if changes == "signal":
            raise KeyboardInterrupt
        return set() if isinstance(changes, str) else {os.fsencode(path) for _, path in changes}

    def close(self) -> None:
        """Disarm every folder."""
        if self._notify is not None:
            self._notify.close()
        self._notify, self.armed = None, ()


def _notify(folders: Sequence[bytes]) -> Any:
    if not folders:
        return None
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    try:
        # With `ignore_permission_denied` it would hide every other error, too.
        return RustNotify([os.fsdecode(f) for f in folders], False, False, 300, True, False)
    except UnicodeEncodeError as error:
        raise NoHints("its name is not UTF-8") from error
    except (WatchfilesRustInternalError, OSError) as error:
        raise NoHints(_reason(str(error))) from error


def _refused(folders: Sequence[bytes]) -> dict[bytes, str]:
    """The folders that cannot be armed each for itself."""
    refused = {}
    for folder in folders:
        try:
            probe([folder])
        except NoHints as error:
            refused[folder] = str(error)
    return refused


def probe(folders: Sequence[bytes]) -> None:
    """Raise `NoHints` where these folders cannot be armed now."""
    notify = _notify(folders)
    if notify is not None:
        notify.close()


def in_words(lost: str) -> str:
    """Why hints were lost, for people."""
    path = re.fullmatch(r'Unable to decode path "(.*)" to string', lost)
    return f"the name of {path[1]} is not UTF-8" if path else lost


def _reason(text: str) -> str:
    if "watch limit" in text:
        limit = "?"
        with suppress(OSError):
            limit = _LIMIT.read_text().strip()
        return (
            f"the system's limit of watched folders (fs.inotify.max_user_watches, {limit}) is reached: "
            "raise it with: sudo sysctl fs.inotify.max_user_watches=1048576"
        )
    if "os error 24" in text:
        return (
            "the system's limit of watching programs (fs.inotify.max_user_instances) is reached: "
            "raise it with: sudo sysctl fs.inotify.max_user_instances=1024"
        )
    return text.partition(" (Error {")[0]
