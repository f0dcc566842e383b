"""The cost of words beside sound in a running program.

`python -m scripts.bench.words -L LIBRARY` asks a library that `make_library` made (one window a
sound) the short queries and descriptions of sample_library, by sound alone and by both in turn, and
prints medians of processor time. The vectors of the texts are remembered by then. The first time,
the words are new to the program; the second time it remembers which sounds hold them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from audiosearch import Library
from scripts.bench import measure
from scripts.bench.scale import queries


def seconds(library: Library, texts: list[str]) -> np.ndarray:
    """Return (n, 2): the seconds of each text by sound alone, and by both."""
    rows = []
    for text in texts:
        began = time.thread_time()
        library.search(text, match="sound")
        middle = time.thread_time()
        library.search(text, match="both")
        rows.append((middle - began, time.thread_time() - middle))
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-L", "--library", type=Path, required=True)
    args = parser.parse_args()
    texts = queries()
    rows = []
    with Library.open(args.library) as library:
        for text in texts:
            library.search(text, match="sound")
        for name in ("new words", "words asked before"):
            sound, both = 1000 * np.median(seconds(library, texts), axis=0)
            rows.append([name, f"{sound:.1f}", f"{both:.1f}", f"{both - sound:.1f}"])
        sounds = library.status().sounds
    print(f"{measure.machine()}; {sounds} sounds, {len(texts)} queries")
    measure.table(["ms of processor time", "sound", "both", "difference"], rows)


if __name__ == "__main__":
    main()
