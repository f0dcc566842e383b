"""Addresses, the browser's history, and what is said where something is wrong."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from typing import Any

from audiosearch.remote import keys as key_file
from tests.e2e.conftest import COMMAND, SAMPLES
from tests.effort import thorough_only
from tests.server.page.conftest import serving
from tests.server.page.helpers import SAID, keys, look, names, needs_chromium, search, until
from tests.serving import free_port, running

pytestmark = [needs_chromium, thorough_only]

BEST = "document.querySelector('#rows .name')?.textContent === argument"


def test_a_search_is_one_entry_of_the_history(page: Any) -> None:
    before = page.evaluate("history.length")
    page.locator("#q").press_sequentially("rain on a roof", delay=130)
    until(page, "new URLSearchParams(location.search).get('q') === 'rain on a roof'")
    assert page.evaluate("history.length") == before + 1
    keys(page, "Enter")
    until(page, "document.activeElement.id === 'hits'")
    search(page, "dog")
    assert page.evaluate("history.length") == before + 2
    page.go_back()
    until(page, "document.querySelector('#q').value === 'rain on a roof'")
    page.go_back()
    until(page, f"{SAID} === '61 sounds'")
    assert page.locator("#welcome").is_visible()


def test_an_address_holds_the_search(page: Any) -> None:
    search(page, "water")
    keys(page, "ArrowDown", "m")
    page.wait_for_selector("#terms li")
    name = page.locator("#terms .text").first.text_content()
    assert re.search(r"\.(wav|mp3|ogg|oga|flac)$", name)
    page.fill("#q", "rain")
    page.click("#minus")
    until(page, "document.querySelectorAll('#terms li').length === 2")
    until(page, f"{SAID}.includes('best first')")
    order, where = names(page), page.url
    assert re.search(r"t=%2B%23\d+&t=-rain", where)
    page.reload()
    until(page, BEST, order[0])
    assert page.locator("#terms .text").all_text_contents() == [name, "rain"]
    # Somebody else's browser has only the address, which holds ids: the names are asked for.
    other = page.context.new_page()
    other.goto(where)
    until(other, BEST, order[0])
    until(other, "document.querySelector('#terms .text').textContent === argument", name)
    other.close()
    page.click("#terms li:nth-child(2) button:last-child")
    until(page, "document.querySelectorAll('#terms li').length === 1")
    page.go_back()
    until(page, "document.querySelectorAll('#terms li').length === 2")
    until(page, BEST, order[0])


def test_a_dropped_file(page: Any) -> None:
    body = (SAMPLES / "animals" / "dogs.mp3").read_bytes().hex()
    page.evaluate(
        """hex => {
            const bytes = new Uint8Array(hex.match(/../g).map(pair => parseInt(pair, 16)));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "my dog.mp3"));
            window.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        }""",
        body,
    )
    until(page, BEST, "dogs.mp3")
    assert page.locator("#terms .text").all_text_contents() == ["my dog.mp3"]
    page.reload()
    until(page, BEST, "dogs.mp3")
    assert page.locator("#terms .text").all_text_contents() == ["my dog.mp3"]


def test_a_server_that_is_gone_and_comes_back(
    tab: Any, tmp_path: Path, sample_directory: Path
) -> None:
    library, port = tmp_path / "library", free_port()
    shutil.copytree(sample_directory, library)
    command = [COMMAND, "serve", "-L", library, "--port", str(port)]
    with running(command, port) as server:
        tab.goto(f"http://127.0.0.1:{port}/")
        search(tab, "rain")
        server.send_signal(signal.SIGTERM)
        server.wait()
        tab.fill("#q", "dog")
        until(tab, "!document.querySelector('#away').hidden")
        assert "does not answer" in tab.locator("#away").text_content()
        assert tab.locator("#trouble").is_hidden()
        look(tab, "away")
    with running(command, port):
        until(tab, "document.querySelector('#away').hidden")
        until(tab, BEST, "dogs.mp3")


def test_a_refusal_is_said_in_the_servers_words(page: Any) -> None:
    page.goto(page.url + "?t=%2B%23999999")
    until(page, "document.querySelector('#trouble-words').textContent.includes('999999')")
    assert page.locator("#trouble").is_visible()
    page.click("#terms li button:last-child")
    until(page, "document.querySelector('#trouble').hidden")


def test_a_wrong_key_is_said(tab: Any, tmp_path: Path, sample_directory: Path) -> None:
    library = tmp_path / "library"
    shutil.copytree(sample_directory, library)
    secret = key_file.make_key(library, "desk", "read")
    with serving(library, "--need-key") as address:
        tab.goto(address)
        until(tab, "document.querySelector('#locked').open")
        tab.fill("#key", "as_wrong")
        keys(tab, "Enter")
        until(
            tab, "document.querySelector('#wrong').textContent.includes('does not know this key')"
        )
        look(tab, "wrong-key")
        keys(tab, "Escape")
        assert tab.evaluate("document.querySelector('#locked').open")
        tab.fill("#key", secret)
        keys(tab, "Enter")
        until(tab, f"{SAID} === '61 sounds'")
        search(tab, "rain")
        # What a key for reading may not do is said, too.
        tab.click("#brand")
        until(tab, "document.body.dataset.kind === 'none'")
        if tab.locator("#w-again").is_visible():
            tab.click("#w-again")
            until(tab, "document.querySelector('#w-wrong').textContent.includes('may read only')")
