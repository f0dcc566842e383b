"""What the documents name is there: links, modules, tests, rooms, and a test for every example."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import pytest

from audiosearch import errors
from tests.documents import LANGUAGES, PAGES, ROOT, anchors, examples, links, prose
from tests.test_rooms import ROOMS

RUNNERS = [
    ROOT / "tests" / "e2e" / name
    for name in ("test_readme.py", "test_embedding.py", "test_postgres.py", "test_two_hosts.py")
]
PATHS = re.compile(r"`((?:audiosearch|indexer|scripts|tests|docs|sample_library)/[^`\s]*)`")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_example_is_run_or_says_why_not(page: Path) -> None:
    runners = "".join(runner.read_text(encoding="utf-8") for runner in RUNNERS)
    for example in examples(page):
        if example.language not in LANGUAGES:
            continue
        assert example.name, f"no comment names the block: {example.code[:60]!r}"
        reason = example.name.partition("not run: ")[2]
        assert reason or f'"{example.name}"' in runners, f"no test runs {example.name!r}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        where, _, anchor = link.partition("#")
        target = (page.parent / where).resolve() if where else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    for path in PATHS.findall(prose(page)):
        if "NAME" in path or "..." in path:
            continue
        file, _, test = path.partition("::")
        assert (ROOT / file).exists(), path
        if test:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), path


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## The rooms")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [room for row in rows for room in re.findall(r"`([\w.]+)`", row)]
    assert named == ROOMS


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def messages_of(module: Path, *, errors_only: bool) -> list[str]:
    """The texts in a module, or those of the errors that it makes, with … for what is filled in."""
    nodes: Iterable[ast.AST] = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    if errors_only:
        nodes = [node.args[0] for node in nodes if _makes_error(node)]
    messages = []
    for node in nodes:
        if isinstance(node, ast.JoinedStr | ast.Constant):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts]
            messages.append("".join(texts))
    return messages


def _makes_error(node: ast.AST) -> TypeGuard[ast.Call]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return False
    kind = getattr(errors, node.func.id, None)
    return isinstance(kind, type) and issubclass(kind, errors.AudioSearchError)


def test_every_message_about_a_database_is_explained() -> None:
    """The table of docs/scale.md has each error of PostgreSQL, in the words of the code."""
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    table = text.partition("### When something is wrong")[2].partition("\n## ")[0]
    explained = [
        ".*".join(map(re.escape, message.split("...")))
        for row in table.splitlines()
        if row.startswith("| `")
        for message in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    catalog = ROOT / "audiosearch" / "catalog"
    modules = [*sorted(catalog.glob("postgres_*.py")), catalog / "migrations.py"]
    for module in modules:
        for message in messages_of(module, errors_only=True):
            assert any(re.search(each, message) for each in explained), f"not there: {message}"
    said = [text for module in modules for text in messages_of(module, errors_only=False)]
    for each in explained:
        assert any(re.search(each, text) for text in said), f"nobody says: {each}"
