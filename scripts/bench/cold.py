"""The time of a cold query: the installed command as a whole process, beside the simplest script.

`python -m scripts.bench.cold --sounds 100000` makes a library of that many synthetic sounds, and a
full-size CLAP checkpoint with random weights for the script that is compared with: ten lines that
load `ClapModel` and `ClapProcessor` with transformers, encode the sentence, and search the same
vectors with NumPy. The two run in turn; the figures are medians. The benchmark needs the extra
`clap`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
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
