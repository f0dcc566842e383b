"""The project's documents: README, `docs/` and their neighbours, their examples and their links.

An example is a fenced block of code below a comment with its name: ``<!-- commands -->``. The name
says which test runs it; ``<!-- not run: why -->`` says why none does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = ("sh", "console", "python", "js")
_FENCE = re.compile(
    r"(?:<!-- (?P<name>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Example:
    """A block of code on a page; `name` is empty where no comment names it."""

    page: Path
    name: str
    language: str
    code: str


def examples(page: Path) -> list[Example]:
    """The blocks of code on a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Example(page, match["name"] or "", match["language"], match["code"])
        for match in _FENCE.finditer(text)
    ]


def named(name: str, pages: list[Path] = PAGES) -> list[Example]:
    """Every example of that name."""
    return [example for page in pages for example in examples(page) if example.name == name]


def the_example(page: str, name: str) -> str:
    """The code of the one example of that name on a page, by its path in the repository."""
    (example,) = named(name, [ROOT / page])
    return example.code


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}
