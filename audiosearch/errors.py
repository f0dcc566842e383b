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
    """There is no library at the directory named."""


class LibraryBusy(AudioSearchError):
    """Another process holds the writer's lock."""


class LibraryTooNew(AudioSearchError):
    """The library was written by a newer version, whose schema this one does not know."""


class LibraryDamaged(AudioSearchError):
    """The database cannot be read, or contradicts itself."""


class LibraryReadOnly(AudioSearchError):
    """A write was asked for where the library's directory cannot be written."""


class ModelNotFound(AudioSearchError):
    """No bundle and no checkpoint goes by the name given, or it cannot be reached."""


class ModelBroken(AudioSearchError):
    """A bundle is incomplete, contradicts itself, or has a collapsed text tower."""


class ModelMismatch(AudioSearchError):
    """The library was built by another model than the one asked for."""


class InvalidQuery(AudioSearchError):
    """A query, term, filter or option that cannot mean anything."""


class SoundNotFound(AudioSearchError):
    """A path or id that is not in the library, or a file that is not there."""


class AudioRejected(AudioSearchError):
    """A file from which no embedding can be made; `kind` says why.

    Kinds: ``undecodable``, ``empty``, ``silent`` (peak below -90 dBFS), ``nan`` (NaN or infinite
    samples), ``refused`` (a header beyond the limits), ``unreadable`` (the operating system said
    no), ``changed`` (the file changed while it was read), ``hung`` (its decoder fell silent or was
    killed). The last three may pass: the next run tries again.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def shown_value(value: object) -> str:
    """A value as a message names it: on one line, and not at length."""
    try:
        return " ".join(reprlib.repr(value).split())
    except ValueError:  # an integer of more than 4,300 digits
        return f"a {type(value).__name__}"
