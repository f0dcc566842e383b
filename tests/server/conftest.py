"""A served library over sample_library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from audiosearch import Library
from audiosearch.server import Settings, make_app
from tests.e2e.conftest import SAMPLES


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("served") / "library"
    with Library.open(where, create=True) as library:
        library.add(SAMPLES)
    return where


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[TestClient]:
    with TestClient(make_app(directory), base_url="http://localhost") as opened:
        yield opened


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
