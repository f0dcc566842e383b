"""The measurement of one model on one dataset: embed its sounds once, then score texts against
them.

Retrieval scores a sound by its best window, as search does. Zero-shot classification scores it by
its mean vector, as `classify` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosearch.errors import AudioRejected, InvalidQuery
from audiosearch.evaluation import bootstrap, retrieval, zero_shot
from audiosearch.evaluation.bootstrap import Interval
from audiosearch.evaluation.datasets import Dataset, DatasetError
from audiosearch.evaluation.items import Item
from audiosearch.models.embedding import mean_of
from audiosearch.models.model import Model, apply_template
from audiosearch.search.isolation import Isolation


@dataclass(frozen=True)
class EmbeddedSounds:
    """The sounds of a dataset that have embeddings, with their window vectors (windows, d); and the
    files that have none, with the reasons.
    """

    items: tuple[Item, ...]
    vectors: tuple[np.ndarray, ...]
    failed: tuple[tuple[Path, str], ...]

    def best_windows(self, texts: np.ndarray) -> np.ndarray:
        """Return (texts, sounds): the cosine of each text and the sound's nearest window."""
        return np.stack([(texts @ windows.T).max(axis=1) for windows in self.vectors], axis=1)

    def means(self, texts: np.ndarray) -> np.ndarray:
        """Return (texts, sounds): the cosine of each text and the sound's mean vector."""
        scores: np.ndarray = texts @ np.stack([mean_of(windows) for windows in self.vectors]).T
        return scores


@dataclass(frozen=True)
class CaptionResult:
    """The retrieval of sounds by captions and of captions by sounds, with an interval of each first
    figure.
    """

    prompt: str
    text_to_audio: retrieval.Retrieval
    audio_to_text: retrieval.Retrieval
    text_to_audio_map_interval: Interval
    audio_to_text_map_interval: Interval


@dataclass(frozen=True)
class ClassResult:
    """The classification of sounds by class names. `confusion` is (classes, classes); a row is a
    true class.
    """

    prompt: str
    classes: tuple[str, ...]
    zero_shot: zero_shot.ZeroShot
    accuracy_interval: Interval
    map_interval: Interval
    text_to_audio: retrieval.Retrieval
    confusion: np.ndarray


def embed_sounds(
    model: Model, dataset: Dataset, on_progress: Callable[[], object] = lambda: None
) -> EmbeddedSounds:
    """Embed each sound of a dataset. Raises `DatasetError` where no sound can be embedded."""
    items: list[Item] = []
    vectors: list[np.ndarray] = []
    failed: list[tuple[Path, str]] = []
    decoding = Isolation()
    try:
        for item in dataset.items:
            try:
                vectors.append(decoding.reader.embed(model, item.path).vectors)
                items.append(item)
            except AudioRejected as error:
                failed.append((item.path, str(error)))
            on_progress()
    finally:
        decoding.close()
    if not items:
        path, reason = failed[0]
        raise DatasetError(f"none of the {len(failed)} sounds can be read: {path}: {reason}")
    return EmbeddedSounds(tuple(items), tuple(vectors), tuple(failed))


def _embed_texts(model: Model, template: str, texts: tuple[str, ...]) -> np.ndarray:
    return model.embed_text([apply_template(template, text) for text in texts])


def evaluate_captions(
    model: Model, sounds: EmbeddedSounds, template: str, draws: int = bootstrap.DRAWS
) -> CaptionResult:
    """Measure the retrieval of sounds by their captions, and of captions by their sounds."""
    captions = tuple(dict.fromkeys(c for item in sounds.items for c in item.captions))
    if not captions:
        raise InvalidQuery("the dataset has no captions to find its sounds by")
    scores = sounds.best_windows(_embed_texts(model, template, captions))
    relevant = np.array([[c in item.captions for item in sounds.items] for c in captions])
    with_caption = relevant.any(axis=0)
    by_sound = scores.T[with_caption], relevant.T[with_caption]
    return CaptionResult(
        template,
        retrieval.evaluate(scores, relevant),
        retrieval.evaluate(*by_sound),
        bootstrap.mean_interval(retrieval.average_precision(scores, relevant, 10), draws),
        bootstrap.mean_interval(retrieval.average_precision(*by_sound, 10), draws),
    )


def evaluate_classes(
    model: Model, sounds: EmbeddedSounds, template: str, draws: int = bootstrap.DRAWS
) -> ClassResult:
    """Measure zero-shot classification by class names, and the retrieval of sounds by class names."""
    labelled = np.array([bool(item.classes) for item in sounds.items])
    classes = tuple(sorted(set().union(*(item.classes for item in sounds.items))))
    if not classes:
        raise InvalidQuery("the dataset has no classes to tell apart")
    truth = np.array([[c in item.classes for c in classes] for item in sounds.items])[labelled]
    texts = _embed_texts(model, template, classes)
    scores = sounds.means(texts).T[labelled]
    nearest = sounds.best_windows(texts).T[labelled]

    def mean_precision(rows: np.ndarray) -> float:
        return float(zero_shot.class_precisions(scores[rows], truth[rows]).mean())

    return ClassResult(
        template,
        classes,
        zero_shot.evaluate(scores, truth),
        bootstrap.mean_interval(zero_shot.correct(scores, truth), draws),
        bootstrap.interval(len(scores), mean_precision, draws),
        retrieval.evaluate(nearest.T, truth.T),
        zero_shot.confusion(scores, truth),
    )
