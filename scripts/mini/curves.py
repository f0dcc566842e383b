"""Draw the losses of the runs, one after another, over the views of all of them.

`python -m scripts.mini.curves --work DIR --runs r1 r2 r3 r4 --to FILE.svg` reads
`DIR/RUN/log.jsonl`. Each loss is drawn as a share of its first value, smoothed over ten lines of
the log; each run in its own shade.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 320, 40, 40
SMOOTHED = 10
# Names as readers know them, and colours that differ in the dark as well.
CURVES = {
    "bce": ("cross-entropy", "#4c78a8"),
    "mse": ("squared error", "#e45756"),
    "over_classes": ("softmax over classes", "#54a24b"),
    "over_batch": ("softmax over the batch", "#b279a2"),
    "to_sound": ("captions to sounds", "#f58518"),
}


def read(work: Path, runs: list[str]) -> tuple[np.ndarray, dict[str, np.ndarray], list[int]]:
    """Views so far (n,), each loss (n,), and where the runs end (numbers of lines)."""
    views: list[float] = []
    losses: dict[str, list[float]] = {name: [] for name in CURVES}
    ends, before = [0], 0.0
    for run in runs:
        lines = (work / run / "log.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        views += [before + row["views"] for row in rows]
        for name, values in losses.items():
            values += [row[name] for row in rows]
        before = views[-1]
        ends.append(len(views))
    return np.array(views), {name: np.array(values) for name, values in losses.items()}, ends


def draw(views: np.ndarray, losses: dict[str, np.ndarray], ends: list[int], runs: list[str]) -> str:
    """The picture as SVG."""
    across = (WIDTH - LEFT - 170) / views[-1]
    # What several runs gain on their first value: from 100 % down to where the lowest ends.
    lowest = 0.9 * min(values.min() / values[0] for values in losses.values())
    # A run that starts from an annealed one rises before it falls.
    highest = max(1.05, *(float((values / values[0]).max()) for values in losses.values()))
    down = (HEIGHT - BOTTOM - 20) / (highest - lowest)

    def place(x: float, y: float) -> str:
        return f"{LEFT + x * across:.1f},{20 + (highest - y) * down:.1f}"

    shown = []
    for number, (name, (label, colour)) in enumerate(CURVES.items()):
        for first, last in pairwise(ends):
            part = losses[name][first:last] / losses[name][0]
            kernel = np.ones(min(SMOOTHED, len(part)))
            smooth = np.convolve(part, kernel, "valid") / len(kernel)
            at = views[first : first + len(smooth)]
            points = " ".join(place(x, y) for x, y in zip(at, smooth, strict=True))
            shown.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            )
        y = 30 + 18 * number
        shown.append(f'<text x="{WIDTH - 160}" y="{y}" fill="{colour}">{escape(label)}</text>')
    for run, last in zip(runs, ends[1:], strict=True):
        x = LEFT + views[last - 1] * across
        shown.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{HEIGHT - BOTTOM}" stroke="#8884"/>'
        )
        shown.append(
            f'<text x="{x - 4:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="end">{escape(run)}</text>'
        )
    for share in np.arange(np.ceil(lowest * 5) / 5, highest, 0.2):
        y = 20 + (highest - share) * down
        shown.append(f'<text x="{LEFT - 6}" y="{y:.1f}" text-anchor="end">{share:.0%}</text>')
    millions = f"{views[-1] / 1e6:.1f} million views"
    shown.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{millions}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#888">{"".join(shown)}</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    views, losses, ends = read(args.work, args.runs)
    args.to.write_text(draw(views, losses, ends, args.runs), encoding="utf-8")


if __name__ == "__main__":
    main()
