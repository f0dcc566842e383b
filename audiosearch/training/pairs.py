"""The pairs to learn from: sounds with captions, each in the group of its recording.

A class is a caption too: ``dog_bark`` is "dog bark". Sounds of one group are learnt or measured
together, never split. Layouts are those of the public datasets' training parts.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audiosearch.catalog.records import Sound as Catalogued
from audiosearch.errors import InvalidQuery
from audiosearch.evaluation.datasets import DatasetError
from audiosearch.evaluation.task import is_sound, spoken

_CAPTION = ("caption", "description")
_LABEL = ("label", "kind", "category")
_TAGS = ("caption", "description")
# A thousandth of a public dataset; below it, neither learning nor measuring means anything.
LEAST = 20


@dataclass(frozen=True)
class Pair:
    """A sound with all its captions; `group` names the recording or session it comes from."""

    path: Path
    captions: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class Pairs:
    """The sounds that can be learnt from, and a line for each kind of thing that was left out."""

    pairs: tuple[Pair, ...]
    notices: tuple[str, ...]


def read_pairs(
    where: str | os.PathLike[str], layout: str | None = None, group: str | None = None
) -> Pairs:
    """Read a csv (columns ``file`` and ``caption``), a folder of classes, or a public dataset.

    `layout` is one of `LAYOUTS`; without it, the function recognises the layout. `group` is a
    column of the csv, or ``folder`` for the folder that a sound lies in; without it, a csv's column
    ``group``, the dataset's own recordings, or each file alone. Raises `DatasetError`.
    """
    path = Path(where)
    if not path.exists():
        raise DatasetError(f"there is no file or folder {path}")
    name = layout or next((n for n, each in LAYOUTS.items() if each.is_at(path)), None)
    if name is None:
        flat = path.is_dir() and any(is_sound(file) for file in path.iterdir())
        what = "holds sounds but no captions" if flat else "holds no pairs"
        raise DatasetError(
            f"{path} {what}: give a csv with columns file and caption, a folder with a folder of "
            f"sounds for each class, or a dataset ({', '.join(LAYOUTS)})"
        )
    if name not in LAYOUTS:
        raise DatasetError(f"there is no layout {name}: there is {', '.join(LAYOUTS)}")
    if group not in (None, "folder") and name != "csv":
        raise InvalidQuery(
            f"the layout {name} has no columns to group by, such as {group}: only a csv"
        )
    try:
        rows = list(LAYOUTS[name].read(path, group))
    except OSError as error:
        raise DatasetError(
            f"{path} is not in the layout {name}: {error.filename or path}: {error.strerror}"
        ) from error
    except KeyError as error:
        raise DatasetError(f"{path} is not in the layout {name}: it lacks {error}") from error
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is not in the layout {name}: {error}") from error
    return gathered(rows, str(path), by_folder=group == "folder")


def library_pairs(sounds: Iterable[Catalogued], where: str) -> Pairs:
    """The sounds of a library that have a description: as the program that embeds it gave one
    (``caption`` or ``description`` of its metadata), else as the file holds one.
    """
    rows = []
    for sound in sounds:
        texts = [str(sound.metadata[key]) for key in _TAGS if sound.metadata.get(key)]
        texts = texts or [str(sound.tags[key]) for key in _TAGS if sound.tags.get(key)]
        group = sound.metadata.get("group") or sound.content or sound.path
        rows.append(Pair(Path(sound.path), tuple(texts), str(group)))
    return gathered(rows, where)


def gathered(rows: Iterable[Pair], where: str, *, by_folder: bool = False) -> Pairs:
    """The rows as pairs: those of one file together, and nothing that has no file or no caption.

    Raises `DatasetError` where too little is left.
    """
    captions: dict[Path, list[str]] = {}
    groups: dict[Path, str] = {}
    for row in rows:
        texts = [" ".join(text.split()) for text in row.captions]
        captions.setdefault(row.path, []).extend(text for text in texts if text)
        groups.setdefault(row.path, str(row.path.parent) if by_folder else row.group)
    if not captions:
        raise DatasetError(f"there are no sounds in {where}")
    bare = [path for path, texts in captions.items() if not texts]
    absent = [path for path, texts in captions.items() if texts and not path.is_file()]
    left = {*bare, *absent}
    pairs = tuple(
        Pair(path, tuple(dict.fromkeys(texts)), groups[path])
        for path, texts in captions.items()
        if path not in left
    )
    notices = []
    if absent:
        what = "1 caption names" if len(absent) == 1 else f"{len(absent)} captions name"
        notices.append(f"{what} a file that does not exist, such as {absent[0]}")
    if bare:
        what = "1 sound has" if len(bare) == 1 else f"{len(bare)} sounds have"
        notices.append(f"{what} no caption, such as {bare[0]}")
    if not pairs:
        raise DatasetError(f"{where} has nothing to learn from: {notices[0]}")
    if len({text for pair in pairs for text in pair.captions}) == 1:
        only = pairs[0].captions[0]
        raise DatasetError(
            f"every sound of {where} has the caption {only!r}: sounds are learnt by contrast, so "
            "give at least two unlike captions or classes"
        )
    if len(pairs) < LEAST:
        rest = f" ({notices[0]})" if notices else ""
        raise DatasetError(
            f"{len(pairs)} pairs are too few to train a model and to measure it{rest}: give at "
            f"least {LEAST}; a few hundred make a difference"
        )
    return Pairs(pairs, tuple(f"left out: {notice}" for notice in notices))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _named(row: dict[str, str]) -> str:
    """The columns of a row, for a message."""
    return ", ".join(column for column in row if column)[:100] or "nothing"


def _csv_at(path: Path) -> Path:
    return path / "manifest.csv" if path.is_dir() else path


def _read_csv(path: Path, group: str | None) -> Iterator[Pair]:
    where = _csv_at(path)
    column = group if group not in (None, "folder") else None
    for row in _rows(where):
        if row.get("file") is None:
            raise ValueError(f"it has no column file, but {_named(row)}")
        if column and row.get(column) is None:
            raise ValueError(f"it has no column {column}, but {_named(row)}")
        texts = [row[name] for name in _CAPTION if row.get(name)]
        # A class says less than a caption; it counts where there is none.
        texts = texts or [spoken(row[name]) for name in _LABEL if row.get(name)]
        own = row.get(column or "group") or row["file"]
        yield Pair(where.parent / row["file"], tuple(texts), own)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _read_folder(path: Path, group: str | None) -> Iterator[Pair]:
    for folder in _folders(path):
        for file in sorted(folder.rglob("*")):
            if is_sound(file) and file.is_file():
                yield Pair(file, (spoken(folder.name),), str(file))


def _read_audiocaps(path: Path, group: str | None) -> Iterator[Pair]:
    """A sound is named by the video's id, with or without a prefix Y and the start."""
    files = {file.stem: file for file in sorted(path.rglob("*")) if is_sound(file)}
    for row in _rows(path / "train.csv"):
        video, start = row["youtube_id"], row["start_time"]
        names = (video, f"Y{video}", f"{video}_{start}", f"Y{video}_{start}", row["audiocap_id"])
        sound = next((files[name] for name in names if name in files), path / f"{video}.wav")
        yield Pair(sound, (row["caption"],), video)


def _read_clotho(path: Path, group: str | None) -> Iterator[Pair]:
    for row in _rows(path / "clotho_captions_development.csv"):
        texts = tuple(row[f"caption_{number}"] for number in range(1, 6))
        yield Pair(path / "development" / row["file_name"], texts, row["file_name"])


def _read_fsd50k(path: Path, group: str | None) -> Iterator[Pair]:
    """Who uploaded a clip is its group, where the metadata is there: people record in series."""
    about = path / "FSD50K.metadata" / "dev_clips_info_FSD50K.json"
    people = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    for row in _rows(path / "FSD50K.ground_truth" / "dev.csv"):
        labels = ", ".join(spoken(label).lower() for label in row["labels"].split(","))
        by = people.get(row["fname"], {}).get("uploader", row["fname"])
        yield Pair(path / "FSD50K.dev_audio" / f"{row['fname']}.wav", (labels,), by)


@dataclass(frozen=True)
class _Layout:
    is_at: Callable[[Path], bool]
    read: Callable[[Path, str | None], Iterator[Pair]]


def _has_class_folders(path: Path) -> bool:
    return path.is_dir() and any(is_sound(f) for d in _folders(path) for f in d.iterdir())


# The order matters: a dataset of any of the first layouts has folders of sounds too.
LAYOUTS = {
    "fsd50k": _Layout(
        lambda path: (path / "FSD50K.ground_truth" / "dev.csv").is_file(), _read_fsd50k
    ),
    "clotho": _Layout(
        lambda path: (path / "clotho_captions_development.csv").is_file(), _read_clotho
    ),
    "audiocaps": _Layout(lambda path: (path / "train.csv").is_file(), _read_audiocaps),
    "csv": _Layout(
        lambda path: _csv_at(path).suffix == ".csv" and _csv_at(path).is_file(), _read_csv
    ),
    "folder": _Layout(_has_class_folders, _read_folder),
}
