"""The page in a real browser: Chromium, driven by playwright; axe-core looks for barriers.

Skipped, and said so, where Chromium or playwright is not installed. With `AUDIOSEARCH_SCREENSHOTS`
set to a folder, what is seen is kept there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import COMMAND, SAMPLES
from tests.serving import free_port, running

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SHOTS = os.environ.get("AUDIOSEARCH_SCREENSHOTS")
PAGE_FILES = Path(__file__).parents[2] / "audiosearch" / "server" / "page"


@pytest.fixture(scope="module")
def address(directory: Path) -> Iterator[str]:
    port = free_port()
    with running([COMMAND, "serve", "-L", directory, "--port", str(port)], port):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": 1100, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(120_000)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    opened.goto(address)
    until(opened, "document.querySelector('#said').textContent.includes('sounds')")
    yield opened
    context.close()
    assert [line for line in wrong if "Failed to load resource" not in line] == []


def until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait for a condition in the page. (playwright's own way needs `eval`, which the page's policy
    forbids.)"""
    for _ in range(6_000):
        if page.evaluate(f"argument => {condition}", argument):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {condition}; {page.locator('#said').text_content()}")


def look(page: Any, name: str) -> None:
    """Keep what is seen, where somebody wants to see it."""
    if SHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def names(page: Any) -> list[str]:
    found: list[str] = page.locator("#hits .name").all_text_contents()
    return found


def search(page: Any, text: str) -> None:
    page.fill("#q", text)
    until(
        page,
        "new URLSearchParams(location.search).get('q') === argument"
        " && document.querySelector('#said').textContent.includes('nearest')",
        text,
    )


def test_search_and_play_from_the_keyboard(page: Any) -> None:
    look(page, "empty")
    page.keyboard.type("campfire crackling")
    page.wait_for_selector("#hits li")
    until(page, "document.querySelector('#hits .name').textContent === 'campfire.ogg'")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.className === 'main'")
    page.keyboard.press(" ")
    until(page, "!document.querySelector('#player').paused")
    until(page, "document.querySelector('#player').currentTime > 5.8")
    assert page.locator('.main[aria-pressed="true"] .name').all_text_contents() == ["campfire.ogg"]
    look(page, "search")
    page.keyboard.press(" ")
    until(page, "document.querySelector('#player').paused")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.row.hit.rank")
    assert second == 2
    page.keyboard.press("c")
    until(page, "document.querySelector('#said').textContent.includes('copied')")
    assert page.evaluate("navigator.clipboard.readText()").startswith(str(SAMPLES))
    with page.expect_download() as downloading:
        page.keyboard.press("d")
    assert downloading.value.suggested_filename == names(page)[1]
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"


def test_terms_address_and_back(page: Any, address: str) -> None:
    search(page, "water")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("m")
    page.wait_for_selector("#terms li")
    page.fill("#q", "rain")
    page.click("#minus")
    until(page, "document.querySelectorAll('#terms li').length === 2")
    until(page, "document.querySelector('#said').textContent.includes('nearest')")
    found, where = names(page), page.url
    assert re.search(r"t=%2B%23\d+&t=-rain", where)
    look(page, "terms")
    again = page.context.new_page()
    again.goto(where)
    again.wait_for_selector("#hits li")
    assert names(again) == found
    again.close()
    page.click("#terms li:nth-child(2) button:last-child")
    until(page, "document.querySelectorAll('#terms li').length === 1")
    page.go_back()
    until(page, "document.querySelectorAll('#terms li').length === 2")
    until(page, "document.querySelector('#hits .name').textContent === argument", found[0])


def test_filters(page: Any) -> None:
    search(page, "rain")
    page.click("#filters summary")
    page.check('input[name="format"][value="flac"]')
    until(
        page,
        "[...document.querySelectorAll('#hits .name')].every(n => n.textContent.endsWith('.flac'))",
    )
    look(page, "filters")
    assert "format=flac" in page.url
    page.check('input[name="duration"][value="0-1"]')
    until(page, "location.search.includes('max_duration=1')")
    until(page, "document.querySelector('#said').textContent.includes('1 sounds')")
    assert page.locator("#filtered").text_content() == "(2)"


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
    page.wait_for_selector("#hits li")
    assert names(page)[0] == "dogs.mp3"
    assert page.locator("#terms span").all_text_contents() == ["my dog.mp3"]


def test_a_part_of_an_outline(page: Any) -> None:
    search(page, "dog barking on a rainy evening")
    row = page.locator("#hits li", has_text="wet-evening.ogg")
    row.scroll_into_view_if_needed()
    until(
        page,
        "[...document.querySelectorAll('#hits li')].find(l => "
        "l.textContent.includes('wet-evening')).row.waveform.peaks",
    )
    box = row.locator("canvas").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.74, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=4)
    page.mouse.up()
    look(page, "part")
    row.get_by_role("button", name=re.compile("^Search by")).click()
    page.wait_for_selector("#terms li")
    assert re.search(r"t=%2B%23\d+%4015\.\d+-18\.\d+", page.url)
    page.mouse.click(box["x"] + box["width"] / 2, middle)
    until(page, "!document.querySelector('#player').paused")


def test_the_basket(page: Any) -> None:
    search(page, "rain")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("b")
    assert page.locator("#kept").text_content() == "2 in the basket"
    page.click("#copy-paths")
    until(page, "document.querySelector('#said').textContent.includes('copied')")
    assert len(page.evaluate("navigator.clipboard.readText()").splitlines()) == 2
    with page.expect_download() as downloading:
        page.click("#save-csv")
    lines = Path(downloading.value.path()).read_text().splitlines()
    assert lines[0] == "path,start,end,duration,id,external_id"
    assert len(lines) == 3
    page.reload()
    assert page.locator("#kept").text_content() == "2 in the basket"
    page.click("#empty")
    assert not page.locator("#basket").is_visible()


def test_a_dead_server_is_said(page: Any) -> None:
    page.route("**/v1/search", lambda route: route.abort())
    page.fill("#q", "rain")
    until(page, "document.querySelector('#said').textContent.includes('still running')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 380])
def test_nobody_is_kept_out(page: Any, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    search(page, "rain")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.wait_for_selector("#terms li")
    page.keyboard.press("/")
    search(page, "wind")
    page.click("#filters summary")
    look(page, f"{scheme}-{width}")
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_weight() -> None:
    assert sum(file.stat().st_size for file in PAGE_FILES.iterdir()) < 150_000
