"""The speed of the page over a large library, in Chromium: bytes over the wire, first paint, and
answers.

`python -m scripts.bench.page --sounds 100000` makes that many synthetic sounds beside those of
sample_library, serves them, opens the page in new contexts (nothing cached), and types. "Key to rows" is
the time from the last key to a new list of hits, with the page's own delay before its request. The
benchmark needs Chromium and playwright; `--look FILE.png` keeps a picture of the page.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.bench import measure
from scripts.bench.make_library import SAMPLES, make
from scripts.bench.serve import served
from scripts.figures import COMMAND

PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
# Bodies and headers, as sent.
WIRE = """[...performance.getEntriesByType('resource'), performance.getEntriesByType('navigation')[0]]
    .reduce((sum, entry) => sum + entry.transferSize, 0)"""
MESSAGE = "document.querySelector('#said').textContent"
ASKED = "new URLSearchParams(location.search).get('q')"
IDLE = f"!document.body.classList.contains('busy') && {MESSAGE}.includes('best first')"
VIEWPORT = {"width": 1280, "height": 800}
_PATIENCE = 20  # looks for more rows in vain: two seconds


def until(page: Any, condition: str) -> Any:
    """Return the value of an expression as soon as it is true.

    playwright's own function needs `eval`, which the page's policy forbids.
    """
    for _ in range(3_000):
        if value := page.evaluate(condition):
            return value
        page.wait_for_timeout(5)
    raise SystemExit(f"never: {condition}")


def first_sight(browser: Any, address: str) -> tuple[float, float, float]:
    """Return the bytes over the wire, and the milliseconds to first paint and to the page's first
    message.
    """
    context = browser.new_context(viewport=VIEWPORT)
    page, began = context.new_page(), time.perf_counter()
    page.goto(address)
    until(page, f"{MESSAGE}.includes('sounds')")
    ready = 1000 * (time.perf_counter() - began)
    painted = until(page, PAINTED)
    page.wait_for_load_state("networkidle")  # the page goes on with requests
    sight = page.evaluate(WIRE), painted, ready
    context.close()
    return sight


def answer(page: Any, text: str) -> float:
    """Return the milliseconds from the last key to the hits of a text."""
    page.fill("#q", text[:-1])
    page.wait_for_timeout(600)
    began = time.perf_counter()
    page.press("#q", text[-1] if text[-1] != " " else "Space")
    until(page, f"{ASKED} === {text!r} && {IDLE}")
    return 1000 * (time.perf_counter() - began)


def walk(page: Any) -> tuple[int, int]:
    """Return how many rows the list has after its end was asked for again and again, and how many of
    them are drawn.
    """
    page.keyboard.press("a")  # without playing: the synthetic sounds have no files
    rows, tries = 0, 0
    while tries < _PATIENCE:
        page.keyboard.press("End")
        page.wait_for_timeout(100)
        last, rows = rows, int(page.evaluate("document.querySelector('#hits').ariaRowCount")) - 1
        tries = tries + 1 if rows == last else 0
    return rows, page.evaluate("document.querySelectorAll('#rows .row').length")


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--look", type=Path, metavar="FILE.png")
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        raise SystemExit("Chromium is not installed: apt install chromium")
    with (SAMPLES / "queries.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["query"] for row in csv.DictReader(file)][:20]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        library = Path(folder) / "library"
        make(library, args.sounds, 1)
        command: list[str | Path] = [COMMAND, "index", "-L", library, SAMPLES]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with served(library) as (port, _):
            address = f"http://127.0.0.1:{port}/"
            seen = [first_sight(browser, address) for _ in range(args.rounds)]
            page = browser.new_context(viewport=VIEWPORT).new_page()
            page.goto(address)
            until(page, f"{MESSAGE}.includes('sounds')")
            answers = [answer(page, text) for text in texts]
            message = page.evaluate(MESSAGE)
            page.press("#q", "Enter")
            page.wait_for_timeout(600)
            ranked, drawn = walk(page)
            if args.look:
                page.wait_for_timeout(500)
                page.screenshot(path=args.look)
        browser.close()
    print(measure.machine())
    wire, painted, ready = (statistics.median(column) for column in zip(*seen, strict=True))
    rows = [
        ["over the wire, KB", f"{wire / 1000:.1f}"],
        ["first paint, ms", f"{painted:.0f}"],
        ["says how many sounds there are, ms", f"{ready:.0f}"],
        ["key to rows p50 / p95, ms", measure.p50_p95([ms / 1000 for ms in answers])],
        ["rows after End / drawn of them", f"{ranked:,} / {drawn}"],
    ]
    measure.table(["", f"{args.sounds:,} sounds"], rows)
    print(f"the last message of the page: {message}")


if __name__ == "__main__":
    main()
