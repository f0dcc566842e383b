"""Filters: which sounds a search may return, decided before any vector is compared.

Units: durations in seconds, rates in Hz. All conditions must hold; where one takes several values,
any may.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    or_,
    text,
)

from audiosearch.catalog.path_filters import has_suffix, is_below, path_matches
from audiosearch.catalog.schema import contents, sounds
from audiosearch.errors import InvalidQuery

_AGE = re.compile(r"(\d+)\s*([hdwmy])")
_AGE_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "m": 30 * 24, "y": 365 * 24}


@dataclass(frozen=True)
class Filter:
    """Conditions on sounds; an empty one allows everything.

    `path`: shell patterns (``*``, ``?``, ``[...]``; ``*`` crosses ``/``) matched with the absolute
    path or the path below the root; a pattern without any of them, or one with brackets that stands
    in the path as it is, matches wherever it occurs. Neither case nor Unicode's normal forms count.
    `format`: a container (``wav`` is any of its kinds), an encoding (``opus``) or a suffix
    (``m4b``). `root`: what lies below that folder, which need not be a root of the library.
    `since`: files modified at that time or later. `tag`: ``word`` is found in any embedded or given
    metadata, ``key=word`` in that field, without regard to case. `external_id`: exact. `metadata`:
    top-level fields of the JSON that was set, compared exactly.
    """

    min_duration: float | None = None
    max_duration: float | None = None
    path: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    rate: tuple[int, ...] = ()
    root: tuple[str, ...] = ()
    since: datetime | None = None
    tag: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str | int | float | bool], ...] = ()

    def __bool__(self) -> bool:
        return self != _EVERYTHING


_EVERYTHING = Filter()

# SQLite's integers.
_LARGEST = (1 << 63) - 1

# What people call a container, and the names under which decoders have it.
_FORMATS = {
    "wav": ("wav", "wavex", "rf64", "bw64"),
    "wave": ("wav", "wavex", "rf64", "bw64"),
    "aif": ("aiff", "aifc"),
    "aiff": ("aiff", "aifc"),
    "mp4": ("mp4", "mov"),
    "mkv": ("mkv", "matroska"),
}
_ENCODINGS = {"mp3": "mpeg_layer_iii", "mp2": "mpeg_layer_ii", "adpcm": "ms_adpcm"}


def parse_since(value: str | datetime, now: datetime | None = None) -> datetime:
    """An ISO date or time (local where it names no zone), or an age: ``36h``, ``7d``, ``2w``,
    ``3m``, ``1y``.
    """
    if isinstance(value, datetime):
        return value
    age = _AGE.fullmatch(value.strip().lower())
    try:
        if age:
            hours = int(age[1]) * _AGE_HOURS[age[2]]
            return (now or datetime.now(UTC)) - timedelta(hours=hours)
        return datetime.fromisoformat(value.strip()).astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(
            f"cannot read the time {value!r}: give a date such as 2026-01-31, or an age such as 7d"
        ) from error


def _several(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def make_filter(where: Filter | Mapping[str, Any] | None) -> Filter:
    """A filter from the mapping that `Library.search` takes.

    Keys are the fields of `Filter`, and ``duration``: a pair (shortest, longest), either of them
    `None`. Single values may stand alone. Raises `InvalidQuery` on an unknown key or a value of the
    wrong kind.
    """
    if where is None:
        return _EVERYTHING
    if isinstance(where, Filter):
        return where
    known: dict[str, Any] = {}
    names = {f.name for f in fields(Filter)}
    for key, value in where.items():
        if value is None:
            continue
        try:
            if key == "duration":
                known["min_duration"], known["max_duration"] = value
            elif key in ("min_duration", "max_duration"):
                known[key] = float(value)
            elif key in ("channels", "rate"):
                known[key] = tuple(int(v) for v in _several(value))
            elif key == "since":
                known[key] = parse_since(value)
            elif key == "metadata":
                known[key] = tuple(sorted(dict(value).items()))
            elif key in names:
                known[key] = tuple(str(v) for v in _several(value))
            else:
                raise InvalidQuery(
                    f"unknown filter {key!r}: there are {', '.join(sorted(names))} and duration"
                )
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidQuery(f"the filter {key} cannot be {value!r}") from error
    known["format"] = tuple(v.lower().lstrip(".") for v in known.get("format", ()))
    made = Filter(**known)
    _check(made)
    low, high = made.min_duration, made.max_duration
    if low is not None and high is not None and low > high:
        raise InvalidQuery(f"no duration is at least {low:g} s and at most {high:g} s")
    return made


def _check(made: Filter) -> None:
    """Raises `InvalidQuery` for values that SQL cannot hold."""
    for name in ("min_duration", "max_duration"):
        value = getattr(made, name)
        if value is not None and not isinstance(value, int | float):
            raise InvalidQuery(f"the filter {name} cannot be {value!r}")
        if value is not None and math.isnan(value):
            raise InvalidQuery(f"the filter {name} cannot be {value!r}")
    texts = [("format", v) for v in made.format] + [("tag", v) for v in made.tag]
    texts += [("external_id", v) for v in made.external_id]
    for key, value in made.metadata:
        texts += [("metadata", part) for part in (key, value) if isinstance(part, str)]
        if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
            raise InvalidQuery(f"the filter metadata cannot be {value!r}")
    for name, text_ in texts:
        try:
            text_.encode()
        except UnicodeEncodeError as error:
            raise InvalidQuery(f"the filter {name} cannot be {text_!r}: that is no text") from error
    if "" in made.root:  # the current folder, for whoever would join paths
        raise InvalidQuery("the filter root is empty: name a folder")


def conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """The filter as conditions on a join of `sounds`, `roots` and `contents`."""
    found: list[ColumnElement[bool]] = []
    if wanted.min_duration is not None:
        found.append(contents.c.duration >= wanted.min_duration)
    if wanted.max_duration is not None:
        found.append(contents.c.duration <= wanted.max_duration)
    if wanted.path:
        found.append(or_(*(path_matches(pattern) for pattern in wanted.path)))
    if wanted.format:
        found.append(or_(*(_format_matches(name) for name in wanted.format)))
    if wanted.channels:
        found.append(contents.c.channels.in_(_held(wanted.channels)))
    if wanted.rate:
        found.append(contents.c.sample_rate.in_(_held(wanted.rate)))
    if wanted.root:
        found.append(or_(*(is_below(folder) for folder in wanted.root)))
    if wanted.since is not None:
        # The stored times end in 2262, where SQLite's integers do.
        found.append(sounds.c.mtime_ns >= min(int(wanted.since.timestamp() * 1e9), _LARGEST))
    if wanted.tag:
        found.append(or_(*(_tag_matches(tag) for tag in wanted.tag)))
    if wanted.external_id:
        found.append(sounds.c.external_id.in_(wanted.external_id))
    found.extend(_metadata_equals(key, value) for key, value in wanted.metadata)
    return found


def _held(numbers: Iterable[int]) -> list[int]:
    """Those that SQLite can hold; of the others there is no sound."""
    return [number for number in numbers if -_LARGEST <= number <= _LARGEST]


def _format_matches(name: str) -> ColumnElement[bool]:
    """Whether a sound's container, its encoding or the suffix of its name is that."""
    return or_(
        contents.c.format.in_(_FORMATS.get(name, (name,))),
        contents.c.subtype == _ENCODINGS.get(name, name),
        has_suffix(name),
    )


def _like(part: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", part) + "%"


def _tag_matches(tag: str) -> ColumnElement[bool]:
    key, equals, part = tag.partition("=")
    if not equals:
        return _in_json("json_tree", "atom LIKE :part ESCAPE '\\'", part=_like(tag))
    return _in_json(
        "json_each", "key = :key AND value LIKE :part ESCAPE '\\'", key=key, part=_like(part)
    )


def _in_json(walk: str, condition: str, **values: str) -> ColumnElement[bool]:
    """Whether `condition` holds anywhere in the embedded tags or in the metadata that was set."""
    either = [
        text(f"EXISTS (SELECT 1 FROM {walk}({column}) WHERE {condition})").bindparams(
            *(bindparam(name, value, unique=True) for name, value in values.items())
        )
        for column in ("contents.tags", "sounds.metadata")
    ]
    return or_(*either)


def _metadata_equals(key: str, value: str | int | float | bool) -> ColumnElement[bool]:
    return and_(
        text(
            "EXISTS (SELECT 1 FROM json_each(sounds.metadata) WHERE key = :key AND value = :value)"
        ).bindparams(bindparam("key", key, unique=True), bindparam("value", value, unique=True))
    )
