"""The page in a real browser: Chromium, driven by playwright, over a server of sample_library.

Skipped, and said so, where Chromium or playwright is not installed. With `AUDIOSEARCH_SCREENSHOTS`
set to a folder, what is seen is kept there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import COMMAND
from tests.serving import free_port, running

Serve = Callable[..., AbstractContextManager[str]]


@contextmanager
def serving(library: Path, *options: str) -> Iterator[str]:
    """The address of a server of a library, for as long as the block lasts."""
    port = free_port()
    with running([COMMAND, "serve", "-L", library, "--port", str(port), *options], port):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Iterator[str]:
    library = tmp_path_factory.mktemp("page") / "library"
    shutil.copytree(sample_directory, library)
    with serving(library) as where:
        yield where


@pytest.fixture(
    scope="module"
)  # no longer: playwright keeps a loop running, and other tests have theirs
def browser() -> Iterator[Any]:
    from tests.server.page.helpers import launched

    with launched() as opened:
        yield opened


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """An empty tab of a browser that remembers nothing. A script that fails fails the test."""
    from tests.server.page.helpers import LISTEN

    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
        color_scheme="dark",
        reduced_motion="reduce",  # no colour is looked at on its way to another
    )
    context.set_default_timeout(120_000)
    context.add_init_script(LISTEN)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield opened
    context.close()
    assert [line for line in wrong if "Failed to load resource" not in line] == []


@pytest.fixture
def page(tab: Any, address: str) -> Any:
    """The first screen."""
    from tests.server.page.helpers import SAID, until

    tab.goto(address)
    until(tab, f"{SAID} === '61 sounds'")
    return tab
