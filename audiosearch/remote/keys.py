"""The keys to a library that is served beyond this machine. The library keeps hashes of them.

A key is 256 random bits, so a plain SHA-256 of it reveals nothing. The program shows a key once,
when it makes it. The file `keys.json` in the library's directory holds the hashes; only its owner
can read it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from audiosearch.errors import AudioSearchError, LibraryReadOnly

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = ("read", "write")

_FILE = "keys.json"
_PREFIX = "as_"


@dataclass(frozen=True)
class Key:
    """The record of a key. A key with the `scope` ``read`` searches and listens; one with ``write``
    also indexes, describes and removes. `digest` is the SHA-256 of the secret in hex. `expires` is
    the time (ISO, UTC) from which on the key opens nothing; `None` is never.
    """

    name: str
    scope: Scope
    digest: str
    made: str
    expires: str | None = None

    def expired(self, now: datetime | None = None) -> bool:
        """Return whether the key has expired."""
        if self.expires is None:
            return False
        return datetime.fromisoformat(self.expires) <= (now or datetime.now(UTC))


def load_keys(directory: Path) -> tuple[Key, ...]:
    """Return the keys of a library, by name. Raises `AudioSearchError` where the file cannot be
    read.
    """
    try:
        text = (directory / _FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise AudioSearchError(f"cannot read {directory / _FILE}: {error.strerror}") from error
    try:
        keys = [Key(**entry) for entry in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise AudioSearchError(
            f"{directory / _FILE} is damaged: delete it and make the keys anew"
        ) from error
    return tuple(sorted(keys, key=lambda key: key.name))


def make_key(directory: Path, name: str, scope: Scope, days: float | None = None) -> str:
    """Make a key and return its secret, which the library does not keep. The key expires after so
    many `days` (`None`: never).
    """
    if days is not None and not 0 < days <= 36_500:
        raise AudioSearchError(f"a key expires after 0 to 36500 days, not {days:g}")
    kept = load_keys(directory)
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise AudioSearchError("a key's name is one line of at most 100 characters")
    if any(key.name == name for key in kept):
        raise AudioSearchError(f"there is a key named {name!r} already: revoke it first")
    secret = _PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    end = None if days is None else (now + timedelta(days=days)).isoformat(timespec="seconds")
    made = now.isoformat(timespec="seconds")
    _save(directory, [*kept, Key(name, scope, _digest(secret), made, end)])
    return secret


def revoke_key(directory: Path, name: str) -> None:
    """Forget a key. A running server refuses it from the next request on."""
    kept = load_keys(directory)
    left = [key for key in kept if key.name != name]
    if len(left) == len(kept):
        raise AudioSearchError(f"there is no key named {name!r}: see audiosearch keys list")
    _save(directory, left)


def key_of(keys: Iterable[Key], secret: str) -> Key | None:
    """Return the key with that secret. A wrong secret takes as long as a right one."""
    digest, match = _digest(secret), None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            match = key
    return match


class KeyRing:
    """The current keys of a library: the ring reads them again when the file changes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stamp: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def find(self, secret: str) -> Key | None:
        """Return the key with that secret, unless it was revoked or has expired."""
        try:
            status = (self._directory / _FILE).stat()
            stamp = (status.st_mtime_ns, status.st_ino)
        except OSError:
            return None
        if stamp != self._stamp:
            self._keys, self._stamp = load_keys(self._directory), stamp
        key = key_of(self._keys, secret)
        return None if key is None or key.expired() else key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _save(directory: Path, keys: Iterable[Key]) -> None:
    text = json.dumps([asdict(key) for key in keys], indent=1)
    fresh = directory / f".{_FILE}.{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(directory / _FILE)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise LibraryReadOnly(
            f"cannot write {directory / _FILE}: {error.strerror or error}"
        ) from error
