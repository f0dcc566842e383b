"""Folds that keep groups together: sounds of one recording, folder or speaker are never both
learned from and measured on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audiosearch.errors import InvalidQuery


def group_numbers(groups: Sequence[str]) -> np.ndarray:
    """Return the number (n,) of the group of each example, from 0."""
    numbers: np.ndarray = np.unique(np.array(groups, dtype=str), return_inverse=True)[1]
    return numbers


def group_folds(groups: np.ndarray, truth: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """Return the fold (n,) of each example: groups stay whole, classes are spread evenly.

    `groups` (n,) are numbers. The largest groups are placed first, each in the fold where the
    classes stay most even.
    """
    counts = np.zeros((groups.max() + 1, truth.shape[1]))
    np.add.at(counts, groups, truth)
    share = counts / np.maximum(truth.sum(axis=0), 1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    filled = np.zeros((folds, truth.shape[1]))
    fold_of = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        # The sum of squares grows least where the group's classes are rarest so far.
        growth = (2 * filled * share[group]).sum(axis=1)
        lightest = growth + 1e-6 * filled.sum(axis=1)
        fold = int(lightest.argmin())
        fold_of[group] = fold
        filled[fold] += share[group]
    folds_of_examples: np.ndarray = fold_of[groups]
    return folds_of_examples


def possible_folds(groups: np.ndarray, truth: np.ndarray, labels: Sequence[str], folds: int) -> int:
    """Return the number of folds, at most `folds`, that these examples allow.

    Raises `InvalidQuery` for one label alone, one group, or a label that could not be both learned
    from and measured on.
    """
    if len(labels) < 2:
        only = f"only {labels[0]!r}" if labels else "none"
        raise InvalidQuery(f"a head tells labels apart, and there is {only}: give at least two")
    return _fewest_groups(groups, truth, labels, folds)


def possible_label_folds(
    groups: np.ndarray, truth: np.ndarray, labels: Sequence[str], folds: int
) -> int:
    """Return what `possible_folds` does, for labels that are each a question of its own."""
    if not labels:
        raise InvalidQuery("there are no labels to learn")
    for column, label in enumerate(labels):
        if truth[:, column].all():
            raise InvalidQuery(
                f"every sound has the label {label!r}: some sounds without it are needed"
            )
    return _fewest_groups(groups, truth, labels, folds)


def _fewest_groups(groups: np.ndarray, truth: np.ndarray, labels: Sequence[str], folds: int) -> int:
    if len(np.unique(groups)) < 2:
        raise InvalidQuery(
            "all sounds are in one group: a head is measured on groups that it did not learn from, "
            "so give sounds of several groups, or another --group"
        )
    fewest = folds
    for column, label in enumerate(labels):
        rows = truth[:, column]
        number = len(np.unique(groups[rows]))
        if number < 2:
            sounds = "1 sound" if rows.sum() == 1 else f"{rows.sum()} sounds in one group"
            raise InvalidQuery(
                f"the label {label!r} has {sounds}: at least two from different groups are needed"
            )
        fewest = min(fewest, number)
    return max(2, fewest)
