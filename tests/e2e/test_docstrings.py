"""The examples in the public docstrings: each is run, and every public method has one."""

from __future__ import annotations

import doctest
import inspect
import os
import shutil
from pathlib import Path

import pytest

from audiosearch import Library
from tests.e2e.conftest import Shell

ROOT = Path(__file__).parents[2]
METHODS = [
    name
    for name, member in inspect.getmembers(Library)
    if not name.startswith("_") and (callable(member) or isinstance(member, property))
    if name != "close"  # which the with block in the example of `open` calls
]


@pytest.mark.parametrize("name", METHODS)
def test_example(
    name: str, sample_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = inspect.getattr_static(Library, name)
    member = getattr(member, "__func__", member)
    shutil.copytree(sample_shell.library, tmp_path / "library")  # some examples write
    monkeypatch.chdir(ROOT)
    with Library.open(tmp_path / "library") as library:
        names = {"library": library, "folder": tmp_path, "Library": Library, "os": os}
        [example] = doctest.DocTestFinder(recurse=False).find(member, name, globs=names)
        assert example.examples, f"Library.{name} has no example"
        result = doctest.DocTestRunner(verbose=False).run(example)
    assert not result.failed
