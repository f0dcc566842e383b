"""Filters: counts beside each value, chips that take them off, folders as a tree."""

from __future__ import annotations

from typing import Any

from tests.effort import thorough_only
from tests.server.page.helpers import SAID, look, names, needs_chromium, search, until

pytestmark = [needs_chromium, thorough_only]


COUNT = (
    "document.querySelector('#facets input[name={}][value=\"{}\"]')"
    "?.parentElement.querySelector('.count').textContent"
)


def count(page: Any, name: str, value: str) -> int:
    box = page.locator(f'#facets input[name="{name}"][value="{value}"]')
    return int(box.locator("xpath=..").locator(".count").text_content())


def test_values_chips_and_reset(page: Any) -> None:
    until(page, "document.querySelectorAll('#facets details').length > 3")
    page.check('#facets input[name="format"][value="flac"]')
    until(page, f"{SAID} === '18 sounds'")
    assert all(name.endswith(".flac") for name in names(page))
    assert "format=flac" in page.url
    # The focus stays where it was, although the panel was drawn anew.
    assert page.evaluate("document.activeElement.value") == "flac"
    page.check('#facets input[name="duration"][value="0-1"]')
    until(page, f"{SAID} === '1 sound'")
    assert page.locator("#chips .text").all_text_contents() == ["flac", "0 – 1 s"]
    assert page.locator("#filtered").text_content() == "2"
    look(page, "filters")
    page.click('#chips [aria-label="Remove the filter flac"]')
    until(page, f"{SAID} === '7 sounds'")
    page.reload()
    until(page, f"{SAID} === '7 sounds'")
    assert page.locator("#chips .text").all_text_contents() == ["0 – 1 s"]
    page.click("#reset")
    until(page, f"{SAID} === '61 sounds'")
    assert page.locator("#chips li").count() == 0
    assert page.locator("#reset").is_hidden()


def test_counts_follow_the_other_filters(page: Any) -> None:
    until(page, "document.querySelectorAll('#facets details').length > 3")
    assert count(page, "format", "wav") == 18
    page.check('#facets input[name="duration"][value="0-1"]')
    until(page, "location.search.includes('max_duration=1')")
    until(page, f"{COUNT.format('format', 'flac')} === '1'")
    few = count(page, "format", "wav")
    assert few < 18
    # A choice within a group leaves the counts of its other values as they are.
    page.check('#facets input[name="format"][value="flac"]')
    until(page, f"{COUNT.format('duration', '1-5')} !== '33'")
    assert count(page, "format", "wav") == few


def test_numbers_paths_and_what_passes_nothing(page: Any) -> None:
    search(page, "rain")
    page.fill('#facets input[name="min_duration"]', "20")
    page.keyboard.press("Enter")
    until(page, "location.search.includes('min_duration=20')")
    until(page, f"{SAID}.startsWith('2 sound')")
    page.locator("#facets summary", has_text="Path").click()
    page.fill('#facets input[name="path"]', "nowhere")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#nothing').textContent === 'No sound passes the filters.'")
    assert page.locator("#chips .text").all_text_contents() == ["path: nowhere", "20 s and longer"]


def test_filters_alone_list_what_passes(page: Any) -> None:
    until(page, "document.querySelectorAll('#facets details').length > 3")
    page.check('#facets input[name="format"][value="flac"]')
    until(page, f"{SAID} === '18 sounds'")
    assert all(name.endswith(".flac") for name in names(page))
    look(page, "browse")
    page.click("#reset")
    until(page, "document.body.dataset.kind === 'none'")


def test_folders_are_a_tree(page: Any) -> None:
    until(page, "document.querySelectorAll('#facets details').length > 3")
    page.locator("#facets .tree .choice", has_text="animals").locator("input").check()
    until(page, f"{SAID} === '15 sounds'")
    assert page.locator("#chips .text").all_text_contents() == ["animals"]
    page.locator("#facets .twist").first.click()
    until(page, "document.querySelector('#facets .tree ul').hidden")
    page.evaluate("document.querySelector('#facets .tree').id = 'before'")
    page.click("#reset")
    until(page, "!document.querySelector('#before') && document.querySelector('#facets .tree ul')")
    assert page.evaluate("document.querySelector('#facets .tree ul').hidden")


def test_tags_and_loudness(page: Any) -> None:
    until(
        page,
        "[...document.querySelectorAll('#facets summary')].some(s => s.textContent === 'Category')",
    )
    page.locator("#facets summary", has_text="Category").click()
    page.get_by_label("Blues").check()
    until(page, "location.search.includes('tag=category%3DBlues')")
    until(page, f"{SAID} === '5 sounds'")
    assert page.locator("#chips .text").all_text_contents() == ["category: Blues"]
    page.click("#reset")
    page.locator("#facets summary", has_text="Loudness").click()
    page.fill('#facets input[name="max_loudness"]', "-30")
    page.keyboard.press("Enter")
    until(page, "document.body.dataset.kind === 'browse'")
    assert page.locator("#chips .text").all_text_contents() == ["… to -30 LUFS"]
