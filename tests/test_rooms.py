"""The rooms of the project: imports run down, never up, and never in a circle.

`python -m tests.test_rooms` prints which room imports which.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A module may import from its own room and from those above it in this list.
ROOMS = [
    "audiosearch.errors",
    "audiosearch.paths",
    "audiosearch.results",
    "audiosearch.audio",
    "audiosearch.catalog",
    "audiosearch.vectors",
    "audiosearch.models",
    "audiosearch.heads",
    "audiosearch.search",
    "audiosearch.duplicates",
    "audiosearch.care",
    "audiosearch.remote",
    "indexer",
    "audiosearch.evaluation",
    "audiosearch.library_heads",
    "audiosearch.contents",
    "audiosearch.writing",
    "audiosearch.library",
    "audiosearch",  # its __init__: the public names
    "audiosearch.training",
    "audiosearch.server",
    "audiosearch.cli",
    "audiosearch.__main__",
]


def modules() -> dict[str, Path]:
    """Every module of the two packages by its dotted name."""
    files = [*(ROOT / "audiosearch").rglob("*.py"), *(ROOT / "indexer").rglob("*.py")]
    return {_dotted(file): file for file in files}


def _dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path, names: set[str]) -> Iterator[tuple[str, bool]]:
    """The project's modules that a file imports, and whether it does when it is loaded.

    What stands below ``if TYPE_CHECKING`` is for the type checker and does not count.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    at_load = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = whole if whole in names else node.module
                if target in names:
                    yield target, id(node) in at_load
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in names:
                    yield alias.name, id(node) in at_load


def room(module: str) -> str:
    """The longest name in `ROOMS` that the module is or lies under."""
    fitting = [
        r for r in ROOMS if module == r or (r != "audiosearch" and module.startswith(r + "."))
    ]
    assert fitting, f"{module} is in no room: give it one in ROOMS"
    return max(fitting, key=len)


NAMES = modules()


@pytest.mark.parametrize("module", sorted(NAMES))
def test_imports_run_down(module: str) -> None:
    own = ROOMS.index(room(module))
    for target, at_load in imports(NAMES[module], set(NAMES)):
        down = ROOMS.index(room(target)) <= own
        # The one door down to up: decoding processes, which a search starts when it needs one.
        opened = not at_load and module == "audiosearch.search.isolation"
        public = target == "audiosearch" and not at_load
        assert down or opened or public, f"{module} imports {target}"


def test_no_circle() -> None:
    graph = {
        name: {
            target for target, at_load in imports(file, set(NAMES)) if at_load and target != name
        }
        for name, file in NAMES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


def test_the_read_side_does_not_load_the_write_side() -> None:
    for name, file in NAMES.items():
        if name.startswith("audiosearch"):
            at_load = {target for target, loaded in imports(file, set(NAMES)) if loaded}
            assert not any(target.split(".")[0] == "indexer" for target in at_load), name


if __name__ == "__main__":
    edges: dict[str, set[str]] = {}
    for name, file in NAMES.items():
        for target, _ in imports(file, set(NAMES)):
            if room(target) != room(name):
                edges.setdefault(room(name), set()).add(room(target))
    for below in ROOMS:
        print(f"{below:24} -> {', '.join(sorted(edges.get(below, ()), key=ROOMS.index)) or '-'}")
