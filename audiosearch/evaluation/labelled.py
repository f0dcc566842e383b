"""Labelled examples for a head: read from a dataset on a disk, or from the fields of a library's
sounds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiosearch.catalog.records import Sound
from audiosearch.errors import InvalidQuery
from audiosearch.evaluation.datasets import read_dataset
from audiosearch.evaluation.items import Item
from audiosearch.evaluation.task import is_sound

# The column of a csv that names the group of a sound where the user names none.
GROUP = "group"


@dataclass(frozen=True)
class Example:
    """A sound, by the path of its file or by its id in the library; its labels, and its group."""

    sound: str | int
    labels: tuple[str, ...]
    group: str


@dataclass
class Examples:
    """Examples in a fixed order, and in `notices` what was left out, a line for each reason."""

    examples: list[Example] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def leave_out(self, names: list[str], reason: str) -> None:
        """Note that these sounds are left out; nothing is noted of none."""
        if names:
            sounds = "1 sound" if len(names) == 1 else f"{len(names)} sounds"
            self.notices.append(f"left out {sounds}, such as {names[0]}: {reason}")


def examples_on_disk(where: str | os.PathLike[str], group: str | None = None) -> Examples:
    """Return the labelled sounds of a folder of classes, a csv file, or a public dataset.

    `group`: ``file`` (each sound is a group of its own), ``folder`` (the folder that holds it), or
    a column of the csv. By default the column ``group`` or the dataset's own groups; in a folder of
    classes, the sub-folders of a class. Raises `DatasetError`, and `InvalidQuery` for an unknown
    group or a dataset without labels.
    """
    data = read_dataset(where)
    result = Examples()
    missing = [str(item.path) for item in data.items if not item.path.is_file()]
    absent = set(missing)
    present = [item for item in data.items if str(item.path) not in absent]
    result.leave_out(missing, "there is no such file")
    result.leave_out([str(i.path) for i in present if not i.classes], "it has no label")
    if data.layout == "folder":
        loose = sorted(str(p) for p in Path(where).iterdir() if p.is_file() and is_sound(p))
        result.leave_out(loose, "it is in no folder of a class")
    result.examples = [
        Example(str(item.path), tuple(sorted(item.classes)), _group_of(item, group, Path(where)))
        for item in present
        if item.classes
    ]
    if not result.examples:
        why = "none of its files exists" if missing and not present else "it has no labels"
        raise InvalidQuery(f"there is nothing to learn from in {where}: {why}")
    return result


def _group_of(item: Item, group: str | None, root: Path) -> str:
    if group == "file":
        return str(item.path)
    if group == "folder":
        return str(item.path.parent)
    if group is not None:
        if group not in item.row:
            columns = f": it has {', '.join(item.row)}" if item.row else ""
            raise InvalidQuery(
                f"{root} has no column {group!r} to group by{columns}; or --group file or folder"
            )
        return item.row[group] or str(item.path)
    if item.group or item.row.get(GROUP):
        return item.group or item.row[GROUP]
    folder = item.path.parent
    nested = not item.row and root not in (folder.parent, folder)
    return str(folder) if nested else str(item.path)


def examples_of_sounds(sounds: Iterable[Sound], name: str, group: str | None = None) -> Examples:
    """Return the sounds of a library that have a field `name`, in their metadata or their tags.

    Each member of a list is a label. `group` is ``file``, ``folder``, or another field; by default
    ``file``. Raises `InvalidQuery` where no sound has the field.
    """
    result, without, seen = Examples(), [], 0
    for sound in sounds:
        seen += 1
        labels = _labels_of(sound.metadata, name) or _labels_of(sound.tags, name)
        if labels:
            result.examples.append(Example(sound.id, labels, _group_in_library(sound, group)))
        else:
            without.append(sound.path)
    if not result.examples:
        raise InvalidQuery(
            f"none of the {seen} sounds of the library has a field {name[:80]!r} in its metadata or "
            "tags, and there is no folder or csv of that name"
        )
    result.leave_out(without, f"it has no field {name}")
    return result


def _labels_of(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    members = value if isinstance(value, list) else [value]
    labels = {
        " ".join(str(member).split())
        for member in members
        if isinstance(member, str | int | float) and str(member).strip()
    }
    return tuple(sorted(labels))


def _group_in_library(sound: Sound, group: str | None) -> str:
    if group is None or group == "file":
        return sound.content or sound.path
    if group == "folder":
        return os.path.dirname(sound.path)  # noqa: PTH120 (a path that is not UTF-8, as it is)
    labels = _labels_of(sound.metadata, group) or _labels_of(sound.tags, group)
    return ", ".join(labels) or sound.path
