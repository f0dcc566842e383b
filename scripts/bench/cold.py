"""The time of a cold query: the installed command as a whole process, beside the simplest script.

`python -m scripts.bench.cold --sounds 100000` makes a library of that many synthetic sounds, and a
full-size CLAP checkpoint with random weights for the script that is compared with: ten lines that
load `ClapModel` and `ClapProcessor` with transformers, encode the sentence, and search the same
vectors with NumPy. The two run in turn; the figures are medians. The benchmark needs the extra
`clap`. `--words -L LIBRARY` compares words beside sound with sound alone instead, in a library that
`make_library` made, by processor time too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from audiosearch import Library
from scripts.bench import measure
from scripts.bench.make_library import make
from scripts.figures import COMMAND
from scripts.random_checkpoint import FULL
from scripts.random_checkpoint import make as make_checkpoint

NAIVE = """
import sys
import numpy as np
import torch
from transformers import ClapModel, ClapProcessor

model = ClapModel.from_pretrained(sys.argv[1])
processor = ClapProcessor.from_pretrained(sys.argv[1])
vectors = np.load(sys.argv[2])["vector"]
with torch.no_grad():
    tokens = processor(text=[sys.argv[3]], return_tensors="pt")
    query = model.get_text_features(**tokens).pooler_output[0].numpy()
print(np.argsort(-(vectors @ (query / np.linalg.norm(query))))[:10])
"""
SENTENCE = "campfire crackling"


def words_beside_sound(library: Path, rounds: int) -> None:
    """Print the time of a cold query that searches words too, beside one of sound alone."""
    matches = ("sound", "both")
    seconds: dict[str, list[tuple[float, float]]] = {match: [] for match in matches}
    for _ in range(rounds):
        for match in matches:
            before, began = os.times(), time.perf_counter()
            subprocess.run(
                [COMMAND, "query", "-L", library, SENTENCE, "--match", match],
                check=True,
                capture_output=True,
            )
            wall, after = time.perf_counter() - began, os.times()
            used = after.children_user + after.children_system
            used -= before.children_user + before.children_system
            seconds[match].append((used, wall))
    sound, both = (np.array(seconds[match]) for match in matches)
    # Each round's ratio: other work on the machine disturbs neighbours alike.
    ratios = np.median(both / sound, axis=0)
    rows = [
        [f"--match {match}", *(f"{s:.3f}" for s in np.median(own, axis=0))]
        for match, own in zip(matches, (sound, both), strict=True)
    ]
    measure.table(
        ["", "processor, s", "wall, s"], [*rows, ["ratio", *(f"{ratio:.3f}" for ratio in ratios)]]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--words", action="store_true", help="compare with sound alone")
    parser.add_argument("-L", "--library", type=Path, help="for --words")
    args = parser.parse_args()
    if args.words:
        if args.library is None:
            parser.error("--words needs -L LIBRARY: make one with scripts.bench.make_library")
        print(measure.machine())
        words_beside_sound(args.library, args.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work / "library", args.sounds, 1)
        make_checkpoint(work / "clap", FULL)
        with Library.open(work / "library") as library:
            library.export(work / "vectors.npz")
        ours = [COMMAND, "query", "-L", work / "library", SENTENCE]
        naive = [sys.executable, "-c", NAIVE, work / "clap", work / "vectors.npz", SENTENCE]
        python = [sys.executable, "-c", "import onnxruntime, faiss, sqlalchemy"]

        calls = [
            partial(subprocess.run, command, check=True, capture_output=True)
            for command in (ours, naive, python)
        ]
        medians = [statistics.median(t) for t in measure.times(calls, args.rounds)]
    print(measure.machine())
    names = ("audiosearch query", "transformers script", "imports of the former alone")
    measure.table(
        ["", "median, s", "ratio"],
        [
            [n, f"{s:.2f}", f"{s / medians[0]:.1f}"]
            for n, s in zip(names, np.array(medians), strict=True)
        ],
    )


if __name__ == "__main__":
    main()
