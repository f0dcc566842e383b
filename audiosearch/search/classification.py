"""Zero-shot classification: the scores of files for labels that no model was trained for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import InvalidQuery
from audiosearch.heads.fit import softmax
from audiosearch.heads.head import Head
from audiosearch.models.embedding import EmbeddedFile
from audiosearch.results import Classification, Label
from audiosearch.search.isolation import Isolation
from audiosearch.search.query import check_text
from audiosearch.vectors.codec import exact_scores

if TYPE_CHECKING:
    from audiosearch.models.model import Model


def classify(
    model: Model,
    files: Sequence[str],
    labels: Sequence[str],
    template: str | None = None,
    multi: bool = False,
    windows_of: Callable[[str], EmbeddedFile] | None = None,
) -> Iterator[Classification]:
    """Score each file against the labels; `results.Label` explains the scores.

    `windows_of` returns a file's windows; by default a process of its own decodes them. Raises
    `InvalidQuery` for empty or repeated labels, and `AudioRejected` for a file without embedding.
    """
    prompts = _Labels(model, labels, template)
    decoding = Isolation()
    try:
        for file in files:
            embed = windows_of or partial(decoding.reader.embed, model)
            yield prompts.classify(file, embed(file), multi)
    finally:
        decoding.close()


def classify_by_head(
    head: Head, files: Sequence[str], windows_of: Callable[[str], EmbeddedFile]
) -> Iterator[Classification]:
    """Score each file with a head; `results.Label` explains the scores.

    `windows_of` returns a file's windows. Raises `AudioRejected` for a file without embedding.
    """
    for file in files:
        sound = windows_of(file)
        by_window = head.logits(sound.vectors)
        best = by_window.argmax(axis=0)
        [logits] = head.logits(sound.mean[None])
        [probabilities] = head.probabilities(sound.mean[None])
        fits = [
            Label(
                label,
                float(logits[i]),
                float(probabilities[i]),
                float(sound.starts[best[i]]),
                float(sound.ends[best[i]]),
            )
            for i, label in enumerate(head.labels)
        ]
        fits.sort(key=lambda label: (-label.score, label.label))
        yield Classification(file, tuple(fits), ())


class _Labels:
    """The labels, their prompts, and the vectors of the prompts (labels, d)."""

    def __init__(self, model: Model, labels: Sequence[str], template: str | None) -> None:
        from audiosearch.models.model import apply_template

        _check(labels)
        template = model.bundle.query_template if template is None else template
        self._labels, self._scale = labels, model.bundle.logit_scale
        self._prompts = tuple(apply_template(template, label) for label in labels)
        self._vectors = model.embed_text(self._prompts)

    def classify(self, name: str, sound: EmbeddedFile, multi: bool) -> Classification:
        """Return the labels of a sound, best first."""
        by_window = np.stack([exact_scores(sound.vectors, text) for text in self._vectors], axis=1)
        best = by_window.argmax(axis=0)
        scores = by_window.max(axis=0) if multi else exact_scores(self._vectors, sound.mean)
        shares = None if multi else softmax(scores * self._scale)
        fits = [
            Label(
                label,
                float(scores[i]),
                None if shares is None else float(shares[i]),
                float(sound.starts[best[i]]),
                float(sound.ends[best[i]]),
            )
            for i, label in enumerate(self._labels)
        ]
        fits.sort(key=lambda label: (-label.score, label.label))
        return Classification(name, tuple(fits), self._prompts)


def _check(labels: Sequence[str]) -> None:
    if not labels:
        raise InvalidQuery("there are no labels: give at least one, such as --labels dog,rain")
    if len(set(labels)) != len(labels):
        raise InvalidQuery("a label is given twice")
    for label in labels:
        check_text(label)
