"""Make `tests/data/library-VERSION.zip`: a library that this version writes, for later versions to
open.

Run it once, in a checkout of that version, before the next version: nobody makes the file again.
The zip holds `sounds/`, `library/` and `answers.json`, which has the answers of the version itself.
Times of files are whole seconds, since a zip keeps no finer times. The library's only root is the
place of `sounds/` at that time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audiosearch import Library, __version__

RATE = 8_000
TIME = 1_600_000_000
TEXTS = ("a high beep", "a low hum", "noise of a waterfall", "knocking")


def sounds() -> dict[str, np.ndarray]:
    """Return (samples,) float32 of each sound, by name."""
    rng = np.random.default_rng(1)
    seconds = np.arange(RATE) / RATE
    knocks = rng.normal(0, 0.3, RATE) * (seconds % 0.25 < 0.02)
    noise = rng.normal(0, 0.1, RATE // 2)
    made = {
        "beep.wav": 0.3 * np.sin(2 * np.pi * 2_000 * seconds[: RATE // 2]),
        "deep/hum.flac": 0.3 * np.sin(2 * np.pi * 90 * seconds),
        "deep/knöcks.flac": knocks,
        "noise.wav": noise,
        "noise again.wav": noise,  # a copy
        "long.flac": 0.2 * np.sin(2 * np.pi * 440 * np.arange(RATE * 8) / RATE),  # three windows
    }
    return {name: samples.astype(np.float32) for name, samples in made.items()}


def answers(library: Library) -> dict[str, Any]:
    """Return the library's answers, by the file's name within `sounds/`."""

    def hits(query: Any, **how: Any) -> list[list[Any]]:
        return [
            [Path(hit.path).name, hit.score, hit.start, hit.end]
            for hit in library.search(query, k=100, **how)
        ]

    vectors = library.embed_text(list(TEXTS))
    (knocks,) = [sound for sound in library.sounds() if sound.external_id == "asset-1"]
    return {
        "texts": {text: hits(text) for text in TEXTS},
        "vectors": [[vector.tolist(), hits(vector)] for vector in vectors],
        "moments": hits(vectors[0], moments=True),
        "tagged": hits(vectors[0], where={"tag": "take=3"}),
        "similar": [[Path(h.path).name, h.score] for h in library.similar(knocks.id)],
        "failures": [[Path(f.path).name, f.kind] for f in library.failures()],
        "status": {"sounds": library.status().sounds, "windows": library.status().windows},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("into", type=Path, help="the folder for the zip")
    into = parser.parse_args().into
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        for name, samples in sounds().items():
            (work / "sounds" / name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(work / "sounds" / name, samples, RATE)
        (work / "sounds" / "broken.wav").write_bytes(b"no sound")
        for path in (work / "sounds").rglob("*"):
            os.utime(path, (TIME, TIME))
        with Library.open(work / "library", create=True) as library:
            library.add(work / "sounds")
            library.add(
                work / "sounds" / "deep" / "knöcks.flac",
                external_id="asset-1",
                metadata={"take": "3", "room": "küche"},
            )
            results = answers(library)
        (work / "answers.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        shutil.rmtree(work / "library" / "peaks", ignore_errors=True)
        with zipfile.ZipFile(
            into / f"library-{__version__}.zip", "w", zipfile.ZIP_DEFLATED
        ) as packed:
            for path in sorted(work.rglob("*")):
                if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock")):
                    packed.write(path, path.relative_to(work))
    print(into / f"library-{__version__}.zip")


if __name__ == "__main__":
    main()
