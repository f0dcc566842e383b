"""Choosing sounds: the keys, what they play, and rows that are there only where they are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.server.page.conftest import serving
from tests.server.page.helpers import (
    CHOSEN,
    FOCUSED,
    HEARD,
    PAUSED,
    PLAYED,
    SAID,
    keys,
    look,
    names,
    needs_chromium,
    search,
    until,
)

pytestmark = needs_chromium


def test_search_and_audition_from_the_keyboard(page: Any) -> None:
    look(page, "first-screen")
    page.keyboard.type("campfire crackling")
    until(page, "document.querySelector('#rows .name')?.textContent === 'campfire.ogg'")
    page.keyboard.press("Enter")
    until(page, f"{FOCUSED} === 'hits' && {CHOSEN} === 'campfire.ogg'")
    until(page, f"{HEARD} && {PLAYED} === argument", "campfire.ogg")
    # From where it is heard.
    until(page, "document.querySelector('#player').currentTime > 5.8")
    look(page, "search")
    page.keyboard.press("ArrowDown")
    second = names(page)[1]
    until(page, f"{CHOSEN} === argument && {PLAYED} === argument && {HEARD}", second)
    page.keyboard.press("Escape")
    until(page, PAUSED)
    assert page.evaluate(CHOSEN) == second
    page.keyboard.press("c")
    until(page, f"{SAID}.includes('copied')")
    assert page.evaluate("navigator.clipboard.readText()").startswith(str(SAMPLES))
    page.keyboard.press("/")
    assert page.evaluate(FOCUSED) == "q"


@thorough_only
def test_keys_go_through_the_list(page: Any) -> None:
    search(page, "dog")
    keys(page, "ArrowDown", "j", "j", "k")
    order = names(page)
    until(page, f"{CHOSEN} === argument", order[1])
    keys(page, "PageDown")
    until(page, "document.querySelector('[aria-selected=true]').getAttribute('aria-rowindex') > 10")
    # End leads to the last that is there, and the next ones come by themselves.
    keys(page, "End")
    until(page, "document.querySelector('#hits').getAttribute('aria-rowcount') === '62'")
    keys(page, "End")
    until(
        page,
        "document.querySelector('[aria-selected=true]').getAttribute('aria-rowindex') === '62'",
    )
    assert len(names(page)) < 40  # of 61
    keys(page, "Home")
    until(page, f"{CHOSEN} === argument", order[0])
    keys(page, "ArrowUp")
    assert page.evaluate(FOCUSED) == "q"
    with page.expect_download() as downloading:
        keys(page, "ArrowDown", "d")
    assert downloading.value.suggested_filename == order[0]


@thorough_only
def test_what_is_passed_by_stays_silent(page: Any) -> None:
    search(page, "dog")
    order = names(page)
    page.evaluate(
        "window.played = []; document.querySelector('#player').addEventListener('play',"
        " () => window.played.push(document.querySelector('#t-name').textContent))"
    )
    # As fast as a held key at its fastest: on a slow machine playwright's come so late that each is heard.
    page.evaluate(
        """() => {
            for (let i = 0; i < 6; i += 1) {
                const about = { key: 'ArrowDown', code: 'ArrowDown', bubbles: true, cancelable: true };
                document.activeElement.dispatchEvent(new KeyboardEvent('keydown', about));
            }
        }"""
    )
    until(page, "window.played.length > 0")
    assert page.evaluate("window.played") == [order[5]]
    keys(page, "a")  # no sound by choosing any more
    until(page, f"{SAID}.includes('off')")
    keys(page, "Escape", "ArrowDown")
    until(page, f"{CHOSEN} === argument", order[6])
    page.wait_for_timeout(300)
    assert page.evaluate(PAUSED)
    keys(page, " ")
    until(page, f"{HEARD} && {PLAYED} === argument", order[6])


@thorough_only
def test_more_and_less_leave_focus_and_player_alone(page: Any) -> None:
    search(page, "water")
    keys(page, "ArrowDown")
    first = names(page)[0]
    until(page, f"{HEARD} && {PLAYED} === argument", first)
    keys(page, "m")
    until(page, "document.querySelectorAll('#terms li').length === 1")
    until(page, f"{CHOSEN} === argument", first)
    assert page.evaluate(FOCUSED) == "hits"
    assert page.evaluate(PLAYED) == first
    keys(page, "ArrowDown", "x")
    until(page, "document.querySelectorAll('#terms li').length === 2")
    assert page.evaluate(FOCUSED) == "hits"
    keys(page, "ArrowDown")
    until(page, f"{CHOSEN} !== null")
    look(page, "terms")


@thorough_only
def test_the_next_sound_plays_where_one_ends(page: Any) -> None:
    search(page, "sneeze")
    order = names(page)
    page.click("#t-follow")
    page.evaluate(
        "window.turns = []; document.querySelector('#player').addEventListener('playing', () =>"
        f" window.turns.push([document.querySelector('#t-name').textContent, {CHOSEN}]))"
    )
    page.locator("#hits").focus()
    keys(page, "Home")
    until(page, "window.turns.length >= 2")
    assert page.evaluate("window.turns")[:2] == [[name, name] for name in order[:2]]
    keys(page, "Escape")


@thorough_only
def test_a_laptop_shows_twelve_rows(page: Any) -> None:
    search(page, "rain")
    seen = page.evaluate(
        """() => {
            const { bottom } = document.querySelector('#hits').getBoundingClientRect();
            const top = document.querySelector('#head').getBoundingClientRect().bottom;
            return [...document.querySelectorAll('#rows .row')].filter(row => {
                const box = row.getBoundingClientRect();
                return box.top >= top && box.bottom <= bottom;
            }).length;
        }"""
    )
    assert seen >= 12


@thorough_only
def test_small_waveforms_fill_their_height(page: Any) -> None:
    search(page, "tawny owl at night")
    until(
        page,
        """[...document.querySelectorAll('#rows canvas')].slice(0, 8).every(canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            let [top, bottom] = [height, 0];
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 3] < 200) continue; // the ground of a hit is faint
                const y = Math.floor(i / 4 / width);
                [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
            }
            return bottom - top > height * 0.5;
        })""",
    )


@thorough_only
def test_a_row_can_be_dragged_out(page: Any) -> None:
    search(page, "rain")
    data = page.evaluate(
        """() => {
            const data = new DataTransfer();
            document.querySelector('#rows .row').dispatchEvent(
                new DragEvent('dragstart', { dataTransfer: data, bubbles: true }));
            return Object.fromEntries([...data.types].map(type => [type, data.getData(type)]));
        }"""
    )
    assert data["text/plain"].endswith("downpour.ogg")
    assert "/v1/sounds/" in data["text/uri-list"]
    assert ":downpour.ogg:http" in data["downloadurl"]


@thorough_only
def test_a_long_ranking_ends_without_an_error(tab: Any, tmp_path: Path) -> None:
    from scripts.bench.make_library import make

    make(tmp_path / "library", 1_200, 1)
    with serving(tmp_path / "library") as address:
        tab.goto(address)
        until(tab, f"{SAID} === '1,200 sounds'")
        search(tab, "rain")
        until(tab, f"{SAID}.startsWith('1,200 sound')")
        keys(tab, "ArrowDown", "a")
        rows = 0
        while rows < 1_001:
            keys(tab, "End")
            until(
                tab,
                "Number(document.querySelector('#hits').getAttribute('aria-rowcount')) > argument",
                rows,
            )
            rows = tab.evaluate(
                "Number(document.querySelector('#hits').getAttribute('aria-rowcount'))"
            )
        assert rows == 1_001
        keys(tab, "End")
        until(
            tab,
            "document.querySelector('[aria-selected=true]').getAttribute('aria-rowindex') === '1001'",
        )
        assert tab.locator("#trouble").is_hidden()
        assert tab.evaluate("document.querySelectorAll('#rows .row').length") < 40


@thorough_only
def test_nonsense_is_hinted_at(page: Any) -> None:
    page.fill("#q", "xqzvk blorf")
    until(page, "!document.querySelector('#weak').hidden")
    assert page.locator("#hits").is_hidden()
    look(page, "weak")
    page.click("#anyway")
    until(page, f"{FOCUSED} === 'hits' && {CHOSEN} !== null")
    assert page.locator("#rows .row.weak").count() > 5
    search(page, "campfire crackling")
    assert page.locator("#weak").is_hidden()
    # What fits worse than nonsense is faded.
    assert not page.locator("#rows .row").first.evaluate("row => row.classList.contains('weak')")
    assert page.locator("#rows .row.weak").count() > 5
