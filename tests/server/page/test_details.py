"""The pane of one sound: its pictures, the marked part, what is known of it, and what is like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile

from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.server.page.helpers import (
    HEARD,
    PLAYED,
    drag,
    keys,
    look,
    needs_chromium,
    search,
    until,
)

pytestmark = [needs_chromium, thorough_only]

TITLE = "document.querySelector('#d-name').textContent"
AXIS = "document.querySelector('#d-axis').toDataURL()"


def opened(page: Any, words: str, name: str) -> None:
    """Search, choose the row of a sound, and open its details."""
    search(page, words)
    page.locator("#rows .row", has_text=name).locator(".title").click()
    keys(page, "Enter")
    until(page, f"{TITLE} === argument", name)
    until(page, "document.querySelectorAll('#d-facts dt').length > 3")


def test_what_is_known_of_a_sound(page: Any) -> None:
    opened(page, "water", "flow.mp3")
    facts = dict(
        zip(
            page.locator("#d-facts dt").all_text_contents(),
            page.locator("#d-facts dd").all_text_contents(),
            strict=True,
        )
    )
    assert facts["Originator"] == "mother nature"
    assert facts["Format"].startswith("mp3")
    assert facts["Length"] == "0:01.7"
    assert page.locator("#d-path").text_content() == str(SAMPLES / "water" / "flow.mp3")
    page.click("#d-copy")
    until(page, "document.querySelector('#said').textContent.includes('copied')")
    page.wait_for_selector("#d-similar li")
    page.evaluate("heard.length = 0")
    page.locator("#d-similar .tool").first.click()
    until(page, "heard.length > 0")
    keys(page, "Escape")
    # It follows the list, and the key shuts it.
    page.locator("#hits").focus()
    keys(page, "ArrowDown")
    until(page, f"{TITLE} !== 'flow.mp3'")
    look(page, "details")
    keys(page, "Enter")
    until(page, "document.querySelector('#details').hidden")


def test_zoom(page: Any) -> None:
    opened(page, "dog barking on a rainy evening", "wet-evening.ogg")
    whole = page.evaluate(AXIS)
    page.locator("#d-view").focus()
    keys(page, "+", "+")
    until(page, f"{AXIS} !== argument", whole)
    near = page.evaluate(AXIS)
    keys(page, "ArrowRight")
    until(page, f"{AXIS} !== argument", near)
    keys(page, "-", "-", "-")
    until(page, f"{AXIS} === argument", whole)
    page.locator("#d-wave").hover()
    page.mouse.wheel(0, -300)
    until(page, f"{AXIS} !== argument", whole)


def test_a_marked_part_is_exported(page: Any, tmp_path: Path) -> None:
    opened(page, "dog barking on a rainy evening", "wet-evening.ogg")
    drag(page, "#d-wave", 0.5, 0.6)
    page.wait_for_selector("#d-part .button")
    look(page, "marked-part")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Export wav").click()
    downloading.value.save_as(tmp_path / "part.wav")
    assert abs(soundfile.info(tmp_path / "part.wav").duration - 2.1) < 0.2
    page.get_by_role("button", name="Search by wet-evening").click()
    until(page, "document.querySelectorAll('#terms li').length === 1")
    assert page.evaluate(PLAYED) == "wet-evening.ogg"


def test_moments(page: Any) -> None:
    opened(page, "dog barking", "wet-evening.ogg")
    page.wait_for_selector("#d-moments button")
    page.locator("#d-moments button").first.click()
    until(page, f"{HEARD} && {PLAYED} === argument", "wet-evening.ogg")


def test_spectrogram(page: Any) -> None:
    opened(page, "dog barking on a rainy evening", "wet-evening.ogg")
    colours = """(() => {
        const canvas = document.querySelector('#d-picture');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
        return seen.size;
    })()"""
    until(page, f"{colours} > 50")
    # Closer, it is made anew for what is seen.
    with page.expect_response("**/spectrogram?start=*") as answer:
        page.locator("#d-view").focus()
        keys(page, "+")
    assert float(answer.value.headers["x-end"]) - float(answer.value.headers["x-start"]) < 11
