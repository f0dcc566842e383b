"""The curves of a run as SVG: the loss of what is learnt, and mAP@10 of what is held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 320, 50, 50, 40, 40
_TITLE = 78  # characters


def curves_svg(epochs: Sequence[dict[str, float]], best: int, title: str) -> str:
    """Return the picture of rows of the log (see `loop.State`); `best` is the epoch that was kept.

    The loss is read at the left, from 0 up; mAP@10 at the right, from 0 to 1.
    """
    last = max(1, int(epochs[-1]["epoch"]))
    losses = [(row["epoch"], row["loss"]) for row in epochs if "loss" in row]
    most = _round_above(max([loss for _, loss in losses], default=1.0) or 1.0)
    across = (_WIDTH - _LEFT - _RIGHT) / last
    down = _HEIGHT - _TOP - _BOTTOM

    def x(epoch: float) -> float:
        return _LEFT + epoch * across

    def line(points: Sequence[tuple[float, float]], most: float, colour: str, name: str) -> str:
        places = [
            f"{x(epoch):.1f},{_TOP + (1 - value / most) * down:.1f}" for epoch, value in points
        ]
        dots = "".join(
            f'<circle cx="{place.split(",")[0]}" cy="{place.split(",")[1]}" r="2.5" fill="{colour}">'
            f"<title>epoch {epoch:g}: {name} {value:.3f}</title></circle>"
            for place, (epoch, value) in zip(places, points, strict=True)
        )
        path = " ".join(places)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dots}'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="18" font-size="13">{escape(_short(title))}</text>',
        f'<text x="{_LEFT}" y="32" fill="#a33">loss (left)</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="32" text-anchor="end" fill="#1f4e9c">'
        "held-out mAP@10 (right)</text>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _TOP + (1 - share) * down
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#a33">{share * most:g}</text>'
            f'<text x="{_WIDTH - _RIGHT + 6}" y="{y + 4}" fill="#1f4e9c">{share:.2f}</text>'
        )
    step = max(1, -(-last // 10))
    for epoch in range(0, last + 1, step):
        parts.append(
            f'<text x="{x(epoch):.1f}" y="{_HEIGHT - 22}" text-anchor="middle">{epoch}</text>'
        )
    parts.append(
        f'<line x1="{x(best):.1f}" x2="{x(best):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
        f'stroke="#888" stroke-dasharray="4 3"><title>epoch {best} was kept</title></line>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"epoch (kept: {best})</text>"
    )
    parts.append(line(losses, most, "#a33", "loss"))
    held = [(row["epoch"], row["held_out_map"]) for row in epochs]
    parts.append(line(held, 1.0, "#1f4e9c", "mAP@10"))
    return "\n".join([*parts, "</svg>", ""])


def _round_above(value: float) -> float:
    """The nearest number above whose quarters are short: 3.71 gives 4, 0.13 gives 0.2."""
    unit: float = 10.0 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= value)


def _short(title: str) -> str:
    """The title, or its end, as the picture is no wider."""
    return title if len(title) <= _TITLE else f"…{title[1 - _TITLE :]}"
