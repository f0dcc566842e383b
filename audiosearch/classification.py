"""Zero-shot classification: files against labels that nobody trained for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.embedding import embed_file
from audiosearch.errors import InvalidQuery
from audiosearch.query import check_text
from audiosearch.results import Classification, Label
from audiosearch.vectors.codec import exact_scores

if TYPE_CHECKING:
    from audiosearch.models.model import Model


def classify(
    model: Model,
    files: Sequence[str],
    labels: Sequence[str],
    template: str | None = None,
    multi: bool = False,
) -> Iterator[Classification]:
    """Score each file against the labels; see `results.Label` for what the scores are.

    Raises `InvalidQuery` for labels that are empty or doubled, `AudioRejected` for a file without
    embedding.
    """
    from audiosearch.models.model import apply_template

    if not labels:
        raise InvalidQuery("there are no labels: give at least one, such as --labels dog,rain")
    if len(set(labels)) != len(labels):
        raise InvalidQuery("a label is given twice")
    for label in labels:
        check_text(label)
    chosen = model.bundle.query_template if template is None else template
    prompts = tuple(apply_template(chosen, label) for label in labels)
    texts = model.embed_text(prompts)
    for file in files:
        embedded = embed_file(model, file)
        by_window = np.stack([exact_scores(embedded.vectors, text) for text in texts], axis=1)
        best = by_window.argmax(axis=0)
        scores = by_window.max(axis=0) if multi else exact_scores(texts, embedded.mean)
        shares = None if multi else softmax(scores * model.bundle.logit_scale)
        found = [
            Label(
                label,
                float(scores[i]),
                None if shares is None else float(shares[i]),
                float(embedded.starts[best[i]]),
                float(embedded.ends[best[i]]),
            )
            for i, label in enumerate(labels)
        ]
        found.sort(key=lambda label: (-label.score, label.label))
        yield Classification(file, tuple(found), prompts)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
