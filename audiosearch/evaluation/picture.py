"""A confusion matrix as SVG: a row is a true class, a column is a predicted class."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

_CELL = 22  # pixels
_LETTER = 6.4  # width of a letter at 11 pixels
_LIMIT = 200  # classes; with more, a cell is too small to see


def confusion_svg(matrix: np.ndarray, classes: Sequence[str], title: str) -> str:
    """Return the SVG of `matrix` (classes, classes), which holds counts.

    The shade of a cell, from white to blue, is its share of the row. The diagonal has a frame. A
    cell shows its count, and both names under the pointer.
    """
    if len(classes) > _LIMIT:
        raise ValueError(f"{len(classes)} classes do not fit a picture, {_LIMIT} do")
    margin = round(max(map(len, classes)) * _LETTER) + 16
    side = _CELL * len(classes)
    width, height = margin + side + 16, margin + side + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="18" font-size="13">{escape(title)}</text>',
    ]
    top = margin + 28
    totals = np.maximum(matrix.sum(axis=1), 1)
    for row, name in enumerate(classes):
        y = top + row * _CELL
        parts.append(
            f'<text x="{margin - 6}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
            f'<text transform="translate({margin + row * _CELL + 15},{top - 6}) rotate(-90)">'
            f"{escape(name)}</text>"
        )
        for column, other in enumerate(classes):
            count = int(matrix[row, column])
            hint = f"{name} as {other}: {count}"
            x = margin + column * _CELL
            parts.append(_cell(x, y, count / totals[row], count, hint))
        x = margin + row * _CELL
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="none" stroke="#444"/>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _cell(x: int, y: int, share: float, count: int, hint: str) -> str:
    # The shade runs from white to #1f4e9c; letters are white on a dark ground.
    red, green, blue = (round(255 - share * (255 - full)) for full in (0x1F, 0x4E, 0x9C))
    box = (
        f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" '
        f'fill="rgb({red},{green},{blue})" stroke="#ddd"><title>{escape(hint)}</title></rect>'
    )
    if not count:
        return box
    ink = "#fff" if share > 0.5 else "#222"
    place = f'x="{x + _CELL / 2:g}" y="{y + 15}" text-anchor="middle"'
    return f'{box}<text {place} fill="{ink}">{count}</text>'
