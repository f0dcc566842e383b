"""The speed of the torch tower of a full-size CLAP: windows a second, and the time of each step.

`python -m scripts.bench.gpu` makes a checkpoint of the architecture of laion/clap-htsat-unfused
with random weights, compiles it for a GPU, and times each step of a full batch on the machine's
device (medians of `--rounds`). The benchmark needs the extra `clap`, and no network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.bench import measure
from scripts.bench.indexing import pieces
from scripts.random_checkpoint import FULL, make


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, help="windows at a time [default: the tower's own]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AUDIOSEARCH_CACHE"] = str(Path(folder) / "cache")
        import torch

        from audiosearch.models.compile import compile_checkpoint
        from audiosearch.models.model import Model
        from audiosearch.models.torch_tower import TorchTower, log_mel

        make(Path(folder) / "clap", FULL)
        steps: list[str] = []
        bundle = compile_checkpoint(
            str(Path(folder) / "clap"), precision="bf16", on_progress=steps.append
        )
        tower = TorchTower(bundle, batch=args.batch)
        batch, device = tower._batch, tower.device
        base = pieces()
        windows = np.stack(
            [np.resize(np.roll(base, 7919 * i), bundle.window_samples) for i in range(batch)]
        ).astype(np.float32)

        def timed(step: Callable[[], Any]) -> tuple[Any, float]:
            """Return the output of a step, and its median milliseconds for each window."""
            times = []
            for _ in range(args.rounds + 1):  # the first one warms up
                began = time.perf_counter()
                with torch.inference_mode():
                    output = step()
                if device == "cuda":
                    torch.cuda.synchronize()
                times.append(time.perf_counter() - began)
            return output, 1000 * statistics.median(times[1:]) / batch

        samples, copying = timed(lambda: torch.from_numpy(windows).to(device))
        pictures, front_end = timed(lambda: log_mel(samples, tower._mel, bundle.front_end))
        _, towering = timed(lambda: tower._tower(pictures[:, None]))
        vectors, whole = timed(lambda: tower.embed(windows))
        expected = Model(bundle).embed_audio(windows[:8])
        print(measure.machine())
        name = torch.cuda.get_device_name() if device == "cuda" else "processor"
        print(f"{name}, batch {batch}; {bundle.precision}; {steps[-1]}")
        measure.table(
            ["step", "ms a window"],
            [
                ["samples to the device", f"{copying:.2f}"],
                ["log-mel", f"{front_end:.2f}"],
                ["tower", f"{towering:.2f}"],
                ["all, as the indexer calls it", f"{whole:.2f}"],
            ],
        )
        cosine = (vectors[: len(expected)] * expected).sum(axis=1)
        print(
            f"{1000 / whole:.1f} windows/s; least cosine to ONNX Runtime in fp32 {cosine.min():.5f}"
        )


if __name__ == "__main__":
    main()
