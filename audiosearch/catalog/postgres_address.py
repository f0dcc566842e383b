"""The address of a library in PostgreSQL: ``postgresql://USER@HOST:PORT/DATABASE?schema=NAME``.

The address is libpq's, with its options (``sslmode``, ``service``, several hosts). What it leaves out
comes from PGHOST and its like, from PGSERVICE, and the password from PGPASSFILE. `schema` is our
own. No message holds a password, nor a part of an address that cannot be read: a password with an
``@`` or ``/`` in it tears an address apart in the wrong place.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from audiosearch.errors import InvalidQuery

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRETS = ("password", "sslpassword")
_SCHEMA = "audiosearch"


@dataclass(frozen=True)
class PostgresAddress:
    """`parameters` are those of libpq, the password among them; `name` is the address without it."""

    name: str
    schema: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def has_password(self) -> bool:
        """Return whether a password stands in the address."""
        return any(key in _SECRETS for key, _ in self.parameters)

    @property
    def files(self) -> Path:
        """The folder of what lies beside the database: ``$AUDIOSEARCH_FILES``, else one for each
        database in the per-user data directory.
        """
        given = os.environ.get("AUDIOSEARCH_FILES")
        if given:
            return Path(given).expanduser()
        import platformdirs

        known = dict(self.parameters)
        host = known.get("host") or known.get("hostaddr") or os.environ.get("PGHOST", "")
        port = known.get("port") or os.environ.get("PGPORT", "5432")
        service = known.get("service") or os.environ.get("PGSERVICE", "")
        database = known.get("dbname") or os.environ.get("PGDATABASE") or service or "database"
        whole = f"{service}{host}:{port}/{database}?{self.schema}"
        mark = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        folder = re.sub(r"[^\w.-]", "_", database)
        data = Path(platformdirs.user_data_dir("audiosearch", appauthor=False))
        return data / "databases" / f"{folder}-{mark}"


def read_address(text: str) -> PostgresAddress:
    """Read an address. Raises `InvalidQuery`.

    >>> read_address("postgresql://anna:secret@db.example/sounds?sslmode=require").name
    'postgresql://anna@db.example/sounds?sslmode=require'
    """
    scheme, _, _ = text.partition("://")
    if scheme.lower() not in _SCHEMES:
        raise InvalidQuery(
            f"a library is in a folder or at postgresql://..., not at {scheme[:20]}://..."
        )
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _unreadable() from error
    user, _, hosts = parts.netloc.rpartition("@")
    user, _, password = user.partition(":")
    ends = [_host_and_port(each) for each in hosts.split(",")] if hosts else []
    database = parts.path.removeprefix("/")
    if "/" in database or "@" in database or "@" in hosts or parts.fragment:
        raise _unreadable()
    known = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(unquote(host) for host, _ in ends),
        "port": ",".join(port for _, port in ends) if any(port for _, port in ends) else "",
        "dbname": unquote(database),
    }
    known = {key: value for key, value in known.items() if value}
    schema = _SCHEMA
    for key, value in options:
        if key == "schema":
            schema = value
        else:
            known[key] = value
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema) or schema.startswith("pg_"):
        raise InvalidQuery(
            "the name of a schema is of small letters, digits and _, as in ?schema=sounds"
        )
    _check(known)
    shown = urlencode(
        [(key, value) for key, value in options if key not in _SECRETS], safe="/:,", quote_via=quote
    )
    name = (
        f"postgresql://{user}{'@' if user else ''}{hosts}{parts.path}{'?' if shown else ''}{shown}"
    )
    return PostgresAddress(name, schema, tuple(known.items()))


def _host_and_port(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d*))?", text)
    if match is None:
        raise _unreadable()
    return match[1].strip("[]"), match[2] or ""


def _check(parameters: dict[str, str]) -> None:
    """Raise `InvalidQuery` for what libpq does not know."""
    from audiosearch.catalog.postgres_driver import driver

    psycopg = driver()
    try:
        psycopg.conninfo.make_conninfo(**parameters)
    except psycopg.Error as error:
        unknown = re.search(r'invalid connection option "(\w+)"', str(error))
        if unknown and unknown[1] in parameters:
            raise InvalidQuery(
                f"{unknown[1]} is no option of a PostgreSQL address: see libpq's connection strings"
            ) from None
        raise _unreadable() from None


def _unreadable() -> InvalidQuery:
    return InvalidQuery(
        "the address of the database cannot be read: it is postgresql://USER@HOST:PORT/DATABASE, and "
        "in its parts @ is written %40, / is %2F, : is %3A and % is %25"
    )
