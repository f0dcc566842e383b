"""What the measuring of loudness adds to indexing: CPU seconds with it and without, in turn.

    python -m scripts.bench.loudness

One process does what a decoding process and its encoder do, for ten minutes of stereo wav and for
60 short files of three formats: decode, mix, resample, log-mel, audio tower of mini.
"""

from __future__ import annotations

import os

# As in a decoding process. It must be set before numpy is loaded.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import statistics
import tempfile
import time
from pathlib import Path

from audiosearch.audio.loudness import LoudnessMeter
from audiosearch.audio.reader import read_windows
from audiosearch.models.frontend import log_mel
from audiosearch.models.model import Model
from audiosearch.models.registry import load_model
from scripts.bench import measure
from scripts.bench.indexing import long_files, short_files

_ROUNDS = 5


def embed(model: Model, files: list[Path], *, measured: bool) -> float:
    """Embed files as indexing does, and return the CPU seconds."""
    began, bundle = time.process_time(), model.bundle
    for file in files:
        meter = LoudnessMeter() if measured else None
        with read_windows(
            file,
            rate=bundle.front_end.sampling_rate,
            length=bundle.window_samples,
            hop=bundle.hop_samples,
            padding=bundle.front_end.padding,
            meter=meter,
        ) as (_, windows):
            for window in windows:
                if not window.silent:
                    model.embed_features(log_mel(window.samples[None], bundle.front_end))
        if meter is not None:
            meter.result()
    return time.process_time() - began


def main() -> None:
    """Print the share for both kinds of files."""
    print(measure.machine())
    model = load_model()
    with tempfile.TemporaryDirectory() as folder:
        long_files(Path(folder) / "long", 1, 10)
        short_files(Path(folder) / "short", 60)
        for kind in ("long", "short"):
            files = sorted((Path(folder) / kind).rglob("*.*"))
            embed(model, files[:1], measured=True)
            pairs = [
                (embed(model, files, measured=False), embed(model, files, measured=True))
                for _ in range(_ROUNDS)
            ]
            share = statistics.median(with_it / without - 1 for without, with_it in pairs)
            seconds = statistics.median(without for without, _ in pairs)
            print(f"{kind}: {seconds:.2f} CPU s without, {100 * share:+.1f} % with loudness")


if __name__ == "__main__":
    main()
