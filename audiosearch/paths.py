"""The three forms of a path, and the default place of the library.

- *stored*: bytes, exactly as the file system has them, relative to a root, with ``/`` between
  parts;
- *usable*: `str` as Python's own functions take it (undecodable bytes as surrogate escapes);
- *shown*: text that any terminal can print on one line.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from audiosearch.errors import InvalidQuery

_SEP = os.fsencode(os.sep)


def stored(path: str | bytes | os.PathLike[str]) -> bytes:
    """Return the stored form of a relative path."""
    raw = os.fsencode(path)
    return raw if _SEP == b"/" else raw.replace(_SEP, b"/")


def usable(root: bytes, relative: bytes = b"") -> str:
    """Return the absolute path of `relative` under `root`; the `str` opens the file as it is."""
    joined = os.path.join(root, relative) if relative else root  # noqa: PTH118 (bytes)
    return os.path.normpath(os.fsdecode(joined)) if _SEP != b"/" else os.fsdecode(joined)


def shown(path: str | bytes) -> str:
    """Return a path as one printable line: undecodable bytes as ``\\xNN``, control characters
    escaped.
    """
    raw = os.fsencode(path)
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return the path that a user typed, with ``~`` expanded.

    Raises `InvalidQuery` for an empty string, which `Path` takes for the current directory, and for
    the home of a user that does not exist, unless a file has that very name.
    """
    text = os.fspath(path)
    if not text:
        raise InvalidQuery("a path is empty (is a variable unset?); the current directory is .")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        if os.path.lexists(text):
            return Path(text)
        raise InvalidQuery(f"{shown(text)} names the home of a user that there is not") from error


def is_address(text: str) -> bool:
    """Return whether a text is the address of a server, and not the path of a folder.

    >>> is_address("postgresql:///sounds"), is_address("./sounds")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def library_address(text: str) -> str:
    """Return where a user says that a library is: the address of a server as it stands, or a path
    with ``~`` expanded. Raises `InvalidQuery` as `user_path` does.
    """
    return text if is_address(text) else str(user_path(text))


def default_library() -> str:
    """Return ``$AUDIOSEARCH_LIBRARY``, else `library` in the per-user data directory."""
    value = os.environ.get("AUDIOSEARCH_LIBRARY")
    if value:
        return library_address(value)
    import platformdirs

    return str(Path(platformdirs.user_data_dir("audiosearch", appauthor=False)) / "library")
