"""Nobody is kept out: axe finds no barrier in any state, and nothing is wider than its screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.effort import THOROUGH, thorough_only
from tests.server.page.helpers import (
    PAGE_FILES,
    keys,
    look,
    needs_chromium,
    search,
    until,
)

pytestmark = needs_chromium

SIZES = [(1280, 800), (390, 844), (2560, 1440)] if THOROUGH else [(390, 844)]
SCHEMES = ["light", "dark"] if THOROUGH else ["light"]


def check(page: Any, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    barriers = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in barriers] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@thorough_only
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_state(page: Any, scheme: str, size: tuple[int, int]) -> None:
    width, height = size
    narrow = width < 900
    name = f"{scheme}-{width}"
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    page.reload()
    until(page, "document.querySelectorAll('#facets details').length > 3")
    look(page, f"first-{name}")
    check(page, width)
    search(page, "rain")
    keys(page, "ArrowDown")
    until(page, "document.querySelector('#rows .loaded') !== null")
    look(page, f"list-{name}")
    check(page, width)
    keys(page, "x")
    until(page, "document.querySelectorAll('#terms li').length === 1")
    search(page, "wind")
    if narrow:
        page.click("#toggle-side")
    page.check('#facets input[name="format"][value="flac"]')
    until(page, "document.querySelectorAll('#chips li').length === 1")
    look(page, f"filters-{name}")
    check(page, width)
    if narrow:
        # Escape stops what plays before it closes a panel; a sound may have ended by itself.
        for _ in range(4):
            if not page.evaluate("document.querySelector('#side').hidden"):
                keys(page, "Escape")
        assert page.evaluate("document.querySelector('#side').hidden")
    page.locator("#hits").focus()
    keys(page, "ArrowDown", "Enter")
    until(page, "document.querySelectorAll('#d-facts dt').length > 3")
    page.wait_for_selector("#d-similar li")
    look(page, f"details-{name}")
    check(page, width)
    keys(page, ",")
    check(page, width)
    keys(page, "Escape", "?")
    check(page, width)


@thorough_only
@pytest.mark.parametrize("scheme", SCHEMES)
def test_rarer_states(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.fill("#q", "xqzvk blorf")
    until(page, "!document.querySelector('#weak').hidden")
    check(page, 1280)
    page.click("#anyway")
    until(page, "document.querySelector('#rows .weak') !== null")
    check(page, 1280)
    page.click("#new-collection")
    page.get_by_label("Name of the collection").fill(f"For {scheme}")
    keys(page, "Enter")
    page.locator("#collections .open", has_text=f"For {scheme}").click()
    until(page, "!document.querySelector('#nothing').hidden")
    check(page, 1280)
    page.get_by_label(f"Delete For {scheme}").click()
    until(page, "document.querySelector('#sure').open")
    check(page, 1280)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.route("**/v1/**", lambda route: route.abort())
    page.fill("#q", "wind")
    until(page, "!document.querySelector('#away').hidden")
    check(page, 1280)


def test_weight() -> None:
    assert sum(file.stat().st_size for file in PAGE_FILES.iterdir()) < 250_000
