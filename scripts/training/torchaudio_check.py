"""Make an environment where torchaudio fits torch, run the tests of its augmentations there, and
time them.

`python -m scripts.training.torchaudio_check --env DIR` installs torch 2.9.1 and torchaudio 2.9 (7 GB
on x86-64 Linux, of CUDA for the most part) and this package; an environment that is there is used
again. It is not part of `.ci/run`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PAIR = ["torch==2.9.1", "torchaudio==2.9.*"]
ROOT = Path(__file__).parents[2]

# Processor time a window of 5 s at 32 kHz, on one thread, each the median of nine.
FIGURES = """
import statistics, time
import numpy as np, torch, torchaudio
from audiosearch.training import rooms
from audiosearch.training.augmentation import augment
torch.set_num_threads(1)
window = torch.from_numpy(np.random.default_rng(0).normal(0, .1, 160_000)).float()
draw = lambda: np.random.default_rng(1)
each = {
    "plain (gain, shift, noise, mixing)": lambda: augment(window[None], window[None], [draw()]),
    "speed": lambda: rooms.at_speed(window, 32_000, 1.07),
    "pitch": lambda: rooms.at_pitch(window, 32_000, 2),
    "filter": lambda: rooms.filtered(window, 32_000, .5, .5),
    "room": lambda: rooms.in_room(window, 32_000, .8, draw()),
}
print(f"torch {torch.__version__}, torchaudio {torchaudio.__version__}")
for name, run in each.items():
    times = []
    for _ in range(9):
        began = time.process_time(); run(); times.append(time.process_time() - began)
    print(f"{name}: {1000 * statistics.median(times):.1f} ms")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", type=Path, required=True)
    args = parser.parse_args()
    python = args.env / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", args.env], check=True)
    install = [python, "-m", "pip", "install", "-q"]
    subprocess.run([*install, *PAIR], check=True)
    subprocess.run([*install, *PAIR, "-e", f"{ROOT}[augment,dev]"], check=True)
    tests = ["tests/training/test_rooms.py", "tests/training/test_augmentation.py"]
    done = subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False)
    subprocess.run([python, "-c", FIGURES], cwd=ROOT, check=True)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
