"""Measure a bundle: what the model card quotes, as JSON lines.

`python -m scripts.mini.evaluate --shared ../shared --work DIR --bundle DIR WHAT...` with WHAT among

    holdout    retrieval by caption of corpus clips that training never heard, and agreement with
               the teacher on mixtures
    templates  the same for each wording of a query: what `query_template` is chosen by
    windows    1 s events in 60 s of ambience, for windows and hops: what `window_seconds` and
               `hop_seconds` are chosen by
    robust     level, sampling rate and length
    hubs       k-occurrence of sounds, noise and near-silence over 200 queries, before and after a
               correction
    queries    short queries: first hits, hits within the first three, k-occurrence
    rewordings spread of a query's vector over its wordings
    unseen     kinds of sounds that training never read of
    queryside  what can be done to a query or a score without training
    speed      one thread, features apart
    esc10      ESC-10: reported, never chosen by
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.mini.bundle import Bundle
from scripts.mini.corpus import RATE, Clip, decode, open_corpus, read_groups, split
from scripts.mini.frontend import BYTE_STEP, BYTE_ZERO
from scripts.mini.label import open_store
from scripts.mini.metrics import (
    accuracy,
    average_precisions,
    interval,
    mean_average_precision,
    mean_interval,
    occurrences,
    recall_at,
    skewness,
)
from scripts.mini.queryside import queryside_part
from scripts.mini.teacher import labels
from scripts.mini.texts import class_texts
from scripts.mini.wording_parts import queries_part, rewordings_part, unseen_part

QUERY_FRAMES = ("{}", "the sound of {}", "this is a sound of {}", "i can hear {}")
PER_GROUP = 3  # takes of one sound beyond these say little


class Trial:
    """A bundle and the held-out clips, embedded once."""

    def __init__(self, shared: Path, work: Path, bundle: Bundle, excluded: set[str]) -> None:
        self.shared, self.work, self.bundle = shared, work, bundle
        self.all_clips, self.samples = open_corpus(work)
        _, held = split(self.all_clips, excluded)
        seen: dict[str, int] = {}
        self.clips: list[Clip] = []
        for index in held:
            clip = self.all_clips[index]
            seen[clip.group] = seen.get(clip.group, 0) + 1
            if seen[clip.group] <= PER_GROUP:
                self.clips.append(clip)
        self.captions = sorted({clip.caption for clip in self.clips})
        self.relevant = np.array(
            [[clip.caption == caption for caption in self.captions] for clip in self.clips]
        )
        self.caption_vectors = bundle.embed_texts(self.captions)

    def wave(self, clip: Clip) -> np.ndarray:
        return self.samples[clip.start : clip.start + clip.length].astype(np.float32) / 32768

    def best(self, wave: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """(texts,) cosine of the best window."""
        return np.asarray((self.bundle.embed_sound(wave) @ texts.T).max(0))


def figures(scores: np.ndarray, relevant: np.ndarray) -> dict[str, Any]:
    return {
        "map": round(mean_average_precision(scores, relevant), 4),
        "recall@1": round(recall_at(scores, relevant, 1), 4),
        "recall@10": round(recall_at(scores, relevant, 10), 4),
    }


def holdout(trial: Trial) -> list[dict[str, Any]]:
    texts = trial.caption_vectors
    scores = np.array([trial.best(trial.wave(clip), texts) for clip in trial.clips])
    low, high = mean_interval(average_precisions(scores, trial.relevant))
    found: dict[str, Any] = {"what": "holdout captions", **figures(scores, trial.relevant)}
    found |= {"map_interval": [round(low, 4), round(high, 4)]}
    found |= {"caption_of_sound": round(accuracy(scores, trial.relevant), 4)}
    found |= {"sounds": len(scores), "texts": len(texts)}
    return [found, *templates(trial, ("{}",))]


def templates(trial: Trial, frames: tuple[str, ...] = QUERY_FRAMES) -> list[dict[str, Any]]:
    """Class names on held-out mixtures: relevant where the teacher is surer than one half; and
    captions."""
    store = open_store(trial.work)
    rows = store.rows(2)
    names = labels(trial.shared)
    heard = np.asarray(store.logits)[rows].astype(np.float32) > 0  # probability above one half
    decibels = np.asarray(store.mel)[rows].astype(np.float32) * BYTE_STEP + BYTE_ZERO
    sounds = trial.bundle.embed_decibels(np.maximum(decibels, -100))
    short = [texts[1].lower() for texts in class_texts(trial.shared)]
    kept = heard.any(1)
    clip_windows = [trial.bundle.embed_sound(trial.wave(clip)) for clip in trial.clips]
    results = []
    every: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def measure(name: str, by: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Any]:
        captions = np.array([(w @ by[2].T).max(0) for w in clip_windows])
        by_name, by_text = sounds @ by[0].T, sounds @ by[1].T
        return {
            "what": "template",
            "template": name,
            "class_map": round(mean_average_precision(by_name, heard), 4),
            "class_top1": round(accuracy(by_name[kept], heard[kept]), 4),
            "short_text_map": round(mean_average_precision(by_text, heard), 4),
            "caption_map": round(mean_average_precision(captions, trial.relevant), 4),
        }

    for frame in frames:
        texts = (
            trial.bundle.embed_texts([name.lower() for name in names], frame),
            trial.bundle.embed_texts(short, frame),
            trial.bundle.embed_texts(trial.captions, frame),
        )
        every.append(texts)
        results.append(measure(frame, texts))
    if len(frames) > 1:
        means = [sum(parts) for parts in zip(*every, strict=True)]
        whole = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in means]
        results.append(measure("mean of all", (whole[0], whole[1], whole[2])))
    return results


def windows(trial: Trial, files: int = 60) -> list[dict[str, Any]]:
    """Each file: 60 s of a held-out ambience and one 1 s event 10 dB above it; each query: an
    event's caption."""
    rng = np.random.default_rng(7)
    calm = ("ambience", "weather", "water", "wind")
    beds = [c for c in trial.clips if c.length > 8 * RATE and any(w in c.tags for w in calm)]
    taken: set[str] = set()
    events: list[Clip] = []
    for clip in rng.permutation(np.array(trial.clips, dtype=object)):
        if 0.4 * RATE < clip.length < 3 * RATE and clip.caption not in taken:
            taken.add(clip.caption)
            events.append(clip)
    events = events[:files]
    texts = trial.bundle.embed_texts([clip.caption for clip in events])
    places, sounds = [], []
    for clip in events:
        bed = np.resize(trial.wave(beds[rng.integers(len(beds))]), 60 * RATE).copy()
        event = trial.wave(clip)[:RATE]
        event = event * (np.sqrt(np.mean(bed**2)) / np.sqrt(np.mean(event**2)) * 10**0.5)
        start = int(rng.integers(0, 59 * RATE))
        bed[start : start + len(event)] += event
        places.append((start / RATE, (start + len(event)) / RATE))
        sounds.append(bed / np.abs(bed).max())
    results = []
    for seconds in (1.0, 2.5, 5.0, 10.0):
        for part in (0.5, 1.0):
            hop = seconds * part
            vectors = [trial.bundle.embed_sound(sound, seconds, hop) for sound in sounds]
            scores = np.array([(v @ texts.T).max(0) for v in vectors])
            hits = 0
            for index, ((begun, over), v) in enumerate(zip(places, vectors, strict=True)):
                top = int((v @ texts[index]).argmax())
                begin = min(top * hop, 60 - seconds)
                hits += begin < over and begin + seconds > begun
            row: dict[str, Any] = {"what": "windows", "seconds": seconds, "hop": hop}
            row |= figures(scores, np.eye(len(texts), dtype=bool))
            # The part of 60 s that windows cover by chance, beside what was found.
            row |= {"located": round(hits / len(texts), 3), "chance": round((seconds + 1) / 60, 3)}
            row |= {"windows_a_minute": len(vectors[0])}
            clip_scores = [
                (
                    trial.bundle.embed_sound(trial.wave(c), seconds, hop) @ trial.caption_vectors.T
                ).max(0)
                for c in trial.clips
            ]
            row |= {"clip_map": figures(np.array(clip_scores), trial.relevant)["map"]}
            results.append(row)
    return results


def robust(trial: Trial) -> list[dict[str, Any]]:
    import soxr

    def quieter(decibels: float) -> Callable[[np.ndarray], np.ndarray]:
        """As a 16-bit file would hold it."""
        return lambda wave: np.rint(wave * 10 ** (decibels / 20) * 32768).astype(np.float32) / 32768

    def through(rate: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda wave: soxr.resample(soxr.resample(wave, RATE, rate), rate, RATE)

    def middle(seconds: float) -> Callable[[np.ndarray], np.ndarray]:
        def cut(wave: np.ndarray) -> np.ndarray:
            size = round(seconds * RATE)
            loudest = int(np.abs(wave).argmax())
            start = min(max(0, loudest - size // 2), max(0, len(wave) - size))
            return wave[start : start + size]

        return cut

    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {"as it is": lambda wave: wave}
    changes |= {f"{level} dB": quieter(level) for level in (-20.0, -40.0, -60.0)}
    changes |= {f"{rate} Hz": through(rate) for rate in (8000, 11_025, 16_000, 48_000, 192_000)}
    changes |= {f"{length} s": middle(length) for length in (0.1, 0.5, 1.0, 2.0)}
    texts = trial.caption_vectors
    results: list[dict[str, Any]] = []
    original: list[np.ndarray] = []
    for name, change in changes.items():
        vectors = []
        for clip in trial.clips:
            wave = change(trial.wave(clip)).astype(np.float32)
            vectors.append(trial.bundle.embed_sound(wave))
        if not original:
            original = vectors
        same = [float((a @ b.T).max(1).mean()) for a, b in zip(original, vectors, strict=True)]
        scores = np.array([(v @ texts.T).max(0) for v in vectors])
        row = {"what": "robust", "change": name, "cosine": round(float(np.mean(same)), 3)}
        results.append(row | figures(scores, trial.relevant))
    return results


def hubs(trial: Trial) -> list[dict[str, Any]]:
    """Held-out clips and 30 sounds of nothing (noise of four colours, hum, near-silence) under 200
    queries."""
    rng = np.random.default_rng(11)
    nothing = []
    for index in range(30):
        spectrum = np.fft.rfft(rng.standard_normal(5 * RATE))
        hertz = np.maximum(np.fft.rfftfreq(5 * RATE, 1 / RATE), 20)
        noise = np.fft.irfft(spectrum * hertz ** -(index % 4 / 2))
        level = 10 ** ((-3, -30, -75)[index % 3] / 20)
        nothing.append((noise / np.abs(noise).max() * level).astype(np.float32))
    vectors = [trial.bundle.embed_sound(trial.wave(clip)) for clip in trial.clips]
    vectors += [trial.bundle.embed_sound(wave) for wave in nothing]
    pool = [text for texts in class_texts(trial.shared) for text in texts[1:5]]
    queries = trial.bundle.embed_texts([str(q) for q in rng.choice(pool, 200, replace=False)])
    bank = trial.bundle.embed_texts([str(q) for q in rng.choice(pool, 500, replace=False)])
    scores = np.array([(v @ queries.T).max(0) for v in vectors])
    usual = np.array([np.sort((v @ bank.T).max(0))[-25:].mean() for v in vectors])[:, None]
    captions = np.array([(v @ trial.caption_vectors.T).max(0) for v in vectors[: len(trial.clips)]])
    results = []
    for strength in (0.0, 0.25, 0.5):
        counts = occurrences(scores - strength * usual)
        corrected = captions - strength * usual[: len(captions)]
        results.append(
            {
                "what": "hubs",
                "correction": strength,
                "skew": round(skewness(counts), 3),
                "most": int(counts.max()),
                "expected": round(float(counts.mean()), 2),
                "never": round(float((counts == 0).mean()), 3),
                "nothing_in_top10s": int(counts[len(trial.clips) :].sum()),
                "nothing_expected": round(float(counts.mean()) * len(nothing), 1),
                "caption_map": figures(corrected, trial.relevant)["map"],
            }
        )
    return results


def speed(trial: Trial) -> list[dict[str, Any]]:
    def median(call: Callable[[], object], repeats: int = 30) -> float:
        times = []
        for _ in range(repeats + 3):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return round(1000 * float(np.median(times[3:])), 2)

    text = ["a campfire crackles and pops in a quiet night"]
    noise = np.random.default_rng(0).normal(-40, 15, (1, 1000, 64)).astype(np.float32)
    return [
        {
            "what": "speed",
            "threads": 1,
            "text_ms": median(lambda: trial.bundle.embed_texts(text, "{}")),
            "audio_10s_ms": median(lambda: trial.bundle.embed_decibels(noise)),
            "audio_5s_ms": median(lambda: trial.bundle.embed_decibels(noise[:, :500])),
        }
    ]


def esc10(trial: Trial) -> list[dict[str, Any]]:
    root = trial.shared / "data" / "esc10"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    classes = sorted({row["label"] for row in rows})
    relevant = np.array([[row["label"] == name for name in classes] for row in rows])
    waves = [decode(root / row["file"]).astype(np.float32) / 32768 for row in rows]
    vectors = [trial.bundle.embed_sound(wave) for wave in waves]
    results = []
    for frame in (trial.bundle.facts["query_template"], "{}"):
        texts = trial.bundle.embed_texts(classes, frame)
        scores = np.array([(v @ texts.T).max(0) for v in vectors])
        row: dict[str, Any] = {"what": "esc10", "template": frame, "sounds": len(scores)}
        for name, figure in (("zero_shot", accuracy), ("map", mean_average_precision)):
            low, high = interval(figure, scores, relevant)
            row[name] = round(figure(scores, relevant), 4)
            row[f"{name}_interval"] = [round(low, 3), round(high, 3)]
        row["precision@1"] = round(recall_at(scores, relevant, 1), 3)
        results.append(row)
    return results


PARTS: dict[str, Callable[[Trial], list[dict[str, Any]]]] = {
    "holdout": holdout,
    "templates": templates,
    "windows": windows,
    "robust": robust,
    "hubs": hubs,
    "queries": queries_part,
    "rewordings": rewordings_part,
    "unseen": unseen_part,
    "queryside": queryside_part,
    "speed": speed,
    "esc10": esc10,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, action="append", default=[], help="groups left out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("what", nargs="+", choices=list(PARTS))
    args = parser.parse_args()
    excluded: set[str] = set().union(*(read_groups(path) for path in args.exclude))
    trial = Trial(args.shared, args.work, Bundle(args.bundle, args.threads), excluded)
    for name in args.what:
        for row in PARTS[name](trial):
            print(json.dumps({"model": trial.bundle.facts["name"]} | row), flush=True)


if __name__ == "__main__":
    main()
