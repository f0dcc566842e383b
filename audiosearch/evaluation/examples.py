"""The sounds of a task as arrays, and which of them learn what the others measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.evaluation.task import Task


@dataclass(frozen=True)
class Examples:
    """Sounds with their classes. `vectors` (n, d) are the means of their windows', `truth` (n,
    classes) is bool, `groups` (n,) are numbers, `splits` (n,) are as in `Item`.
    """

    task: Task
    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    vectors: np.ndarray
    truth: np.ndarray
    groups: np.ndarray
    splits: np.ndarray

    @property
    def tested(self) -> np.ndarray:
        """(n,) bool: the sounds that are measured."""
        tested: np.ndarray = ~np.isin(self.splits, ["train", "valid"])
        return tested

    @property
    def folds(self) -> np.ndarray:
        """(n,) str: the fold of a sound, empty where the task has none."""
        return np.where(np.char.isdigit(self.splits), self.splits, "")

    def parts(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Return, for each fold or for the test part: its name, which sounds (n,) bool may be learnt
        from, and which are measured. Empty where a part has no two classes to learn.
        """
        digits = self.folds != ""
        made = []
        for name in np.unique(self.splits[digits]).tolist() if digits.any() else ["test"]:
            outside = self.splits == name
            inside = digits & ~outside if digits.any() else ~self.tested
            if self.truth[inside].any(axis=0).sum() < 2:
                return []
            made.append((name, inside, outside))
        return made
