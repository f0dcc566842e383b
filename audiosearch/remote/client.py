"""The client of a running `audiosearch serve`: it asks one question without loading a model.

It speaks plain HTTP with the standard library, which every base install has.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from audiosearch.errors import AudioSearchError, InvalidQuery
from audiosearch.results import Hit
from audiosearch.search.query import Group, Match, Term

_SECONDS = 60.0


def search(
    server: str,
    terms: Sequence[Term],
    k: int = 10,
    *,
    where: Mapping[str, Any] | None = None,
    template: str | None = None,
    moments: bool = False,
    group: Group = False,
    match: Match = "both",
    key: str | None = None,
) -> list[Hit]:
    """Return the hits of `Library.search` on the served library. The client sends sound files
    along.

    `server` is its address, such as ``http://127.0.0.1:8000``. `key` is by default
    ``$AUDIOSEARCH_KEY``. The other parameters are those of `Library.search`. Raises `InvalidQuery`
    for a malformed address, and `AudioSearchError` where the server refuses, with its reason, or
    does not answer.
    """
    ask = _Server(server, key if key is not None else os.environ.get("AUDIOSEARCH_KEY"))
    body = {
        "terms": [_sent(ask, term) for term in terms],
        "k": k,
        "where": {name: _plain(value) for name, value in (where or {}).items()},
        "template": template,
        "moments": moments,
        "group": group,
        "match": match,
    }
    answer = ask("/v1/search", json.dumps(body).encode(), "application/json")
    names = {field.name for field in fields(Hit)}
    return [
        Hit(
            **{name: value for name, value in hit.items() if name in names}
            | {name: tuple(hit[name]) for name in ("copies", "why") if name in hit}
        )
        for hit in answer["hits"]
    ]


def _sent(ask: _Server, term: Term) -> dict[str, Any]:
    if term.path is not None:
        if term.start or term.end is not None:
            raise InvalidQuery("a part of a file cannot be asked of a server: cut it out first")
        try:
            data = Path(term.path).read_bytes()
        except OSError as error:
            raise InvalidQuery(f"cannot read {term.path}: {error.strerror}") from error
        vector = ask("/v1/embed/audio", data, "application/octet-stream")["vector"]
        return {"vector": vector, "weight": term.weight}
    if term.vector is not None:
        return {"vector": term.vector.tolist(), "weight": term.weight}
    source = {"text": term.text} if term.text is not None else {"id": term.id}
    return {**source, "weight": term.weight, "start": term.start, "end": term.end}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


class _Server:
    """The address of a server, and the key to it."""

    def __init__(self, address: str, key: str | None) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidQuery(f"{address!r} is no server: give an address such as {_EXAMPLE}")
        self._address, self._key = address.rstrip("/"), key

    def __call__(self, path: str, body: bytes, kind: str) -> Any:
        """Return the server's answer to a POST."""
        headers = {"Content-Type": kind}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AudioSearchError(f"{self._address} refuses: {_reason(error)}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise AudioSearchError(
                f"{self._address} does not answer ({reason}): is audiosearch serve running there?"
            ) from error


_EXAMPLE = "http://127.0.0.1:8321"


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"
