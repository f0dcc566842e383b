"""The speed of indexing with a full-size CLAP, beside the simplest loop.

`python -m scripts.bench.clap` makes a checkpoint of the architecture of laion/clap-htsat-unfused
with random weights (speed does not depend on them), compiles it, and runs in turn over the same
ten-second files: the loop (soundfile, `ClapProcessor`, `ClapModel`, fp32, batches of 8), and
`Library.add`. Models are loaded beforehand. The time of `add` includes the start of its processes,
each with a tower. The script needs the extra `clap`, and no network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from scripts.bench import measure
from scripts.bench.indexing import pieces
from scripts.random_checkpoint import FULL, make

RATE = 48_000
BATCH = 8


def naive(files: list[Path], clap, processor) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return (files, 512) unit vectors."""
    import torch

    batches = []
    for first in range(0, len(files), BATCH):
        sounds = [soundfile.read(f, dtype="float32")[0] for f in files[first : first + BATCH]]
        inputs = processor(audio=sounds, sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            batches.append(clap.get_audio_features(**inputs).pooler_output.numpy())
    vectors = np.concatenate(batches)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "fp32"], default="auto")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["AUDIOSEARCH_CACHE"] = str(work / "cache")
        from transformers import ClapModel, ClapProcessor

        from audiosearch import Library
        from audiosearch.models.compile import compile_checkpoint
        from audiosearch.models.registry import load_model

        make(work / "clap", FULL)
        steps: list[str] = []
        bundle = compile_checkpoint(
            str(work / "clap"), precision=args.precision, on_progress=steps.append
        )
        model = load_model(bundle.name)
        clap = ClapModel.from_pretrained(work / "clap").eval()
        processor = ClapProcessor.from_pretrained(work / "clap")
        base, files = pieces(), []
        (work / "sounds").mkdir()
        for number in range(args.files):
            files.append(work / "sounds" / f"{number:03}.wav")
            samples = np.resize(np.roll(base, 7919 * number), 10 * RATE)
            soundfile.write(files[-1], samples, RATE)
        theirs, ours = [], []
        for turn in range(args.rounds):
            began = time.perf_counter()
            expected = naive(files, clap, processor)
            theirs.append(time.perf_counter() - began)
            with Library.open(work / f"library-{turn}", model=model, create=True) as library:
                began = time.perf_counter()
                library.add(work / "sounds")
                ours.append(time.perf_counter() - began)
                by_path = {s.path: s.id for s in library.sounds()}
                got = np.stack(
                    [
                        library.search(v, k=1, where={"path": str(f)})[0].score
                        for f, v in zip(files, expected, strict=True)
                    ]
                )
                assert len(by_path) == len(files)
        print(measure.machine())
        print(f"{bundle.precision}; {steps[-1]}")
        a, b = statistics.median(theirs), statistics.median(ours)
        measure.table(
            ["", "windows/s", "ratio"],
            [
                ["soundfile + ClapProcessor + ClapModel", f"{args.files / a:.1f}", "1"],
                ["audiosearch index", f"{args.files / b:.1f}", f"{a / b:.2f}"],
            ],
        )
        print(f"cosine of the two: least {got.min():.5f}, median {np.median(got):.5f}")


if __name__ == "__main__":
    main()
