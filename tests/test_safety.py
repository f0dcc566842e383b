"""What no file that is loaded may do: run code, or reach out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import audiosearch
import indexer

SOURCES = sorted(
    path
    for package in (audiosearch, indexer)
    for path in Path(str(package.__file__)).parent.rglob("*.py")
)
# Each runs code that a file may hold.
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
# Only what the user asks for goes to the network, by the hub's own client.
NETWORK = {"socket", "http", "urllib", "requests", "httpx", "ftplib", "huggingface_hub"}
NETWORK_ALLOWED = {
    ("export.py", "huggingface_hub"),  # its errors
    ("hub.py", "huggingface_hub"),
    ("run.py", "socket"),  # the service listens
    ("lock.py", "socket"),  # for the host's name
    ("client.py", "http"),  # asks the server that the user named
    ("client.py", "urllib"),
    ("guard.py", "http"),  # reads cookies
    ("guard.py", "urllib"),  # takes addresses apart
    ("database.py", "urllib"),  # for quoting a path
}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_file_can_run_code_or_reach_out(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = set(_imports(tree))
    if path.name != "export.py":  # which names the error of an unpickler that refuses
        assert not modules & FORBIDDEN_MODULES
    assert {(path.name, m) for m in modules & NETWORK} <= NETWORK_ALLOWED
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert said.get("allow_pickle", "False") == "False"
            assert said.get("trust_remote_code", "False") == "False"
            assert said.get("shell", "False") == "False"
