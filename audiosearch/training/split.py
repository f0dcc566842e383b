"""The split of sounds by group: what is learnt, what chooses the epoch, what is measured at the end.

A group goes where the hash of its name and of the seed says, so that the parts do not depend on the
order of files, and a group that joins later moves few others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from audiosearch.training.options import TrainingFailed


@dataclass(frozen=True)
class Split:
    """Numbers of sounds, in order: each is in one part."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    test: tuple[int, ...]


def split(groups: Sequence[str], held_out: float, test: float, seed: int) -> Split:
    """Split sounds by their groups; shares are parts of all sounds, each at least two groups' worth.

    Raises `TrainingFailed` where there are too few groups to do so.
    """
    sizes = Counter(groups)
    if len(sizes) < 6:
        what = "group" if len(sizes) == 1 else "groups"
        raise TrainingFailed(
            f"the {len(groups)} sounds are of {len(sizes)} {what}: 6 are needed, two each to learn "
            "from, to choose by and to measure on (see --group)"
        )
    order = sorted(sizes, key=lambda group: _place(group, seed))
    parts: dict[str, set[str]] = {}
    for name, share in (("test", test), ("held_out", held_out)):
        chosen: set[str] = set()
        count = 0
        while len(chosen) < 2 or (count < share * len(groups) and len(order) > 4):
            group = order.pop()
            chosen.add(group)
            count += sizes[group]
        parts[name] = chosen
    rows = {
        name: tuple(i for i, group in enumerate(groups) if group in chosen)
        for name, chosen in parts.items()
    }
    left = set(order)
    learnt = tuple(i for i, group in enumerate(groups) if group in left)
    return Split(learnt, rows["held_out"], rows["test"])


def _place(group: str, seed: int) -> bytes:
    text = f"{seed} {group}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=8).digest()
