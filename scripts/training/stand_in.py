"""A task to fine-tune on, of sounds that mini never heard: a corpus by first tag, in ESC-50's layout.

`python -m scripts.training.stand_in --corpus ../shared/data/corpus --to ./ESC-50-master` links files
from 20000 on: of each class in `CLASSES` at most `EACH`, at most three of one group, in three folds by
group. Then `audiosearch eval --task esc50 . --fine-tune DIR` measures it. The names in the table are
those of ESC-50, whose figures mean nothing here.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np

from audiosearch.heads.folds import group_folds, group_numbers
from scripts.training.domain import FIRST_UNHEARD

CLASSES = (
    "creature",
    "footsteps",
    "glass/impact",
    "household",
    "human",
    "interface",
    "music",
    "tool/machine",
    "vehicle",
    "weapon/explosion",
)
EACH = 40
FOLDS = 3


def chosen(corpus: Path) -> list[tuple[Path, str, str]]:
    """(file, class, group), drawn with a fixed seed."""
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    taken: Counter[tuple[str, str]] = Counter()
    made = []
    for place in np.random.default_rng(0).permutation(len(rows)):
        row = rows[place]
        tag, group = row["tags"].split(";")[0], row["group"]
        new = int(Path(row["file"]).stem) >= FIRST_UNHEARD
        if new and tag in CLASSES and taken[tag, ""] < EACH and taken[tag, group] < 3:
            taken.update([(tag, ""), (tag, group)])
            made.append((corpus / row["file"], tag, group))
    return sorted(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    sounds = chosen(args.corpus)
    truth = np.array([[tag == name for name in CLASSES] for _, tag, _ in sounds])
    folds = group_folds(group_numbers([group for _, _, group in sounds]), truth, FOLDS)
    (args.to / "meta").mkdir(parents=True)
    (args.to / "audio").mkdir()
    with (args.to / "meta" / "esc50.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
        for (path, tag, group), fold in zip(sounds, folds, strict=True):
            (args.to / "audio" / path.name).symlink_to(path.resolve())
            category = tag.replace("/", " or ")
            writer.writerow(
                [path.name, fold + 1, CLASSES.index(tag), category, "False", group, "A"]
            )
    groups = len({group for _, _, group in sounds})
    print(f"{args.to}: {len(sounds)} sounds of {groups} groups, {len(CLASSES)} classes")


if __name__ == "__main__":
    main()
