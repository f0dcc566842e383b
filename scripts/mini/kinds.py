"""Kinds of sounds in words: what a text means as weights of the 527 AudioSet classes.

`concepts/*.txt` holds one kind a line, `text; text = class:weight; class ~ class; class`: wordings,
the classes that it sounds like, and after `~` classes that only its spelling resembles. A class is
named in full or by its beginning; without a number it weighs 0.7 of the one before it (the first
weighs 10). `general.txt` is what revision 3 learnt; of the other kinds a tenth, chosen by hash, is
never trained on and tells whether wording generalises.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "concepts"
KNOWN = "general"  # the file whose kinds an earlier revision was trained on
HELD_OUT = 0.1


@dataclass(frozen=True)
class Kind:
    """Wordings of one kind of sound; `weights` (527,) sum to one, `against` (527,) bool."""

    source: str
    texts: tuple[str, ...]
    weights: np.ndarray
    against: np.ndarray
    held: bool


def find_class(text: str, names: list[str]) -> int:
    """The number of the class that `text` names: in full, by its part before the first comma or
    bracket, or by a beginning that no other class has."""
    lowered = [name.lower() for name in names]
    ways = (
        lowered,
        [name.split(",")[0] for name in lowered],
        [re.split(r",| \(", name)[0] for name in lowered],
        [name[: len(text)] for name in lowered],
    )
    for way in ways:
        if way.count(text.lower()) == 1:
            return way.index(text.lower())
    raise ValueError(f"no class, or several, begin with {text!r}")


def parse_weights(text: str, names: list[str]) -> np.ndarray:
    """`class:weight; class` -> (527,), sum one."""
    weights, last = np.zeros(len(names), np.float32), 10 / 0.7
    for part in text.split(";"):
        name, _, number = part.strip().partition(":")
        last = float(number) if number else 0.7 * last
        weights[find_class(name.strip(), names)] += last
    return weights / weights.sum()


def is_held(text: str) -> bool:
    """Whether the kind whose first wording is `text` is kept from training."""
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < HELD_OUT * 2**32


def written(names: list[str]) -> list[Kind]:
    """The kinds of `concepts/`, in the order of their files."""
    kinds = []
    for path in sorted(FOLDER.glob("*.txt"), key=lambda path: (path.stem != KNOWN, path.stem)):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                continue
            texts, _, classes = line.partition(" = ")
            alike, _, unlike = classes.partition(" ~ ")
            against = np.zeros(len(names), bool)
            for name in filter(None, unlike.split(";")):
                against[find_class(name.strip(), names)] = True
            words = tuple(text.strip() for text in texts.split(";"))
            held = path.stem != KNOWN and is_held(words[0])
            kinds.append(Kind(path.stem, words, parse_weights(alike, names), against, held))
    return kinds


def composed(names: list[str]) -> list[Kind]:
    """The kinds of `families.json`: each frame with each thing that it goes with."""
    pattern = json.loads((FOLDER / "families.json").read_text(encoding="utf-8"))
    kinds = []
    for family, rule in pattern["families"].items():
        common = parse_weights(rule["classes"], names)
        for thing, own in pattern["things"][rule["things"]].items():
            words = tuple(frame.format(thing) for frame in rule["frames"])
            weights = 0.5 * common + 0.5 * parse_weights(own, names)
            unlike = np.zeros(len(names), bool)
            kinds.append(Kind(f"family {family}", words, weights, unlike, is_held(words[0])))
    return kinds


def read_kinds(names: list[str]) -> list[Kind]:
    """Every kind, no text twice: the first kind that has it keeps it, and a held-out kind keeps
    only what no other says."""
    kinds = sorted([*written(names), *composed(names)], key=lambda kind: kind.held)
    taken: set[str] = set()
    result = []
    for kind in kinds:
        texts = tuple(dict.fromkeys(text for text in kind.texts if text not in taken))
        taken.update(texts)
        if texts:
            result.append(Kind(kind.source, texts, kind.weights, kind.against, kind.held))
    return result


def texts_of(kinds: list[Kind]) -> list[str]:
    """All wordings of `kinds`, one after the other."""
    return list(itertools.chain.from_iterable(kind.texts for kind in kinds))
