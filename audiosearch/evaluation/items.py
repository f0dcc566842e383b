"""An item of a dataset: a sound file and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Item:
    """A sound file, its captions, and the classes that it belongs to.

    `split` is the part of the dataset that it is in: a fold (``1``, ``2``, ...), or ``train``,
    ``valid`` or ``test``; empty where the dataset has no parts. Sounds of one `group` (a recording,
    a speaker) must not be both learned from and measured on; empty means that the sound is a group
    of its own. `row` is its row of a csv file.
    """

    path: Path
    captions: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    split: str = ""
    group: str = ""
    row: Mapping[str, str] = field(default_factory=dict)
