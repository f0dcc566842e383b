"""Favourites, collections and saved searches: kept in the library, listed, exported."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audiosearch.remote import keys as key_file
from tests.e2e.conftest import SAMPLES
from tests.effort import thorough_only
from tests.server.page.conftest import serving
from tests.server.page.helpers import SAID, keys, look, names, needs_chromium, search, until

pytestmark = [needs_chromium, thorough_only]

# Names with their numbers of sounds.
SHELF = (
    "[...document.querySelectorAll('#collections .open')]"
    ".map(open => [...open.children].map(part => part.textContent).join(' '))"
)


@pytest.fixture
def page(tab: Any, tmp_path: Path, sample_directory: Path) -> Iterator[Any]:
    """A library of its own, since these tests write into it."""
    shutil.copytree(sample_directory, tmp_path / "library")
    with serving(tmp_path / "library") as address:
        tab.goto(address)
        until(tab, f"{SAID} === '61 sounds'")
        until(tab, "document.querySelectorAll('#collections .shelf-item').length > 0")
        yield tab


def test_favourites(page: Any) -> None:
    search(page, "rain")
    first = names(page)[0]
    keys(page, "ArrowDown", "f")
    until(page, f"{SAID} === argument", f"{first} is a favourite.")
    assert page.locator("#rows .row.favourite .name").all_text_contents() == [first]
    assert page.evaluate("document.activeElement.id") == "hits"
    page.locator("#collections .open").first.click()
    until(page, "document.body.dataset.kind === 'collection'")
    until(page, "document.querySelector('#rows .name')?.textContent === argument", first)
    assert "collection=1" in page.url
    page.locator("#hits").focus()
    keys(page, "Home", "f")
    until(page, "!document.querySelector('#nothing').hidden")
    page.go_back()
    until(page, f"{SAID}.includes('best first')")


def test_the_basket_and_its_exports(page: Any, tmp_path: Path) -> None:
    search(page, "rain")
    order = names(page)
    keys(page, "ArrowDown", "b")
    until(page, f"{SAID} === argument", f"{order[0]} is in Basket.")
    keys(page, "ArrowDown", "b")
    until(page, f"{SAID} === argument", f"{order[1]} is in Basket.")
    until(page, f"{SHELF}[1] === 'Basket 2'")
    page.reload()
    until(page, "document.querySelectorAll('#rows .row.kept').length === 2")
    page.locator("#collections .open", has_text="Basket").click()
    until(page, "document.querySelectorAll('#rows .row').length === 2")
    look(page, "collection")
    paths = {}
    for kind in ("paths", "csv", "m3u8"):
        with page.expect_download() as downloading:
            page.locator(".shelf-tools a", has_text=kind).click()
        downloading.value.save_as(tmp_path / kind)
        paths[kind] = (tmp_path / kind).read_text(encoding="utf-8")
    assert [Path(line).name for line in paths["paths"].splitlines()] == order[:2]
    assert all(line.startswith(str(SAMPLES)) for line in paths["paths"].splitlines())
    rows = list(csv.DictReader(paths["csv"].splitlines()))
    assert [Path(row["path"]).name for row in rows] == order[:2]
    assert paths["m3u8"].startswith("#EXTM3U")
    keys(page, "Escape")
    page.locator("#hits").focus()
    keys(page, "Home", "b")
    until(page, "document.querySelectorAll('#rows .row').length === 1")


def test_collections_are_made_renamed_chosen_and_deleted(page: Any) -> None:
    for name in ("Rain ö", "Dogs"):
        page.click("#new-collection")
        page.get_by_label("Name of the collection").fill(name)
        keys(page, "Enter")
        until(page, f"{SHELF}.includes(argument)", f"{name} 0")
    # A name that is taken is said.
    page.click("#new-collection")
    page.get_by_label("Name of the collection").fill("Dogs")
    keys(page, "Enter")
    until(page, f"{SAID}.includes('Dogs')")
    page.get_by_label("Let b put sounds into Rain ö").click()  # its label changes
    search(page, "rain")
    keys(page, "ArrowDown", "b")
    until(page, f"{SHELF}.includes('Rain ö 1')")
    page.locator("#collections .open", has_text="Dogs").click()
    until(page, "!document.querySelector('#nothing').hidden")
    page.get_by_label("Rename Dogs").click()
    page.get_by_label("Name", exact=True).fill("Hounds")
    keys(page, "Enter")
    until(page, f"{SHELF}.includes('Hounds 0')")
    page.get_by_label("Delete Hounds").click()
    until(page, "document.querySelector('#sure').open")
    look(page, "delete")
    keys(page, "Escape")
    assert "Hounds 0" in page.evaluate(SHELF)
    page.get_by_label("Delete Hounds").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    until(page, f"!{SHELF}.includes('Hounds 0')")


def test_saved_searches(page: Any) -> None:
    search(page, "rain")
    page.check('#facets input[name="format"][value="ogg"]')
    until(page, f"{SAID}.startsWith('11 sound')")
    page.click("#save-search")
    assert page.get_by_label("Name of the search").input_value() == "rain"
    page.get_by_label("Name of the search").fill("rain as ogg")
    keys(page, "Enter")
    until(page, "document.querySelectorAll('#searches .open').length === 1")
    page.click("#brand")
    until(page, "document.body.dataset.kind === 'none'")
    page.locator("#searches .open").click()
    until(page, f"{SAID}.startsWith('11 sound')")
    assert page.locator("#q").input_value() == "rain"
    page.get_by_label("Delete the search rain as ogg").click()
    until(page, "document.querySelectorAll('#searches .open').length === 0")


def test_a_key_that_may_read_only_is_told_so(
    tab: Any, tmp_path: Path, sample_directory: Path
) -> None:
    library = tmp_path / "library"
    shutil.copytree(sample_directory, library)
    secret = key_file.make_key(library, "reader", "read")
    with serving(library, "--need-key") as address:
        tab.goto(address)
        until(tab, "document.querySelector('#locked').open")
        tab.fill("#key", secret)
        keys(tab, "Enter")
        until(tab, f"{SAID} === '61 sounds'")
        assert tab.locator("#w-again").is_hidden()
        search(tab, "rain")
        keys(tab, "ArrowDown", "f")
        until(tab, f"{SAID}.includes('may read only')")
