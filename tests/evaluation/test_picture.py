"""The confusion picture is well-formed, and says what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from audiosearch.evaluation.picture import confusion_svg

SVG = "{http://www.w3.org/2000/svg}"


def test_picture() -> None:
    matrix = np.array([[3, 1], [0, 4]])
    root = ElementTree.fromstring(confusion_svg(matrix, ["dog & cat", "rain"], "mine <1>"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts.count("dog & cat") == 2
    assert [t for t in texts if t and t.isdigit()] == ["3", "1", "4"]
    assert "mine <1>" in texts
    hints = [element.text for element in root.iter(f"{SVG}title")]
    assert "dog & cat as rain: 1" in hints
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= width
        assert float(box.get("y", 0)) + float(box.get("height", 0)) <= height


def test_too_many_classes() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        confusion_svg(np.eye(300), ["x"] * 300, "")
