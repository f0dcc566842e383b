"""What can be done to a query, or to a sound's score, without training: the part `queryside` of
`evaluate`.

Each way is measured on the same questions of the hold-out, with the 95 % interval of its difference
from the prompt alone, text by text. What a way needs beside the query is made of texts of training
(class wordings, kinds that are not held out) and of sounds of training, never of the questions.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO
from scripts.mini.kinds import read_kinds
from scripts.mini.label import Store, open_store
from scripts.mini.metrics import average_precisions, mean_interval
from scripts.mini.teacher import labels
from scripts.mini.texts import TEMPLATES, class_texts
from scripts.mini.wording import TRIALS, Sounds

if TYPE_CHECKING:
    from scripts.mini.bundle import Bundle
    from scripts.mini.evaluate import Trial

FRAMES = ("{}", *TEMPLATES)
MIXTURES_AT_ONCE = 1024
BANK = 500  # texts that say what a text usually scores
NEAREST = 25  # of them, to say how near a sound is to texts whatever they are
Frame = Callable[[list[str], str], np.ndarray]


@dataclass(frozen=True)
class Question:
    """`texts` to find `sounds` by; `relevant` (sounds, texts)."""

    name: str
    texts: list[str]
    sounds: Sounds
    relevant: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


@dataclass(frozen=True)
class Query:
    """How texts are put: `frame` embeds them (texts, 512) in a template; `prompt` is the bundle's;
    `bank` (`BANK`, 512) and `library` (m, 512) are vectors of training's texts in it, `usual`
    (n, 512) sounds of training."""

    frame: Frame
    prompt: str
    bank: np.ndarray
    library: np.ndarray
    usual: np.ndarray

    def plain(self, texts: list[str]) -> np.ndarray:
        return self.frame(texts, self.prompt)

    def in_frames(self, texts: list[str], frames: tuple[str, ...]) -> np.ndarray:
        """The mean over templates."""
        return unit(np.mean([self.frame(texts, frame) for frame in frames], axis=0))

    def centred(self, texts: list[str], share: float) -> np.ndarray:
        """Away from the mean of texts."""
        return unit(self.plain(texts) - share * self.bank.mean(0))

    def explained(self, texts: list[str], share: float, count: int = 5) -> np.ndarray:
        """Drawn towards the nearest texts of training."""
        own = self.plain(texts)
        near = np.argsort(-(own @ self.library.T), axis=1)[:, :count]
        return unit((1 - share) * own + share * self.library[near].mean(1))

    def standard(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(mean, deviation) of what each text scores sounds of training."""
        scores = self.usual @ self.plain(texts).T
        return scores.mean(0), scores.std(0)

    def hubness(self, sounds: Sounds) -> np.ndarray:
        """(sounds, 1): the mean over the texts of the bank that each is nearest to."""
        return np.sort(sounds.scores(self.bank), axis=1)[:, -NEAREST:].mean(1, keepdims=True)


def ways(query: Query) -> Iterator[tuple[str, Callable[[Question], np.ndarray]]]:
    """(name, question -> scores (sounds, texts))."""

    def by(vectors: Callable[[list[str]], np.ndarray]) -> Callable[[Question], np.ndarray]:
        return lambda question: question.sounds.scores(vectors(question.texts))

    def standardised(question: Question) -> np.ndarray:
        mean, deviation = query.standard(question.texts)
        return np.asarray((by(query.plain)(question) - mean) / deviation)

    def less_mean(question: Question) -> np.ndarray:
        return np.asarray(by(query.plain)(question) - query.standard(question.texts)[0])

    def corrected(share: float) -> Callable[[Question], np.ndarray]:
        return lambda q: by(query.plain)(q) - share * query.hubness(q.sounds)

    yield "prompt", by(query.plain)
    yield "label alone", by(partial(query.in_frames, frames=("{}",)))
    yield "mean of label and prompt", by(partial(query.in_frames, frames=("{}", query.prompt)))
    yield f"mean of {len(FRAMES)} prompts", by(partial(query.in_frames, frames=FRAMES))
    for share in (0.25, 0.5, 1.0):
        yield f"less {share} of the mean text", by(partial(query.centred, share=share))
    yield "less what it usually scores", less_mean
    yield "in deviations from what it usually scores", standardised
    for share in (0.25, 0.5):
        yield f"hubs, {share}", corrected(share)
    for share in (0.25, 0.5):
        yield f"{share} of the 5 nearest texts", by(partial(query.explained, share=share))


def figures(
    question: Question, scores: np.ndarray, before: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Figures of one way, and the differences from those of the first, kept in `before`."""
    relevant = question.relevant
    top = np.argsort(-scores, axis=0, kind="stable")[:3]
    hits = np.take_along_axis(relevant, top, axis=0)
    kept = relevant.any(1)
    values = {
        "map": average_precisions(scores, relevant),
        "first": hits[0].astype(float),
        "three": hits.any(0).astype(float),
        "top1": relevant[kept][np.arange(int(kept.sum())), scores[kept].argmax(1)].astype(float),
    }
    result: dict[str, Any] = {}
    for name in ("map", "top1") if question.name == "classes" else ("map", "first", "three"):
        result[name] = round(float(values[name].mean()), 4)
        first = before.setdefault(f"{question.name} {name}", values[name])
        if first is not values[name]:
            low, high = mean_interval(values[name] - first)
            result[f"{name}_difference"] = [round(low, 4), round(high, 4)]
    return result


def short_questions(corpus: Sounds, samples: Sounds) -> list[Question]:
    """The queries of `trials/queries.csv`, by where their answers lie."""
    with (TRIALS / "queries.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    questions = []
    for name, sounds in (("corpus", corpus), ("samples", samples)):
        mine = [row for row in rows if row["set"] == name]
        kinds = [r["kind"] if name == "corpus" else f"^{re.escape(r['kind'])}$" for r in mine]
        relevant = np.array([[bool(re.search(kind, n)) for kind in kinds] for n in sounds.names])
        questions.append(Question(f"queries, {name}", [r["query"] for r in mine], sounds, relevant))
    return questions


def compare(questions: list[Question], query: Query) -> list[dict[str, Any]]:
    """A row for each way."""
    before: dict[str, np.ndarray] = {}
    rows = []
    for name, score in ways(query):
        row: dict[str, Any] = {"what": "query side", "way": name}
        for question in questions:
            row[question.name] = figures(question, score(question), before)
        rows.append(row)
    return rows


def make_query(
    frame: Frame, prompt: str, wordings: list[list[str]], names: list[str], usual: np.ndarray
) -> Query:
    """`wordings` are those of the classes, `usual` sounds of training (n, 512)."""
    rng = np.random.default_rng(11)
    pool = [text for texts in wordings for text in texts[1:5]]
    bank = frame([str(text) for text in rng.choice(pool, BANK, replace=False)], prompt)
    kinds = [text for kind in read_kinds(names) if not kind.held for text in kind.texts]
    return Query(frame, prompt, bank, frame([*pool, *kinds], prompt), usual)


def embed_mixtures(bundle: Bundle, store: Store, rows: np.ndarray) -> np.ndarray:
    """(rows, 512): labelled mixtures as the bundle hears them. Their decibels take 128 kB each, so that
    not all are in memory at once."""
    vectors = []
    for first in range(0, len(rows), MIXTURES_AT_ONCE):
        part = store.mel[rows[first : first + MIXTURES_AT_ONCE]].astype(np.float32)
        vectors.append(bundle.embed_decibels(np.maximum(part * BYTE_STEP + BYTE_ZERO, -100)))
    return np.concatenate(vectors)


def questions_of(trial: Trial) -> list[Question]:
    """Captions, class names and short queries, with the sounds of the hold-out."""
    from scripts.mini.wording_parts import sample_sounds, sounds_of

    store = open_store(trial.work)
    held = store.rows(2)
    heard = np.asarray(store.logits)[held].astype(np.float32) > 0
    mixtures = Sounds(
        embed_mixtures(trial.bundle, store, held), np.arange(len(held)), [""] * len(held)
    )
    corpus = sounds_of(
        [trial.bundle.embed_sound(trial.wave(clip)) for clip in trial.clips],
        [clip.caption for clip in trial.clips],
    )
    classes = [name.lower() for name in labels(trial.shared)]
    return [
        Question("captions", trial.captions, corpus, trial.relevant),
        Question("classes", classes, mixtures, heard),
        *short_questions(corpus, sample_sounds(trial.bundle)),
    ]


def queryside_part(trial: Trial) -> list[dict[str, Any]]:
    store = open_store(trial.work)
    learnt = np.random.default_rng(5).permutation(store.rows(1))[:2000]
    query = make_query(
        trial.bundle.embed_texts,
        trial.bundle.facts["query_template"],
        class_texts(trial.shared),
        labels(trial.shared),
        embed_mixtures(trial.bundle, store, np.sort(learnt)),
    )
    return compare(questions_of(trial), query)
