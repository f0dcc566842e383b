"""The records of the catalog. Times and durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sound:
    """A file of the library.

    `path` is absolute and opens the file as it is; `root` is the folder that it was indexed under.
    `content` is the hash of the file (hex): sounds that share it are copies. The file holds `tags`;
    the program that embeds the library sets `metadata` and `external_id`. A file that could not be
    embedded has `failure` and `reason`, and no audio properties. `loudness` is in LUFS (ITU-R
    BS.1770-4), `None` for what is shorter than 0.4 s or nearly silent; `peak`, the highest sample, is
    in dBFS. Both are `None` in a library of an older version until `index --rehash` measures them.
    `ucs` holds the blocks of a name in the Universal Category System: ``cat_id``, ``fx_name`` and so
    on, with ``source`` ``name``; or the category that the user keeps (``kept``) or the file holds
    (``embedded``).
    """

    id: int
    path: str
    root: str
    size: int
    mtime_ns: int
    content: str | None = None
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    format: str | None = None
    subtype: str | None = None
    truncated: str | None = None
    notices: tuple[str, ...] = ()
    loudness: float | None = None
    peak: float | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    reason: str | None = None
    ucs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WindowRow:
    """A stored window: seconds `start` to `end` of the content `content_id`."""

    id: int
    content_id: int
    start: float
    end: float


@dataclass(frozen=True)
class Root:
    """A folder of the library, with the number of its sounds. A `whole` root is scanned from top to
    bottom.
    """

    id: int
    path: str
    whole: bool
    sounds: int


@dataclass(frozen=True)
class StoredModel:
    """The model that a library's vectors come from."""

    id: int
    name: str
    digest: str
    identity: dict[str, Any]
    dimension: int
