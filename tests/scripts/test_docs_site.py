"""What makes the documentation site: the reference of commands, links, doctests."""

from __future__ import annotations

import re
import subprocess

import pytest

from scripts.docs.commands import reference
from tests.e2e.conftest import COMMAND


def sections() -> dict[str, str]:
    """The text below each heading of the reference, by command."""
    parts = re.split(r"^#+ (audiosearch .+)$", reference(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = sections()


@pytest.mark.parametrize("command", ["index", "query", "eval", "models add", "keys make"])
def test_every_option_of_a_command_is_in_the_reference(command: str) -> None:
    done = subprocess.run(
        [COMMAND, *command.split(), "--help"], capture_output=True, text=True, check=True
    )
    options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", done.stdout, re.MULTILINE)) - {"--help"}
    assert len(options) >= 2
    shown = set(re.findall(r"^\| `(?:-\w, )?(--[\w-]+)", SECTIONS[f"audiosearch {command}"], re.M))
    assert shown == options


def test_every_command_is_in_the_reference() -> None:
    done = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    listed = re.findall(r"^  (\w+) ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert len(listed) >= 12
    assert [f"audiosearch {name}" for name in listed] == [
        name for name in SECTIONS if name.count(" ") == 1
    ]


def test_markup_in_help_is_shown_as_it_is() -> None:
    from scripts.docs.commands import _cell, _text

    assert _cell(_text("'{}' or *<a|b>*")) == r"'\{\}' or \*\<a\|b\>\*"


def test_doctests_are_fenced() -> None:
    pytest.importorskip("griffe")
    from scripts.docs.doctests import fenced

    docstring = "Text.\n\n>>> one()\n1\n>>> two()\n2\n\nMore.\n\n>>> three()"
    assert fenced(docstring) == (
        "Text.\n\n```pycon\n>>> one()\n1\n>>> two()\n2\n```\n\nMore.\n\n```pycon\n>>> three()\n```"
    )


@pytest.mark.parametrize(
    ("source", "link", "target"),
    [
        (
            "docs/models.md",
            "../audiosearch/models/mini/README.md",
            "audiosearch/models/mini/README.md",
        ),
        ("docs/reference/python.md", "../python.md#errors", "docs/python.md"),
        ("CONTRIBUTING.md", "docs/architecture.md", "docs/architecture.md"),
        ("docs/models.md", "https://example.org/x.md", None),
        ("docs/models.md", "#here", None),
    ],
)
def test_links_are_read_from_where_they_stand(source: str, link: str, target: str | None) -> None:
    pytest.importorskip("mkdocs")
    from scripts.docs.hooks import _target

    assert _target(source, link)[0] == target


@pytest.mark.parametrize(
    ("html", "loads"),
    [
        ('<script src="https://cdn.example/x.js"></script>', True),
        ("<link rel=stylesheet href=//fonts.example/x.css>", True),
        ('<img alt="" src="https://img.example/x.png">', True),
        ('<a href="https://example.org/">a link</a>', False),
        ('<script src="assets/x.js"></script>', False),
    ],
)
def test_what_other_hosts_would_serve_is_seen(html: str, loads: bool) -> None:
    pytest.importorskip("mkdocs")
    from scripts.docs.hooks import _LOADED

    assert bool(_LOADED.search(html)) is loads
