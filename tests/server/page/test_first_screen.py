"""What there is before a search: words to begin with, recent ones, other ways to ask, a running index."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.server.page.conftest import serving
from tests.server.page.helpers import SAID, keys, look, needs_chromium, search, until
from tests.waiting import wait_until

pytestmark = [needs_chromium, thorough_only]

BEST = "document.querySelector('#rows .name')?.textContent === argument"


def test_words_of_the_library_can_be_clicked(page: Any) -> None:
    page.wait_for_selector("#w-words button")
    words = page.locator("#w-words button").first.text_content()
    page.locator("#w-words button").first.click()
    until(page, "new URLSearchParams(location.search).get('q') === argument", words)
    until(page, f"{SAID}.includes('best first')")


def test_searches_are_remembered_and_forgotten(page: Any) -> None:
    search(page, "rain on a roof")
    keys(page, "Enter")
    until(page, "document.activeElement.id === 'hits'")
    page.click("#brand")
    until(page, "document.body.dataset.kind === 'none'")
    assert page.locator("#w-recent-words button").all_text_contents() == ["rain on a roof"]
    page.reload()
    page.locator("#w-recent-words button").click()
    until(page, BEST, "downpour.ogg")
    page.click("#brand")
    page.click("#w-forget")
    assert page.locator("#w-recent").is_hidden()


def test_letters_are_words_while_nothing_is_listed(page: Any) -> None:
    page.locator("#w-drop input").focus()
    page.keyboard.type("dog")
    until(page, "document.querySelector('#q').value === 'dog'")
    until(page, BEST, "dogs.mp3")


def test_a_chosen_file(page: Any) -> None:
    page.set_input_files("#w-file", SAMPLES / "animals" / "dogs.mp3")
    until(page, BEST, "dogs.mp3")
    assert page.locator("#terms .text").all_text_contents() == ["dogs.mp3"]


def test_the_microphone(page: Any) -> None:
    page.click("#microphone")
    until(page, f"{SAID}.startsWith('Recording')")
    assert page.locator("#microphone").get_attribute("aria-pressed") == "true"
    until(page, f"{SAID} > 'Recording 0:01.0'")
    page.click("#microphone")
    until(page, f"{SAID}.includes('best first')")
    assert page.locator("#terms .text").all_text_contents() == ["the microphone"]


# What is shown of a job, also where it is over before anybody looks.
KEEP_WORDS = """() => {
    const job = document.querySelector('#job');
    window.shown = [];
    new MutationObserver(() => {
        if (!job.hidden) shown.push(document.querySelector('#job-words').textContent);
    }).observe(job, { attributes: true, childList: true, subtree: true });
}"""


def test_a_job_that_is_over_at_once_is_told(tab: Any, tmp_path: Path) -> None:
    from audiosearch import Library

    folder = tmp_path / "sounds"
    shutil.copytree(SAMPLES / "weather", folder)
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(folder)
    shutil.copy(SAMPLES / "animals" / "ewe.mp3", folder)
    with serving(tmp_path / "library") as address:
        tab.goto(address)
        until(tab, f"{SAID} === '3 sounds'")

        def late(route: Any) -> None:
            """The page hears that its job has begun when that is over."""
            answer = route.fetch()
            place = address.rstrip("/") + answer.headers["location"]
            wait_until(lambda: httpx.get(place, timeout=600).json()["state"] == "done")
            route.fulfill(response=answer)

        tab.route("**/v1/jobs", late)
        tab.click("#w-again")
        until(tab, f"{SAID} === 'Indexed: 1 added.'")


def test_indexing_again_shows_how_far_it_is(tab: Any, tmp_path: Path) -> None:
    from audiosearch import Library

    folder = tmp_path / "sounds ö"
    shutil.copytree(SAMPLES / "weather", folder)
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(folder)
    shutil.copytree(SAMPLES / "animals", folder / "animals")
    with serving(tmp_path / "library") as address:
        tab.goto(address)
        until(tab, f"{SAID} === '3 sounds'")
        tab.evaluate(KEEP_WORDS)
        tab.click("#w-again")
        until(tab, "window.shown.length > 0")
        look(tab, "indexing")
        until(tab, f"{SAID} === 'Indexed: 15 added.'")
        shown = tab.evaluate("window.shown")
        assert all(words.startswith("Indexing: ") for words in shown), shown
        assert tab.locator("#job").is_hidden()
        assert "18 sounds" in tab.locator("#w-count").text_content()


def test_an_empty_library_says_what_to_do(tab: Any, tmp_path: Path) -> None:
    from audiosearch import Library

    with Library.open(tmp_path / "library", create=True):
        pass
    with serving(tmp_path / "library") as address:
        tab.goto(address)
        until(tab, f"{SAID}.includes('no sounds yet')")
        assert tab.locator("#w-empty").is_visible()
        look(tab, "empty-library")


def test_a_folder_is_added_from_the_page(tab: Any, tmp_path: Path) -> None:
    from audiosearch import Library

    folder = tmp_path / "my sounds ö"
    shutil.copytree(SAMPLES / "weather", folder / "weather")
    with Library.open(tmp_path / "library", create=True):
        pass
    with serving(tmp_path / "library", "--folder", str(folder)) as address:
        tab.goto(address)
        until(tab, "!document.querySelector('#w-add').hidden")
        assert tab.locator("#w-path").input_value() == str(folder)
        tab.fill("#w-path", str(tmp_path))
        tab.click("#w-add button")
        until(tab, "document.querySelector('#w-wrong').textContent !== ''")
        tab.fill("#w-path", str(folder / "weather"))
        tab.click("#w-add button")
        until(tab, f"{SAID} === 'Indexed: 3 added.'")
        assert tab.locator("#w-empty").is_hidden()
