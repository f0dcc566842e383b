"""A bundle, run as the recipe's evaluation needs it: windows of files to vectors, texts to vectors.

Independent of the package on purpose: a figure of the card that both compute must agree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from scripts.mini.corpus import RATE
from scripts.mini.frontend import student_decibels

TEXTS_AT_ONCE = 64


def windows(wave: np.ndarray, seconds: float, hop: float) -> list[tuple[int, np.ndarray]]:
    """(first sample, window) of exactly `seconds`: a short sound is repeated, the last window ends
    with the sound."""
    size, step = round(seconds * RATE), round(hop * RATE)
    if len(wave) <= size:
        return [(0, np.resize(wave, size))]
    starts = [*range(0, len(wave) - size, step), len(wave) - size]
    return [(start, wave[start : start + size]) for start in starts]


class Bundle:
    """`model.json` and the two graphs of a directory, on one thread unless told otherwise."""

    def __init__(self, root: Path, threads: int = 1) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.facts: dict[str, Any] = json.loads((root / "model.json").read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.audio, self.text = (
            onnxruntime.InferenceSession(
                str(root / name), options, providers=["CPUExecutionProvider"]
            )
            for name in ("audio.onnx", "text.onnx")
        )
        self.tokenizer = Tokenizer.from_file(str(root / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.facts["max_tokens"])

    def embed_texts(self, texts: list[str], template: str | None = None) -> np.ndarray:
        """(texts, 512), each in the template (default: the bundle's).

        Texts of one length share a run, so that nothing is padded: the weights are spread out once
        a run.
        """
        frame = self.facts["query_template"] if template is None else template
        encoded = [self.tokenizer.encode(frame.format(text)).ids for text in texts]
        vectors = np.zeros((len(texts), self.facts["dimension"]), np.float32)
        alike: dict[int, list[int]] = {}
        for index, ids in enumerate(encoded):
            alike.setdefault(len(ids), []).append(index)
        for places in alike.values():
            for start in range(0, len(places), TEXTS_AT_ONCE):
                part = places[start : start + TEXTS_AT_ONCE]
                rows = np.array([encoded[index] for index in part], np.int64)
                inputs = {"input_ids": rows, "attention_mask": np.ones_like(rows)}
                vectors[part] = self.text.run(None, inputs)[0]
        return vectors

    def embed_decibels(self, decibels: np.ndarray) -> np.ndarray:
        """(n, 512) of (n, frames, 64)."""
        parts = [
            self.audio.run(None, {"input_features": decibels[i : i + 8, None]})[0]
            for i in range(0, len(decibels), 8)
        ]
        return np.concatenate(parts)

    def embed_sound(
        self, wave: np.ndarray, seconds: float | None = None, hop: float | None = None
    ) -> np.ndarray:
        """(windows, 512) of a float32 wave at 32 kHz."""
        seconds = seconds or self.facts["window_seconds"]
        hop = hop or self.facts["hop_seconds"]
        cut = [student_decibels(window) for _, window in windows(wave, seconds, hop)]
        return self.embed_decibels(np.stack(cut).astype(np.float32))
