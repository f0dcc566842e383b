"""What no file that is loaded may do: run code, or reach out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import audiosearch
import indexer

ROOT = Path(str(audiosearch.__file__)).parents[1]
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in (audiosearch, indexer)
    for path in Path(str(package.__file__)).parent.rglob("*.py")
)
# Each runs code that a file may hold.
RUNS_CODE = {
    *("pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"),
    *("yaml", "runpy", "code", "importlib.import_module", "importlib.util", "torch.load"),
}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"system", "popen"}
# Only what the user asks for goes to the network, by the hub's own client.
NETWORK = {
    *("socket", "http.client", "http.server", "urllib.request", "ftplib", "smtplib", "xmlrpc"),
    *("requests", "httpx", "aiohttp", "urllib3", "huggingface_hub"),
}
# One file, one name.
ALLOWED = {
    ("audiosearch/__init__.py", "importlib.import_module"),  # of its own modules
    ("audiosearch/models/onnx_export.py", "pickle.UnpicklingError"),  # of a loader that refuses
    ("audiosearch/models/onnx_export.py", "huggingface_hub.errors.StrictDataclassError"),
    ("audiosearch/evaluation/task.py", "importlib.import_module"),  # of its own modules of tasks
    ("audiosearch/cli/main.py", "importlib"),  # of the module of the command that was named
    ("audiosearch/cli/main.py", "importlib.import_module"),
    ("audiosearch/models/msclap_file.py", "pickle.UnpicklingError"),  # of a loader that refuses
    ("audiosearch/models/msclap_file.py", "torch.load"),  # with weights_only, see below
    ("audiosearch/models/hub.py", "huggingface_hub.errors"),
    ("audiosearch/models/hub.py", "huggingface_hub.snapshot_download"),
    ("audiosearch/models/hub.py", "huggingface_hub.try_to_load_from_cache"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.constants"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.errors"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.get_token"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.utils.get_session"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.utils.hf_raise_for_status"),
    ("audiosearch/models/hub_http.py", "huggingface_hub.utils.validate_repo_id"),
    ("audiosearch/remote/client.py", "urllib.request"),  # asks the server that the user named
    ("audiosearch/server/serving.py", "socket"),  # the service listens
    ("audiosearch/catalog/postgres_store.py", "socket"),  # for the host's name
    ("audiosearch/catalog/sqlite_store.py", "socket"),  # for the host's name
    ("indexer/cluster/address.py", "importlib.util.find_spec"),  # whether Ray is installed
    ("indexer/cluster/ray_cluster.py", "socket"),  # asks the cluster that the user named
}
# Their values where they are given at all.
KEYWORDS = {
    "weights_only": "True",
    "allow_pickle": "False",
    "trust_remote_code": "False",
    "shell": "False",
}


def _names(tree: ast.AST) -> Iterator[str]:
    """What is imported, and what is looked up in a name: ``pickle.loads``, ``torch.load``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            if dotted in RUNS_CODE | NETWORK:
                yield dotted


def _forbidden(name: str) -> bool:
    """Whether a name is one of those, is in one, or holds one (`import http` opens `http.client`)."""
    return any(
        name == each or name.startswith(each + ".") or each.startswith(name + ".")
        for each in RUNS_CODE | NETWORK
        if not (each == "torch.load" and name == "torch")  # its other parts are wanted
    )


def violations(file: str, source: str) -> list[str]:
    """What a file does that it may not."""
    tree = ast.parse(source)
    bad = [name for name in _names(tree) if _forbidden(name) and (file, name) not in ALLOWED]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                bad.append(node.func.id)
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                bad.append(node.func.attr)
            for keyword in node.keywords:
                value = ast.unparse(keyword.value)
                if KEYWORDS.get(keyword.arg or "", value) != value:
                    bad.append(f"{keyword.arg}={value}")
    return bad


@pytest.mark.parametrize("file", SOURCES)
def test_no_file_can_run_code_or_reach_out(file: str) -> None:
    assert violations(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("audiosearch/care/export.py", "import pickle"),
        ("audiosearch/care/export.py", "from pickle import UnpicklingError"),
        ("audiosearch/models/onnx_export.py", "import pickle\npickle.loads(b'')"),
        ("audiosearch/models/onnx_export.py", "from pickle import loads"),
        ("indexer/run.py", "import pickle as harmless"),
        ("indexer/run.py", "import socket"),
        ("audiosearch/server/run.py", "import urllib"),
        ("audiosearch/models/hub.py", "from urllib import request"),
        ("audiosearch/models/hub.py", "from huggingface_hub import HfApi"),
        ("audiosearch/models/hub.py", "import torch\ntorch.load('x')"),
        ("audiosearch/cli/main.py", "np.load(f, allow_pickle=True)"),
        ("audiosearch/cli/main.py", "np.load(f, allow_pickle=chosen)"),
        ("audiosearch/cli/main.py", "subprocess.run(x, shell=True)"),
        ("audiosearch/cli/main.py", "os.system(x)"),
        ("audiosearch/cli/main.py", "eval(x)"),
    ],
)
def test_a_file_that_could_is_noticed(file: str, source: str) -> None:
    assert violations(file, source)


def test_nothing_is_allowed_that_is_not_there() -> None:
    there = {
        (file, name)
        for file in SOURCES
        for name in _names(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    }
    assert there >= ALLOWED
