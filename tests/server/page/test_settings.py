"""Settings, the help, and the panels; all kept in the browser."""

from __future__ import annotations

from typing import Any

from tests.effort import thorough_only
from tests.server.page.helpers import keys, look, needs_chromium, search, until

pytestmark = [needs_chromium, thorough_only]

GROUND = "getComputedStyle(document.documentElement).backgroundColor"


def test_colours_and_rows(page: Any) -> None:
    search(page, "rain")
    page.locator("#hits").focus()
    dark = page.evaluate(GROUND)
    keys(page, ",")
    until(page, "document.querySelector('#settings').open")
    look(page, "settings")
    page.check('input[name="set-theme"][value="light"]')
    page.check('input[name="set-density"][value="comfortable"]')
    keys(page, "Escape")
    until(page, f"{GROUND} === 'rgb(255, 255, 255)'")
    assert dark != "rgb(255, 255, 255)"
    assert page.locator("#rows .row").first.bounding_box()["height"] == 52
    page.reload()
    until(page, f"{GROUND} === 'rgb(255, 255, 255)'")
    until(page, "document.querySelectorAll('#rows .row').length > 3")
    assert page.locator("#rows .row").first.bounding_box()["height"] == 52


def test_the_help_lists_the_keys(page: Any) -> None:
    page.locator("#open-help").focus()
    keys(page, "?")
    until(page, "document.querySelector('#help').open")
    assert page.locator("#key-table kbd").count() > 25
    look(page, "help")
    keys(page, "?")
    until(page, "!document.querySelector('#help').open")
    assert page.evaluate("document.activeElement.id") == "open-help"


def test_single_keys_can_be_turned_off(page: Any) -> None:
    search(page, "rain")
    page.locator("#hits").focus()
    keys(page, ",")
    page.uncheck('input[name="set-keys"]')
    keys(page, "Escape")
    page.locator("#hits").focus()
    keys(page, "m", "s", "ArrowDown")
    until(page, "document.querySelector('[aria-selected=true]') !== null")
    assert page.locator("#terms li").count() == 0
    assert page.locator("#side").is_visible()


def test_panels_stay_as_they_were(page: Any) -> None:
    search(page, "rain")
    page.locator("#hits").focus()
    keys(page, "s")
    until(page, "document.querySelector('#side').hidden")
    page.reload()
    until(page, "document.querySelectorAll('#rows .row').length > 3")
    assert page.locator("#side").is_hidden()
