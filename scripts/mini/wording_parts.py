"""The parts of `evaluate` that measure wording: `queries`, `rewordings` and `unseen`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.mini.corpus import decode
from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO
from scripts.mini.kinds import read_kinds
from scripts.mini.label import open_store
from scripts.mini.teacher import labels
from scripts.mini.wording import Sounds, rewordings, short_queries, unseen_kinds

if TYPE_CHECKING:
    from scripts.mini.bundle import Bundle
    from scripts.mini.evaluate import Trial

SAMPLES = Path(__file__).parents[2] / "sample_library"


def sounds_of(vectors: list[np.ndarray], names: list[str]) -> Sounds:
    """One sound for each (windows, 512) of `vectors`."""
    owner = np.repeat(np.arange(len(vectors)), [len(windows) for windows in vectors])
    return Sounds(np.concatenate(vectors), owner, names)


def sample_sounds(bundle: Bundle) -> Sounds:
    """sample_library, by kind."""
    with (SAMPLES / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    waves = [decode(SAMPLES / row["file"]).astype(np.float32) / 32768 for row in rows]
    return sounds_of([bundle.embed_sound(wave) for wave in waves], [row["kind"] for row in rows])


def queries_part(trial: Trial) -> list[dict[str, Any]]:
    vectors = [trial.bundle.embed_sound(trial.wave(clip)) for clip in trial.clips]
    corpus = sounds_of(vectors, [clip.caption for clip in trial.clips])
    return [short_queries(trial.bundle.embed_texts, corpus, sample_sounds(trial.bundle))]


def rewordings_part(trial: Trial) -> list[dict[str, Any]]:
    return [rewordings(trial.bundle.embed_texts)]


def unseen_part(trial: Trial) -> list[dict[str, Any]]:
    store = open_store(trial.work)
    rows = store.rows(2)
    decibels = np.asarray(store.mel)[rows].astype(np.float32) * BYTE_STEP + BYTE_ZERO
    sounds = trial.bundle.embed_decibels(np.maximum(decibels, -100))
    names = labels(trial.shared)
    kinds = read_kinds(names)
    logits = np.asarray(store.logits)[rows]
    return [unseen_kinds(trial.bundle.embed_texts, kinds, names, sounds, logits)]
