"""What one bundle's words are worth beside another's: differences with their 95 % intervals.

`python -m scripts.mini.compare --shared ../shared --work DIR --before DIR --after DIR` prints a JSON
line for each kind of figure. Both must hear with one audio tower; each figure is compared text by
text, or kind by kind, so that what both find hard does not widen the interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from scripts.mini.bundle import Bundle
from scripts.mini.corpus import read_groups
from scripts.mini.evaluate import Trial
from scripts.mini.kinds import read_kinds
from scripts.mini.label import open_store
from scripts.mini.metrics import mean_interval
from scripts.mini.queryside import Question, figures, questions_of
from scripts.mini.teacher import labels
from scripts.mini.wording import Embed, spreads, unseen_values


def difference(before: list[float], after: list[float]) -> dict[str, Any]:
    """Both means, and the interval of the mean difference."""
    low, high = mean_interval(np.array(after) - np.array(before))
    return {
        "before": round(float(np.mean(before)), 4),
        "after": round(float(np.mean(after)), 4),
        "difference": [round(low, 4), round(high, 4)],
    }


def on_questions(questions: list[Question], before: Embed, after: Embed) -> list[dict[str, Any]]:
    """Retrieval by each question's texts."""
    rows = []
    for question in questions:
        kept: dict[str, np.ndarray] = {}
        old = figures(question, question.sounds.scores(before(question.texts)), kept)
        new = figures(question, question.sounds.scores(after(question.texts)), kept)
        rows.append({"what": question.name, "before": old, "after": new})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--before", type=Path, required=True, help="bundle")
    parser.add_argument("--after", type=Path, required=True, help="bundle")
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups left out")
    args = parser.parse_args()
    if (args.before / "audio.onnx").read_bytes() != (args.after / "audio.onnx").read_bytes():
        parser.error("the bundles hear with different audio towers")
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    before, after = Bundle(args.before).embed_texts, Bundle(args.after).embed_texts
    questions = questions_of(Trial(args.shared, args.work, Bundle(args.before), excluded))
    rows = on_questions(questions, before, after)
    rows.append(
        {"what": "rewordings"}
        | difference(*([x for _, x in spreads(e)[0]] for e in (before, after)))
    )
    names, store = labels(args.shared), open_store(args.work)
    mixtures = next(q.sounds.windows for q in questions if q.name == "classes")
    logits = np.asarray(store.logits)[store.rows(2)]
    old, new = (
        unseen_values(e, read_kinds(names), names, mixtures, logits) for e in (before, after)
    )
    rows.append(
        {"what": "unseen kinds: a class of theirs among three"} | difference(old[0], new[0])
    )
    rows.append({"what": "unseen kinds: mAP"} | difference(old[1], new[1]))
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
