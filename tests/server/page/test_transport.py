"""The player: one for the page, with loop, speed, volume and matched loudness, all remembered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.effort import thorough_only
from tests.server.page.helpers import (
    HEARD,
    PAUSED,
    PLAYED,
    drag,
    keys,
    look,
    names,
    needs_chromium,
    search,
    until,
)

pytestmark = [needs_chromium, thorough_only]

CURRENT = "document.querySelector('#player').currentTime"


def test_it_shows_what_plays(page: Any) -> None:
    search(page, "dog barking on a rainy evening")
    page.locator(".row", has_text="wet-evening.ogg").locator(".cell.play button").click()
    until(page, f"{HEARD} && {PLAYED} === argument", "wet-evening.ogg")
    assert page.locator("#t-name").text_content() == "wet-evening.ogg"
    until(page, f"{CURRENT} > 0.2")
    until(page, "/^0:..\\.. \\/ 0:21.0$/.test(document.querySelector('#t-time').textContent)")
    # The hit is lit: its colour is in the canvas.
    until(
        page,
        """(() => {
            const canvas = document.querySelector('#t-wave');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            const colours = new Set();
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 3] > 250) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
            }
            return colours.has(0x4fd1a5) && colours.has(0x59636b);
        })()""",
    )
    page.locator("#t-seek").focus()
    keys(page, "End")
    until(page, f"{CURRENT} > 20 || {PAUSED}")
    look(page, "transport")


def test_a_part_is_looped(page: Any) -> None:
    search(page, "dog barking on a rainy evening")
    keys(page, "ArrowDown")
    until(page, f"!{PAUSED}")
    drag(page, "#rows .row[aria-selected=true] canvas", 0.30, 0.34)
    keys(page, "l")
    until(page, "document.querySelector('#t-loop').getAttribute('aria-pressed') === 'true'")
    if page.evaluate(PAUSED):  # it came to its end before the loop
        keys(page, " ")
    page.evaluate(
        "window.turns = 0; window.last = 0; document.querySelector('#player').addEventListener('seeked',"
        " () => { window.turns += 1; })"
    )
    until(page, "window.turns >= 2")
    assert not page.evaluate(PAUSED)
    look(page, "loop")


def test_speed_volume_and_ways_are_remembered(page: Any) -> None:
    search(page, "rain")
    keys(page, "ArrowDown", "]", "g", "n")
    page.locator("#t-volume").fill("0.5")
    until(page, "document.querySelector('#player').playbackRate === 1.25")
    until(page, "document.querySelector('#player').volume === 0.5")
    page.reload()
    until(page, "document.querySelector('#t-speed').value === '1.25'")
    assert page.locator("#t-volume").input_value() == "0.5"
    assert page.locator("#t-level").get_attribute("aria-pressed") == "false"
    assert page.locator("#t-follow").get_attribute("aria-pressed") == "true"
    page.locator("#t-level").focus()
    keys(page, "[")
    until(page, "document.querySelector('#t-speed').value === '1'")


def test_the_buttons_step_through_the_list(page: Any) -> None:
    search(page, "rain")
    order = names(page)
    page.click("#t-next")
    until(page, f"{PLAYED} === argument && {HEARD}", order[0])
    page.click("#t-next")
    until(page, f"{PLAYED} === argument && {HEARD}", order[1])
    page.click("#t-previous")
    until(page, f"{PLAYED} === argument", order[0])
    page.click("#t-play")
    until(page, PAUSED)


def test_searching_by_a_part(page: Any) -> None:
    search(page, "dog barking on a rainy evening")
    row = page.locator(".row", has_text="wet-evening.ogg")
    row.click()
    drag(page, "#rows .row[aria-selected=true] canvas", 0.74, 0.9)
    look(page, "part")
    keys(page, "p")
    page.wait_for_selector("#terms li")
    assert re.search(r"t=%2B%23\d+%4015\.\d+-1[89]", page.url)


def test_what_cannot_be_played_says_why(page: Any) -> None:
    search(page, "rain")
    page.route(
        "**/audio*",
        lambda route: route.fulfill(
            status=404,
            content_type="application/problem+json",
            body='{"type":"about:blank","status":404,"code":"sound-not-found","detail":"its file is gone"}',
        ),
    )
    keys(page, "ArrowDown")
    until(page, "document.querySelector('#t-trouble').textContent.includes('its file is gone')")
    page.unroute("**/audio*")
    page.route("**/audio*", lambda route: route.abort())
    keys(page, "ArrowDown")
    until(page, "document.querySelector('#t-trouble').textContent.includes('does not answer')")


def test_loudness_is_matched_and_nothing_clips(page: Any) -> None:
    hits = page.evaluate("fetch('v1/search?q=water&k=61').then(answer => answer.json())")["hits"]
    measured = {Path(hit["path"]).name: hit for hit in hits if hit["loudness"] is not None}
    search(page, "water")
    shifts = set()
    for name in names(page)[:8]:
        if name not in measured:
            continue
        page.locator("#rows .row", has_text=name).first.locator(".cell.play button").click()
        until(page, f"{PLAYED} === argument", name)
        loudness, peak = measured[name]["loudness"], measured[name]["peak"]
        shift = min(-23 - loudness, -1 - peak)
        shown = page.locator("#t-gain").text_content().replace("−", "-").removesuffix(" dB")
        assert abs(float(shown) - shift) < 0.06
        assert peak + shift <= -1 + 1e-6 or shift <= -23 - loudness
        shifts.add(round(shift, 1))
        keys(page, "Escape")
    assert len(shifts) > 2
    page.click("#t-level")
    assert page.locator("#t-gain").text_content() == ""
