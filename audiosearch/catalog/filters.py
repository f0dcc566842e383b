"""Filters: which sounds a search may return, decided before any vector is compared.

Units: durations in seconds, rates in Hz. All conditions must hold; where one takes several values,
any may.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, or_

from audiosearch.catalog.head_filters import HeadBound, bound_condition, parse_bound
from audiosearch.catalog.json_values import FieldValue, Single, field_matches, tag_matches
from audiosearch.catalog.json_values import Range as Range  # noqa: PLC0414 (its public place)
from audiosearch.catalog.path_filters import has_suffix, is_below, path_matches
from audiosearch.catalog.schema import contents, sounds
from audiosearch.catalog.ucs import in_category
from audiosearch.errors import InvalidQuery, shown_value

_AGE = re.compile(r"(\d+)\s*([hdwmy])")
# SQLite's bounds: integers of 64 bits, patterns of 50,000 bytes (half of it where each character is
# escaped), some hundred conditions joined by OR, 32,766 values in one statement.
_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_BYTES = 20_000
_MOST_VALUES = {
    "path": 100,
    "root": 100,
    "format": 100,
    "tag": 100,
    "metadata": 100,
    "head": 20,
    "external_id": 20_000,
}
_MOST_OTHERS = 1_000
_MOST_OF_A_FIELD = 100
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
    top-level fields of the JSON that was set, each compared exactly with a value, or with several of
    which any may be it, or with the bounds of a `Range`; of a field that is a list, any member may.
    `head`: ``NAME=LABEL>0.8`` bounds the probability of a label by a head of the library; all bounds
    must hold.
    `min_loudness` and `max_loudness` are in LUFS; a sound without loudness passes neither.
    `ucs_category`: a CatID, category or subcategory of the Universal Category System, by the name of
    the file or the user's choice: ``DOORWood``, ``DOOR``, ``DOORS``, ``DOORS-WOOD``.
    """

    min_duration: float | None = None
    max_duration: float | None = None
    min_loudness: float | None = None
    max_loudness: float | None = None
    path: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    rate: tuple[int, ...] = ()
    root: tuple[str, ...] = ()
    since: datetime | None = None
    tag: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    metadata: tuple[tuple[str, FieldValue], ...] = ()
    ucs_category: tuple[str, ...] = ()
    head: tuple[HeadBound, ...] = ()

    def __bool__(self) -> bool:
        return self != _EVERYTHING


_EVERYTHING = Filter()

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


def parse_since(value: str | date, now: datetime | None = None) -> datetime:
    """An ISO date or time (local where it names no zone), or an age: ``36h``, ``7d``, ``2w``,
    ``3m``, ``1y``.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise TypeError("a time is a text or a datetime")
    age = _AGE.fullmatch(value.strip().lower())
    try:
        if age:
            hours = int(age[1]) * _AGE_HOURS[age[2]]
            return (now or datetime.now(UTC)) - timedelta(hours=hours)
        return datetime.fromisoformat(value.strip()).astimezone()
    except (ValueError, OverflowError) as error:
        raise InvalidQuery(
            f"cannot read the time {shown_value(value)}: give a date such as 2026-01-31, or an age such as 7d"
        ) from error


def _several(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str | bytes | os.PathLike) or not isinstance(value, Iterable):
        return (value,)
    if isinstance(value, Mapping):
        raise TypeError("a mapping is no list of values")
    return tuple(value)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, Iterable) and not isinstance(value, str):
        raise TypeError("a bound is one number")
    number = float(value)
    if math.isnan(number):
        raise ValueError("NaN is no bound")
    return number


def _integer(value: Any) -> int:
    number = int(value)
    if not (isinstance(value, str) or number == value) or not _LEAST <= number <= _MOST:
        raise ValueError("not an integer of 64 bits")
    return number


def _word(value: Any) -> str:
    word = str(value) if isinstance(value, int | float) else os.fsdecode(value)
    if len(os.fsencode(word)) > _MOST_BYTES:
        raise ValueError("too long")
    return word


def _text(value: Any) -> str:
    word = _word(value)
    word.encode()  # raises where it is no Unicode: no stored text is like it
    return word


def _folder(value: Any) -> str:
    if not _word(value):  # the current folder, for whoever would join paths
        raise ValueError("an empty text names no folder")
    if "\0" in _word(value):
        raise ValueError("a text with NUL names no folder")
    try:
        return str(Path(_word(value)).expanduser())
    except RuntimeError as error:  # of a user that does not exist
        raise ValueError(str(error)) from error


def _fields(value: Any) -> tuple[tuple[str, FieldValue], ...]:
    pairs = {key: _field(key, single) for key, single in dict(value).items()}
    return tuple(sorted(pairs.items(), key=lambda pair: pair[0]))


def _field(key: Any, value: Any) -> FieldValue:
    if not isinstance(key, str):
        raise TypeError("the name of a field is a text")
    _text(key)
    if isinstance(value, Mapping):
        value = Range(**value)
    if isinstance(value, Range):
        bounds = [_single(bound) for bound in vars(value).values() if bound is not None]
        if not bounds or len({isinstance(bound, str) for bound in bounds}) > 1:
            raise TypeError("a range has bounds, all numbers or all texts")
        return value
    if isinstance(value, list | tuple):
        if not value or len(value) > _MOST_OF_A_FIELD:
            raise ValueError("too few or too many values of one field")
        return tuple(_single(single) for single in value)
    return _single(value)


def _single(value: Any) -> Single:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        _integer(value)
        return value
    if not isinstance(value, float) or not math.isfinite(value):
        raise TypeError("the value of a field is a text, a number, true or false")
    return value


def _bound(value: Any) -> HeadBound:
    if not isinstance(value, str | HeadBound):
        raise TypeError("a bound on a head is a text")
    return parse_bound(value if isinstance(value, HeadBound) else _text(value))


_OTHERS = {
    "path": _word,
    "root": _folder,
    "channels": _integer,
    "rate": _integer,
    "head": _bound,
}
# What has a least and a most, and their units.
_PAIRS = {"duration": "s", "loudness": "LUFS"}
_BOUNDS = {f"{bound}_{name}" for name in _PAIRS for bound in ("min", "max")}


def make_filter(where: Filter | Mapping[str, Any] | None) -> Filter:
    """A filter from the mapping that `Library.search` takes.

    Keys are the fields of `Filter`, and ``duration`` and ``loudness``: a pair (least, most), either
    of them `None`. Single values may stand alone. Raises `InvalidQuery` on an unknown key or a value of the
    wrong kind.
    """
    if where is None:
        return _EVERYTHING
    names = {f.name for f in fields(Filter)}
    if isinstance(where, Filter):
        where = {name: getattr(where, name) for name in names}
    if not isinstance(where, Mapping):
        raise InvalidQuery(f"a filter is a mapping of its fields, not {shown_value(where)}")
    known: dict[str, Any] = {}
    for key, value in where.items():
        if value is None:
            continue
        try:
            if key in _PAIRS:
                known[f"min_{key}"], known[f"max_{key}"] = map(_number, value)
            elif key in _BOUNDS:
                known[key] = _number(value)
            elif key == "since":
                known[key] = parse_since(value)
            elif key == "metadata":
                known[key] = _fields(value)
            elif key in names:
                read = _OTHERS.get(key, _text)
                known[key] = tuple(read(single) for single in _several(value))
            else:
                raise InvalidQuery(
                    f"unknown filter {shown_value(key)}: "
                    f"there are {', '.join(sorted(names))}, duration and loudness"
                )
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidQuery(f"the filter {key} cannot be {shown_value(value)}") from error
        most = _MOST_VALUES.get(key, _MOST_OTHERS)
        if isinstance(known.get(key), tuple) and len(known[key]) > most:
            raise InvalidQuery(f"the filter {key} takes at most {most} values")
    known["format"] = tuple(v.lower().lstrip(".") for v in known.get("format", ()))
    made = Filter(**known)
    for key, unit in _PAIRS.items():
        low, high = getattr(made, f"min_{key}"), getattr(made, f"max_{key}")
        if low is not None and high is not None and low > high:
            raise InvalidQuery(f"no {key} is at least {low:g} {unit} and at most {high:g} {unit}")
    return made


def nanoseconds(moment: datetime) -> int:
    """Return a time as nanoseconds since 1970; a time beyond what can be stored is the last that
    can.
    """
    try:
        number = int(moment.timestamp() * 1e9)
    except (OverflowError, ValueError, OSError):  # depends on the system
        number = _MOST if moment.year > 1970 else _LEAST
    return max(_LEAST, min(_MOST, number))


def conditions(condition: Filter) -> list[ColumnElement[bool]]:
    """The filter as conditions on a join of `sounds`, `roots` and `contents`."""
    clauses: list[ColumnElement[bool]] = []
    if condition.min_duration is not None:
        clauses.append(contents.c.duration >= condition.min_duration)
    if condition.max_duration is not None:
        clauses.append(contents.c.duration <= condition.max_duration)
    if condition.min_loudness is not None:
        clauses.append(contents.c.loudness >= condition.min_loudness)
    if condition.max_loudness is not None:
        clauses.append(contents.c.loudness <= condition.max_loudness)
    if condition.path:
        clauses.append(or_(*(path_matches(pattern) for pattern in condition.path)))
    if condition.format:
        clauses.append(or_(*(_format_matches(name) for name in condition.format)))
    if condition.channels:
        clauses.append(contents.c.channels.in_(condition.channels))
    if condition.rate:
        clauses.append(contents.c.sample_rate.in_(condition.rate))
    if condition.root:
        clauses.append(or_(*(is_below(folder) for folder in condition.root)))
    if condition.since is not None:
        clauses.append(sounds.c.mtime_ns >= nanoseconds(condition.since))
    if condition.tag:
        clauses.append(or_(*(tag_matches(tag) for tag in condition.tag)))
    if condition.external_id:
        clauses.append(sounds.c.external_id.in_(condition.external_id))
    if condition.ucs_category:
        clauses.append(in_category(condition.ucs_category))
    clauses.extend(field_matches(key, value) for key, value in condition.metadata)
    clauses.extend(map(bound_condition, condition.head))
    return clauses


def _format_matches(name: str) -> ColumnElement[bool]:
    """Whether a sound's container, its encoding or the suffix of its name is that."""
    return or_(
        contents.c.format.in_(_FORMATS.get(name, (name,))),
        contents.c.subtype == _ENCODINGS.get(name, name),
        has_suffix(name),
    )
