"""The errors that audiosearch raises on purpose.

Each message is one line: what happened, to which file or name, why, and what to do about it. A
command prints the message and exits 1; anything that is not an `AudioSearchError` is a defect of
the program.
"""

from __future__ import annotations

import reprlib


class AudioSearchError(Exception):
    """Parent of every error that a user or an embedding program can do something about."""


class LibraryNotFound(AudioSearchError):
    """The directory holds no library."""


class LibraryBusy(AudioSearchError):
    """Another process holds the writer's lock."""


class LibraryTooNew(AudioSearchError):
    """The library was written by a newer version, whose schema this one does not know."""


class LibraryDamaged(AudioSearchError):
    """The database cannot be read, or contradicts itself."""


class LibraryUnreachable(AudioSearchError):
    """The server of the library's database cannot be reached, or the connection to it was lost."""


class LibraryReadOnly(AudioSearchError):
    """A write failed because the library's directory cannot be written."""


class ModelNotFound(AudioSearchError):
    """No bundle and no checkpoint has this name, or the place where it is cannot be reached."""


class ModelBroken(AudioSearchError):
    """A bundle is incomplete, contradicts itself, or has a collapsed text tower."""


class ModelMismatch(AudioSearchError):
    """The library's vectors come from another model than the one that the caller requires."""


class InvalidQuery(AudioSearchError):
    """A query, term, filter or option has a value without meaning."""


class SoundNotFound(AudioSearchError):
    """The library has no sound with this path or id, or the file does not exist."""


class HeadNotFound(AudioSearchError):
    """The library has no head of this name."""


class HeadMismatch(ModelMismatch):
    """The head was trained on the vectors of another model than the library's."""


class CollectionNotFound(AudioSearchError):
    """The library has no collection or saved search with this id or name."""


class NameTaken(AudioSearchError):
    """Another collection or saved search has this name."""


class ClusterUnavailable(AudioSearchError):
    """The cluster cannot be reached, has no node that can take part, or was lost."""


class AudioRejected(AudioSearchError):
    """The program cannot make an embedding of this file; `kind` says why.

    Kinds: ``undecodable``, ``empty``, ``silent`` (peak below -90 dBFS), ``nan`` (NaN or infinite
    samples), ``refused`` (a header beyond the limits), ``unreadable`` (the operating system refused
    to read it), ``changed`` (the file changed while it was read), ``hung`` (its decoder stopped
    answering or was killed). The last three may pass: the next run tries again. The message is the
    reason alone; `path` is the file, where the program knows it by a path.
    """

    def __init__(self, kind: str, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.path = path


def shown_value(value: object) -> str:
    """Return a value as a message shows it: on one line, and cut where it is long."""
    try:
        return " ".join(reprlib.repr(value).split())
    except ValueError:  # Python does not print an integer of more than 4,300 digits
        return f"a {type(value).__name__}"
