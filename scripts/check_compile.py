"""The check of the compiler: it compares a compiled checkpoint with transformers, on the full
architecture of laion/clap-htsat-unfused with random weights.

    python -m scripts.check_compile [--fusion] [--checkpoint DIR]

The script prints one table: the largest difference of the front end in dB; that of the embeddings,
as a part of the distance between unlike inputs; whether batch and repetition keep the bits; and the
time of a window and of a text beside transformers, on one thread. It exits with 1 where a value
misses its limit. `--checkpoint` compares another checkpoint. The script needs the extra ``clap``, 4
GB of memory and 2 GB of disk for a minute or two.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from audiosearch.models.compile import compile_checkpoint
from audiosearch.models.frontend import log_mel
from audiosearch.models.model import Model
from scripts.random_checkpoint import FULL, TEXTS, make, sounds

DECIBELS = 1e-4
OF_DISTANCE = 1e-3
_RUNS = 7


def main() -> None:
    """Make a checkpoint, compile it, compare the two, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fusion", action="store_true", help="with feature fusion")
    parser.add_argument("--checkpoint", type=Path, help="this one instead of a random one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        os.environ["AUDIOSEARCH_CACHE"] = made
        checkpoint = args.checkpoint or Path(made) / "random"
        if not args.checkpoint:
            make(checkpoint, FULL, fusion=args.fusion)
        begin = time.perf_counter()
        bundle = compile_checkpoint(str(checkpoint), name="checked")
        print(f"compiled in {time.perf_counter() - begin:.0f} s: {bundle.identity}")
        rows = compare(Model(bundle), checkpoint)
    width = max(len(what) for what, _, _ in rows)
    for what, value, limit in rows:
        print(
            f"{what:<{width}}  {value:>10.3g}" + ("" if limit is None else f"  (limit {limit:g})")
        )
    if any(value > limit for _, value, limit in rows if limit is not None):
        sys.exit("a limit is missed")


def compare(model: Model, checkpoint: Path) -> list[tuple[str, float, float | None]]:
    """Return the rows of the table: name, value, limit."""
    import torch
    from transformers import ClapModel, ClapProcessor

    torch.set_num_threads(1)
    clap = ClapModel.from_pretrained(checkpoint).eval()
    processor = ClapProcessor.from_pretrained(checkpoint)
    front_end = model.bundle.front_end
    windows = sounds(model.bundle.window_samples, front_end.sampling_rate)

    def extract(some: np.ndarray) -> Any:
        return processor.feature_extractor(
            list(some), sampling_rate=front_end.sampling_rate, return_tensors="pt"
        )["input_features"]

    def hear(features: Any) -> np.ndarray:
        quiet = torch.zeros((len(features), 1), dtype=torch.bool)
        with torch.no_grad():
            vectors: np.ndarray = clap.get_audio_features(features, quiet).pooler_output.numpy()
        return vectors

    def read(text: str) -> np.ndarray:
        tokens = processor.tokenizer(
            text, truncation=True, max_length=model.bundle.max_tokens, return_tensors="pt"
        )
        with torch.no_grad():
            vectors: np.ndarray = clap.get_text_features(**tokens).pooler_output.numpy()[0]
        return vectors

    features = extract(windows)
    pictures = log_mel(windows, front_end)
    audio, text = hear(features), np.stack([read(text) for text in TEXTS])
    ours, read_by_us = model.embed_audio(windows), model.embed_text(TEXTS)
    eight = windows[np.arange(8) % len(windows)]
    alone = np.stack([model.embed_audio(window[None])[0] for window in eight])
    again = Model(model.bundle).embed_audio(eight)
    one, picture = windows[:1], pictures[:1]
    return [
        (
            "front end, largest difference, dB",
            _largest(pictures - features[:, 0].numpy()),
            DECIBELS,
        ),
        ("unlike sounds, largest cosine", _alike(audio[:4]), None),
        ("sounds, difference / distance of unlike ones", _part(ours, audio), OF_DISTANCE),
        ("unlike texts, largest cosine", _alike(text), None),
        ("texts, difference / distance of unlike ones", _part(read_by_us, text), OF_DISTANCE),
        (
            "batch of 8 against 8 of 1, largest difference",
            _largest(model.embed_audio(eight) - alone),
            0,
        ),
        ("another load, largest difference", _largest(again - alone), 0),
        ("front end of a window, ms", _ms(lambda: log_mel(one, front_end)), None),
        ("  transformers, ms", _ms(lambda: extract(one)), None),
        ("audio tower of a window, ms", _ms(lambda: model.embed_features(picture)), None),
        ("  transformers, ms", _ms(lambda: hear(features[:1])), None),
        ("text, ms", _ms(lambda: model.embed_text(TEXTS[:1])), None),
        ("  transformers, ms", _ms(lambda: read(TEXTS[0])), None),
    ]


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max())


def _alike(vectors: np.ndarray) -> float:
    """Return the largest cosine of two rows."""
    cosines = vectors @ vectors.T
    return float(cosines[~np.eye(len(vectors), dtype=bool)].max())


def _part(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference, divided by the least distance of the first four rows, which
    are unlike.
    """
    apart = np.sqrt(2.0 - 2.0 * _alike(theirs[:4]))
    return float(np.linalg.norm(ours - theirs, axis=1).max() / apart)


def _ms(run: Callable[[], Any]) -> float:
    """Return the median milliseconds of a call, after one call to warm up."""
    run()
    times = []
    for _ in range(_RUNS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return 1e3 * median(times)


if __name__ == "__main__":
    main()
