"""The pictures of the search page in the documentation, taken anew.

`python -m scripts.docs.pictures --to docs/images` indexes sample_library into a library of its own with
the installed `audiosearch`, serves it, leads Chromium to what each picture shows, and writes
`search.png`, `details.png`, `first.png` and `phone.png`. What plays does so very slowly, so that a
picture shows the same moment on a fast and on a slow machine.

The script needs playwright and Chromium, as the tests of the page do. PyAV, with which audiosearch
decodes, makes PNG of 256 colours: little more than a third of the bytes that Chromium writes.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import av
from av.filter import Graph

from scripts.figures import COMMAND, SAMPLES
from tests.server.page.conftest import serving
from tests.server.page.helpers import PAUSED, PLAYED, drag, keys, launched, search, until

WORDS = "dog barking on a rainy evening"
WET = "wet-evening.ogg"
SLOWEST = 0.0625  # of Chromium's speeds
PATH = f"/media/sample_library/scenes/{WET}"  # no picture shows where the checkout lies
FETCHED = "performance.getEntriesByType('resource').length"


def take(browser: Any, address: str, to: Path) -> None:
    """Take the four pictures, one after the other: favourite and basket of the first stay."""
    shot = partial(seen, browser, address)
    with shot(to / "search.png", "dark") as page:
        search(page, WORDS)
        for name, key, kind in (("dogs.mp3", "f", "favourite"), (WET, "b", "kept")):
            choose(page, name)
            keys(page, key)
            page.locator(f"#rows .row.{kind}").wait_for()
        drag(page, "#rows .row[aria-selected=true] canvas", 0.78, 0.9)
        hold(page, WET, 16.9)
    with shot(to / "details.png", "light") as page:
        search(page, WORDS)
        choose(page, WET)
        keys(page, "Enter")
        drag(page, "#d-wave", 0.76, 0.86)
        hold(page, WET, 16.0)
        keys(page, " ")
        page.evaluate("path => { document.querySelector('#d-path').textContent = path; }", PATH)
    with shot(to / "first.png", "dark") as page:
        search(page, "rain on a roof")
        keys(page, "Enter")
        hold(page, "downpour.ogg", 3.8)
        page.click("#brand")
        until(page, "document.body.dataset.kind === 'none'")
    with shot(to / "phone.png", "light", 390, 844) as page:
        search(page, "birds in the morning")
        keys(page, "Enter")
        hold(page, "early-morning.ogg", 15.5)


@contextmanager
def seen(
    browser: Any, address: str, file: Path, colours: str, width: int = 1280, height: int = 800
) -> Iterator[Any]:
    """The first screen, in a browser that remembers nothing. What is seen as the block ends is written,
    once two seconds bring nothing new: waveforms come late.
    """
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
    page = context.new_page()
    page.goto(address)
    yield page
    before = -1
    while before != (before := page.evaluate(FETCHED)):
        page.wait_for_timeout(2_000)
    file.write_bytes(of_256_colours(page.screenshot()))
    context.close()


def choose(page: Any, name: str) -> None:
    page.locator("#rows .row", has_text=name).locator(".title").click()


def hold(page: Any, name: str, second: float) -> None:
    """Wait until a sound plays, and let it go on from `second`, so slowly that it seems to stand."""
    until(page, f"!{PAUSED} && {PLAYED} === argument", name)
    page.evaluate(
        "how => Object.assign(document.querySelector('#player'), how)",
        {"playbackRate": SLOWEST, "currentTime": second},
    )


def of_256_colours(png: bytes) -> bytes:
    """The same picture in the 256 colours that suit it best."""
    with av.open(io.BytesIO(png)) as container:
        frame = next(container.decode(video=0))
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    palette = graph.add("palettegen", "reserve_transparent=0")
    painted = graph.add("paletteuse", "dither=none")
    twice, sink = graph.add("split"), graph.add("buffersink")
    source.link_to(twice)
    twice.link_to(painted, 0, 0)
    twice.link_to(palette, 1, 0)
    palette.link_to(painted, 0, 1)
    painted.link_to(sink)
    graph.configure()
    graph.push(frame)
    graph.push(None)
    made = graph.pull()
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = made.width, made.height, made.format.name
    # Rows as they are: neighbours in a palette are no neighbours in colour.
    encoder.time_base, encoder.options = made.time_base, {"pred": "none", "compression_level": "9"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(made), *encoder.encode(None)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        subprocess.run([COMMAND, "index", "-L", library, SAMPLES], check=True)
        with serving(library) as address, launched() as browser:
            take(browser, address, args.to)


if __name__ == "__main__":
    main()
