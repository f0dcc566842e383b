"""What the tests of the page share: waiting in the page, typing, and reading what it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SHOTS = os.environ.get("AUDIOSEARCH_SCREENSHOTS")
PAGE_FILES = Path(__file__).parents[3] / "audiosearch" / "server" / "page"

FOCUSED = "document.activeElement.id"
PAUSED = "document.querySelector('#player').paused"
CHOSEN = "(document.querySelector('#rows [aria-selected=true] .name')?.textContent ?? null)"
# A short sound may have ended before anybody looks: what has begun is kept in `heard`.
LISTEN = (
    "window.heard = []; document.addEventListener('playing',"
    " () => heard.push(document.querySelector('#t-name').textContent), true);"
)
HEARD = "heard.includes(argument)"
PLAYED = "(document.querySelector('#rows .loaded .name')?.textContent ?? null)"
SAID = "document.querySelector('#said').textContent"


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium, until the block ends. Sound plays without a click before it, and the microphone beeps."""
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=CHROMIUM,
            timeout=300_000,
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
            ],
        )
        yield opened
        opened.close()


def until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait for a condition in the page. (playwright's own way needs `eval`, which the page's policy
    forbids.)"""
    for _ in range(6_000):
        if page.evaluate(f"argument => {condition}", argument):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {condition} of {argument!r}; {page.evaluate(SAID)}")


def look(page: Any, name: str) -> None:
    """Keep what is seen, where somebody wants to see it."""
    if SHOTS:
        page.wait_for_timeout(600)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def names(page: Any) -> list[str]:
    """The names in the list from its top on, as far as rows are drawn."""
    shown: list[tuple[int, str]] = page.evaluate(
        "[...document.querySelectorAll('#rows .row')].map(row =>"
        " [Number(row.getAttribute('aria-rowindex')), row.querySelector('.name').textContent])"
    )
    return [name for _, name in sorted(shown)]


def search(page: Any, text: str) -> None:
    """Type words, and wait for their rows."""
    page.fill("#q", text)
    until(
        page,
        "new URLSearchParams(location.search).get('q') === argument"
        " && !document.body.classList.contains('busy')"
        f" && {SAID}.includes('best first')",
        text,
    )


def keys(page: Any, *pressed: str) -> None:
    """Press keys, one after the other."""
    for key in pressed:
        page.keyboard.press(key)


def drag(page: Any, selector: str, start: float, end: float) -> None:
    """Drag over the shares `start` to `end` of an element's width."""
    box = page.locator(selector).first.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, middle, steps=4)
    page.mouse.up()
