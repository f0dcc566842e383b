"""The picture of a run."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from audiosearch.training.curves import _round_above, curves_svg


@pytest.mark.parametrize(("loss", "top"), [(3.71, 4), (4.0, 4), (0.13, 0.2), (8.1, 10), (95, 100)])
def test_the_scale_is_of_short_numbers(loss: float, top: float) -> None:
    assert _round_above(loss) == pytest.approx(top)


def test_a_long_name_stays_within_the_picture() -> None:
    rows = [{"epoch": 0, "held_out_map": 0.2}, {"epoch": 1, "held_out_map": 0.3, "loss": 3.71}]
    picture = ElementTree.fromstring(curves_svg(rows, 1, f"<run>: from {'long/' * 30}model"))
    texts = [each.text or "" for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0].startswith("…")
    assert texts[0].endswith("long/model")
    assert len(texts[0]) == 78
    assert "4" in texts
    circles = [
        float(c.get("cy", "nan")) for c in picture.iter("{http://www.w3.org/2000/svg}circle")
    ]
    assert circles[0] == pytest.approx(40 + (1 - 3.71 / 4) * 240, abs=0.1)
