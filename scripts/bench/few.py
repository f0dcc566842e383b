"""Few examples: a head that learns from 1, 5 or 20 sounds of each class, beside zero-shot
classification and beside a head that starts from the class names (`--blend`).

`python -m scripts.bench.few --shared ../shared` measures on ESC-10 (its official five folds; sounds
of one source recording are never both learned from and measured on; mini was not trained on it) and
on recordings of mini's corpus by their first tag (five folds by group; mini was trained on most of
them, so all figures there are flattered). Examples are drawn anew in each of `--draws` draws, from
the other folds, one sound of each recording. Nothing is chosen on these sounds: the strength and the
part of the names are the defaults of `audiosearch.heads.fit`. It prints accuracy and its 95 %
interval by bootstrap over groups.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.evaluation.bootstrap import group_interval
from audiosearch.evaluation.datasets import Dataset
from audiosearch.evaluation.items import Item
from audiosearch.evaluation.measuring import embed_sounds
from audiosearch.heads.fit import BLEND, fit
from audiosearch.heads.folds import group_folds, group_numbers
from audiosearch.models.embedding import mean_of
from audiosearch.models.model import Model, apply_template
from audiosearch.models.registry import load_model

SHOTS = (1, 5, 20)
TAGS = (
    "animal",
    "human",
    "water",
    "bird",
    "vehicle",
    "weather",
    "fire",
    "insect",
    "bell",
    "footsteps",
)
EACH_TAG = 60


@dataclass(frozen=True)
class Sounds:
    """Mean vectors (n, d), truth (n, classes) bool, groups (n,) and folds (n,) of a dataset."""

    name: str
    classes: tuple[str, ...]
    vectors: np.ndarray
    truth: np.ndarray
    groups: np.ndarray
    folds: np.ndarray


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a folder's manifest."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def esc10(shared: Path) -> list[Item]:
    """Return the sounds of ESC-10 that are there."""
    folder = shared / "data" / "esc10"
    return [
        Item(folder / row["file"], [], {row["label"]}, row["fold"], row["source_id"])
        for row in rows_of(folder)
    ]


def corpus(shared: Path) -> list[Item]:
    """Return recordings of the corpus, at most `EACH_TAG` of each tag and 3 of each group."""
    folder, taken, items = shared / "data" / "corpus", dict[tuple[str, str], int](), []
    rows = rows_of(folder)
    for index in np.random.default_rng(0).permutation(len(rows)):
        row = rows[index]
        tag, group = row["tags"].split(";")[0], row["group"]
        full = taken.get((tag, ""), 0) >= EACH_TAG or taken.get((tag, group), 0) >= 3
        if tag in TAGS and not full:
            for key in ((tag, ""), (tag, group)):
                taken[key] = taken.get(key, 0) + 1
            items.append(Item(folder / row["file"], [], {tag}, "", group))
    return items


def embedded(name: str, items: list[Item], model: Model) -> Sounds:
    """Embed the sounds, and place them in folds: their own, or five by group."""
    sounds = embed_sounds(model, Dataset(name, "csv", tuple(items)))
    classes = tuple(sorted(set().union(*(item.classes for item in sounds.items))))
    truth = np.array([[label in item.classes for label in classes] for item in sounds.items])
    groups = group_numbers([item.group for item in sounds.items])
    splits = [item.split for item in sounds.items]
    folds = np.array([int(s) for s in splits]) if all(splits) else group_folds(groups, truth, 5)
    vectors = np.stack([mean_of(windows) for windows in sounds.vectors])
    return Sounds(name, classes, vectors, truth, groups, folds)


def drawn(sounds: Sounds, inside: np.ndarray, shots: int, rng: np.random.Generator) -> list[int]:
    """Return `shots` sounds of each class, each of another recording, in the folds `inside`."""
    chosen: list[int] = []
    for column in range(len(sounds.classes)):
        seen: dict[int, int] = {}
        for row in rng.permutation(np.flatnonzero(inside & sounds.truth[:, column])):
            seen.setdefault(int(sounds.groups[row]), int(row))
        chosen += list(seen.values())[:shots]
    return chosen


def shares_right(sounds: Sounds, shots: int, draws: int, prior: np.ndarray | None) -> np.ndarray:
    """Return (n,): in which share of the draws each sound is recognised."""
    right = np.zeros(len(sounds.truth))
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        for fold in np.unique(sounds.folds):
            inside = sounds.folds != fold
            rows = drawn(sounds, inside, shots, rng)
            layers = fit(sounds.vectors[rows], sounds.truth[rows], prior=prior)
            best = layers.logits(sounds.vectors[~inside]).argmax(axis=1)
            outside = np.flatnonzero(~inside)
            right[outside] += sounds.truth[outside, best]
    return right / draws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args()
    model = load_model(args.model)
    readers: tuple[tuple[str, Callable[[Path], list[Item]]], ...] = (
        ("ESC-10", esc10),
        ("corpus (mini heard it)", corpus),
    )
    for name, read in readers:
        sounds = embedded(name, read(args.shared), model)
        template = model.bundle.query_template
        texts = model.embed_text([apply_template(template, label) for label in sounds.classes])
        weights = model.bundle.logit_scale * texts.T.astype(np.float64)
        count, groups = len(sounds.truth), len(np.unique(sounds.groups))
        print(
            f"{name}: {count} sounds, {groups} groups, {len(sounds.classes)} classes, {args.model}"
        )
        best = (sounds.vectors @ weights).argmax(axis=1)
        right = sounds.truth[np.arange(count), best].astype(float)
        print(f"  zero-shot                 {stated(right, sounds.groups)}")
        for shots in SHOTS:
            alone = shares_right(sounds, shots, args.draws, None)
            both = shares_right(sounds, shots, args.draws, BLEND * weights)
            print(f"  {shots:2} a class: head           {stated(alone, sounds.groups)}")
            print(f"              head + zero-shot {stated(both, sounds.groups)}", flush=True)


def stated(right: np.ndarray, groups: np.ndarray) -> str:
    """Return a mean with its interval over groups."""
    low, high = group_interval(groups, lambda rows: float(right[rows].mean()))
    return f"{right.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
