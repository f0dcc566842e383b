"""psycopg, loaded where a library is in PostgreSQL, and its errors as those of audiosearch."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from audiosearch.errors import (
    AudioSearchError,
    LibraryBusy,
    LibraryDamaged,
    LibraryReadOnly,
    LibraryUnreachable,
)


def driver() -> ModuleType:
    """Return psycopg. Raises `AudioSearchError` where it is not installed."""
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise AudioSearchError(
            "a library in PostgreSQL needs psycopg: pip install 'audiosearch[postgres]'"
        ) from error
    return psycopg


def unreachable(error: Exception, name: str) -> LibraryUnreachable:
    """Return the error of a connection that could not be made, with its remedy."""
    text = _line(error)
    return LibraryUnreachable(f"cannot connect to the library {name}: {text}{_remedy(text)}")


def postgres_error(error: Exception, name: str) -> AudioSearchError:
    """Return an error of PostgreSQL or its driver as an `AudioSearchError` with its remedy."""
    reason: Any = getattr(error, "orig", None) or error
    state = getattr(reason, "sqlstate", None) or ""
    diag = getattr(reason, "diag", None)
    text = _one_line(getattr(diag, "message_primary", None) or str(reason))
    if state == "42501":
        return LibraryReadOnly(
            f"this role may not do that in the library {name}: {text}: ask its owner for the right"
        )
    if state == "25006":
        return LibraryReadOnly(f"cannot write the library {name}: the server only lets it be read")
    if state == "53100":
        return _full(text, name)
    if state in ("55P03", "40001", "40P01", "57014"):
        return LibraryBusy(
            f"the library {name} is busy with another program ({text}): try again later"
        )
    if not state or state[:2] in ("08", "28", "3D", "53", "57"):
        return LibraryUnreachable(
            f"the connection to the library {name} was lost ({text}): what was committed is kept; "
            "run the command again"
        )
    return LibraryDamaged(
        f"the database of the library {name} cannot be used: {text} ({state}): "
        "see audiosearch doctor"
    )


def _full(text: str, name: str) -> AudioSearchError:
    if "shared memory" in text:  # as in a container with Docker's default
        return LibraryUnreachable(
            f"the library {name} cannot be used now: the server's shared memory is full ({text})"
        )
    return LibraryReadOnly(
        f"cannot write the library {name}: the server's disk is full; what was committed is kept"
    )


def _line(error: Exception) -> str:
    """Return what libpq says of its last attempt to connect, on one line."""
    lines = [line.strip() for line in str(getattr(error, "orig", None) or error).splitlines()]
    failed = [line for line in lines if "failed:" in line or "FATAL" in line]
    text = re.sub(r"^[- ]*(connection (failed|is bad): )?", "", (failed or lines or [""])[-1])
    return _one_line(text.replace("FATAL:  ", "").replace("FATAL: ", ""))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:300]


def _remedy(text: str) -> str:
    if "password" in text:
        return (
            "; the password comes from ~/.pgpass or the file named in PGPASSFILE, which nobody else "
            "may read, from PGSERVICE or PGPASSWORD"
        )
    if "certificate verify failed" in text:
        return "; sslrootcert names the certificate of the authority that signed the server's"
    if "database" in text and "does not exist" in text:
        return "; make it with: createdb NAME"
    if re.search(r"refused|No such file|timeout|timed out|translate|resolve|unreachable", text):
        return "; is the server running, and is that its address?"
    if re.search(r"closed the connection|database system is", text):
        return "; try again in a moment"
    return ""
