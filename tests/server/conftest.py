"""A served library over sample_library."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import Settings, make_app
from tests.e2e.conftest import SAMPLES
from tests.libraries import moved


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Path:
    where = tmp_path_factory.mktemp("served") / "library"
    return Path(shutil.copytree(sample_directory, where))


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[TestClient]:
    with TestClient(make_app(directory), base_url="http://localhost") as opened:
        yield opened


@pytest.fixture(scope="session")
def _dogs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(folder, library) of one sound, indexed once."""
    made = tmp_path_factory.mktemp("dogs")
    (made / "sounds").mkdir()
    shutil.copy2(SAMPLES / "animals" / "dogs.mp3", made / "sounds")
    with Library.open(made / "library", create=True) as library:
        library.add(made / "sounds")
    return made / "sounds", made / "library"


Dogs = Callable[[Path, Path], None]


@pytest.fixture
def dogs(_dogs: tuple[Path, Path]) -> Dogs:
    """`dogs(folder, library)` makes both: a folder of one sound, and the library that holds it."""

    def make(folder: Path, library: Path) -> None:
        shutil.copytree(_dogs[0], folder)
        moved(_dogs[1], library, root=folder)

    return make


@pytest.fixture
def served(directory: Path) -> Iterator[Callable[..., TestClient]]:
    """Makes a server of its own settings over the same library."""
    opened = []

    def make(base_url: str = "http://localhost", **settings: Any) -> TestClient:
        client = TestClient(make_app(directory, Settings(**settings)), base_url=base_url)
        opened.append(client.__enter__())
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)
