"""The whole suite over PostgreSQL: where this is installed, a folder stands for a schema.

`AUDIOSEARCH_TEST_STORE=postgres` runs the tests so (tests/conftest.py). They name libraries by
folders, copy the folders and move them; with `store.py` in place of `catalog.sqlite_store`, the
library "in" a folder is a schema of a test database, also in the commands that tests start. Nothing
else is replaced. tests/e2e/test_postgres.py uses real addresses.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

REPLACED = "audiosearch.catalog.sqlite_store"


class Finder(MetaPathFinder):
    """Finds `store.py` under the name of the module that it replaces."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != REPLACED:
            return None
        return spec_from_file_location(fullname, Path(__file__).with_name("store.py"))


def install() -> None:
    """Replace the module from now on."""
    sys.meta_path.insert(0, Finder())
