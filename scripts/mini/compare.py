"""What one bundle is worth beside another: differences with their 95 % intervals.

`python -m scripts.mini.compare --shared ../shared --work DIR --before DIR --after DIR` prints a JSON
line for each kind of figure. Each is compared text by text, or kind by kind, so that what both find
hard does not widen the interval; `divergence` (from the teacher over classes, at its best scale, by
class names in the prompt) mixture by mixture.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from scripts.mini.bundle import Bundle
from scripts.mini.corpus import read_groups
from scripts.mini.evaluate import Trial
from scripts.mini.kinds import read_kinds
from scripts.mini.label import open_store
from scripts.mini.metrics import even_sets, mean_interval, recalls
from scripts.mini.queryside import Question, figures, questions_of
from scripts.mini.teacher import labels
from scripts.mini.wording import Embed, spreads, unseen_values
from scripts.mini.wording_parts import SAMPLES

SCALES = np.geomspace(5, 60, 26)


def same_ears(one: Path, other: Path) -> bool:
    """Whether two bundles hear with one audio tower."""
    return (one / "audio.onnx").read_bytes() == (other / "audio.onnx").read_bytes()


def difference(before: list[float], after: list[float]) -> dict[str, Any]:
    """Both means, and the interval of the mean difference."""
    low, high = mean_interval(np.array(after) - np.array(before))
    return {
        "before": round(float(np.mean(before)), 4),
        "after": round(float(np.mean(after)), 4),
        "difference": [round(low, 4), round(high, 4)],
    }


Side = tuple[Embed, list[Question]]


def on_questions(before: Side, after: Side) -> list[dict[str, Any]]:
    """Retrieval by each question's texts, among the sounds as each side hears them."""
    rows = []
    for earlier, later in zip(before[1], after[1], strict=True):
        kept: dict[str, np.ndarray] = {}
        old = figures(earlier, earlier.sounds.scores(before[0](earlier.texts)), kept)
        new = figures(later, later.sounds.scores(after[0](later.texts)), kept)
        rows.append({"what": earlier.name, "before": old, "after": new})
    return rows


def listed_question(questions: list[Question]) -> Question:
    """README's short queries, sample_library's own list."""
    sounds = next(q.sounds for q in questions if q.name == "queries, samples")
    with (SAMPLES / "queries.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    relevant = np.array([[row["kind"] == name for row in rows] for name in sounds.names])
    return Question("queries of README", [row["query"] for row in rows], sounds, relevant)


def divergences(cosines: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """(mixtures,) KL divergence of the softmax of scaled `cosines` from that of the teacher's
    `logits`, both (mixtures, classes), at the scale that is best for all."""

    def shares(heights: np.ndarray) -> np.ndarray:
        """Logarithms of the softmax."""
        high = heights - heights.max(1, keepdims=True)
        return np.asarray(high - np.log(np.exp(high).sum(1, keepdims=True)))

    right = shares(logits.astype(np.float32))
    weights = np.exp(right)
    tried = [(weights * (right - shares(s * cosines))).sum(1) for s in SCALES]
    return min(tried, key=lambda values: float(values.mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--before", type=Path, required=True, help="bundle")
    parser.add_argument("--after", type=Path, required=True, help="bundle")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups left out")
    args = parser.parse_args()
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    bundles = [Bundle(args.before), Bundle(args.after)]
    before, after = (bundle.embed_texts for bundle in bundles)
    heard = [questions_of(Trial(args.shared, args.work, bundles[0], excluded))]
    if same_ears(args.before, args.after):
        heard.append(heard[0])
    else:
        heard.append(questions_of(Trial(args.shared, args.work, bundles[1], excluded)))
    asked = [[*questions, listed_question(questions)] for questions in heard]
    rows = on_questions((before, asked[0]), (after, asked[1]))
    rows.append(
        {"what": "rewordings"}
        | difference(*([x for _, x in spreads(e)[0]] for e in (before, after)))
    )
    names, store = labels(args.shared), open_store(args.work)
    mixtures = [next(q.sounds.windows for q in qs if q.name == "classes") for qs in heard]
    logits = np.asarray(store.logits)[store.rows(2)]
    pairs = list(zip((before, after), mixtures, strict=True))
    old, new = (unseen_values(e, read_kinds(names), names, m, logits) for e, m in pairs)
    rows.append(
        {"what": "unseen kinds: a class of theirs among three"} | difference(old[0], new[0])
    )
    rows.append({"what": "unseen kinds: mAP"} | difference(old[1], new[1]))
    classes = [name.lower() for name in names]
    scores = [windows @ embed(classes).T for embed, windows in pairs]
    far = [divergences(each, logits).tolist() for each in scores]
    rows.append({"what": "divergence"} | difference(*far))
    sets = even_sets(logits)
    named = [recalls(each, logits, sets) for each in scores]
    rows.append(
        {"what": "named among 50 classes, each class alike"}
        | difference(*(each[~np.isnan(each)].tolist() for each in named))
    )
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
