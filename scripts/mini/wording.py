"""How well a text tower words sounds, by figures that need no new recordings.

`trials/queries.csv`: short queries and the sounds that answer them; `trials/rewordings.txt`:
wordings that mean one sound; and the kinds of `kinds` that are held out. An `Embed` takes texts as a
user types them to unit vectors (texts, 512).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.mini.kinds import Kind
from scripts.mini.metrics import average_precision, mean_interval, occurrences, skewness

TRIALS = Path(__file__).parent / "trials"
HEARD = 0.3  # weighted mean of the teacher's probabilities from which a mixture is of a kind
Embed = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class Sounds:
    """`windows` (n, 512) of sounds, `owner` (n,) the sound of each, `names` what each sound is."""

    windows: np.ndarray
    owner: np.ndarray
    names: list[str]

    def scores(self, texts: np.ndarray) -> np.ndarray:
        """(sounds, texts) cosine of the best window."""
        best = np.full((len(self.names), len(texts)), -1, np.float32)
        np.maximum.at(best, self.owner, self.windows @ texts.T)
        return best


def _rounded(values: list[float]) -> dict[str, Any]:
    low, high = mean_interval(np.array(values))
    return {"mean": round(float(np.mean(values)), 4), "interval": [round(low, 3), round(high, 3)]}


def short_queries(embed: Embed, corpus: Sounds, samples: Sounds) -> dict[str, Any]:
    """First hit right, one of the first three right, mean average precision, and how unequally
    often sounds come up."""
    with (TRIALS / "queries.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    first, third, precisions, counts = [], [], [], []
    for name, sounds in (("corpus", corpus), ("samples", samples)):
        mine = [row for row in rows if row["set"] == name]
        scores = sounds.scores(embed([row["query"] for row in mine]))
        for row, column in zip(mine, scores.T, strict=True):
            kind = row["kind"] if name == "corpus" else f"^{re.escape(row['kind'])}$"
            relevant = np.array([bool(re.search(kind, text)) for text in sounds.names])
            order = np.argsort(-column, kind="stable")
            first.append(float(relevant[order[0]]))
            third.append(float(relevant[order[:3]].any()))
            precisions.append(average_precision(column, relevant))
        if name == "corpus":
            counts = list(occurrences(scores))
    spread = np.array(counts)
    return {
        "what": "short queries",
        "queries": len(rows),
        "first": _rounded(first),
        "first_three": _rounded(third),
        "map": _rounded(precisions),
        "occurrence_skew": round(skewness(spread), 3),
        "occurrence_most": int(spread.max()),
        "occurrence_mean": round(float(spread.mean()), 2),
    }


def spreads(embed: Embed) -> tuple[list[tuple[str, float]], float]:
    """(kind of change, share) for each line of `rewordings.txt`: the mean distance (1 - cosine) of a
    wording from the first of its line, as a share of the distance of unlike lines; and that
    distance."""
    lines = (TRIALS / "rewordings.txt").read_text(encoding="utf-8").splitlines()
    groups = []
    for line in lines:
        if not line.startswith("#"):
            change, _, wordings = line.partition(": ")
            groups.append((change, [text.strip() for text in wordings.split(";")]))
    vectors = embed([text for _, texts in groups for text in texts])
    heads, distances, start = [], [], 0
    for change, texts in groups:
        mine = vectors[start : start + len(texts)]
        heads.append(mine[0])
        distances.append((change, float(1 - (mine[1:] @ mine[0]).mean())))
        start += len(texts)
    unlike = np.array(heads) @ np.array(heads).T
    usual = float(1 - unlike[~np.eye(len(heads), dtype=bool)].mean())
    return [(change, distance / usual) for change, distance in distances], usual


def rewordings(embed: Embed) -> dict[str, Any]:
    """`spreads`, by kind of change, and of all."""
    lines, usual = spreads(embed)
    shares = {
        name: round(float(np.mean([share for change, share in lines if change == name])), 4)
        for name in dict.fromkeys(change for change, _ in lines)
    }
    whole = _rounded([share for _, share in lines])
    return {"what": "rewordings", "unlike": round(usual, 4), "all": whole, **shares}


def unseen_values(
    embed: Embed, kinds: list[Kind], names: list[str], sounds: np.ndarray, logits: np.ndarray
) -> tuple[list[float], list[float]]:
    """For each held-out kind, the part of its texts that have one of its two heaviest classes among
    the three class names nearest to them; and for each that the mixtures hold, the mean average
    precision with which its texts rank held-out mixtures `sounds` (n, 512), those relevant in which
    the teacher's `logits` (n, 527) hear it."""
    held = [kind for kind in kinds if kind.held]
    probability = 1 / (1 + np.exp(-logits.astype(np.float32)))
    nearest = embed([name.lower() for name in names])
    named, precisions = [], []
    texts = embed([text for kind in held for text in kind.texts])
    start = 0
    for kind in held:
        mine = texts[start : start + len(kind.texts)]
        start += len(kind.texts)
        heavy = set(np.argsort(-kind.weights)[:2].tolist())
        top = np.argsort(-(mine @ nearest.T), axis=1)[:, :3]
        named.append(float(np.mean([bool(heavy & set(row)) for row in top.tolist()])))
        relevant = probability @ kind.weights > HEARD
        if relevant.any():
            scores = sounds @ mine.T
            precisions.append(float(np.mean([average_precision(s, relevant) for s in scores.T])))
    return named, precisions


def unseen_kinds(
    embed: Embed, kinds: list[Kind], names: list[str], sounds: np.ndarray, logits: np.ndarray
) -> dict[str, Any]:
    """The means of `unseen_values`."""
    named, precisions = unseen_values(embed, kinds, names, sounds, logits)
    return {
        "what": "unseen kinds",
        "kinds": len(named),
        "texts": sum(len(kind.texts) for kind in kinds if kind.held),
        "class_of_three": _rounded(named),
        "heard_kinds": len(precisions),
        "map": _rounded(precisions),
    }
