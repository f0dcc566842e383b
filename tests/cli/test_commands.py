"""Commands as Typer sees them: shared options, help, and what each loads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import audiosearch.cli
from audiosearch.catalog.filters import Filter
from audiosearch.cli import options
from audiosearch.cli.commands import command, command_app, merged
from audiosearch.cli.main import app as audiosearch_app


@dataclass(frozen=True, kw_only=True)
class Weather:
    rain: Annotated[bool, typer.Option("--rain", help="Rain.")] = False
    wind: Annotated[list[int] | None, typer.Option("--wind", help="Wind.")] = None


def test_fields_of_a_dataclass_become_options_in_their_place() -> None:
    calls: list[tuple[Any, ...]] = []
    app = command_app()

    @command(app)
    def walk(
        *,
        where: Annotated[str, typer.Argument(help="A place.")],
        weather: Weather,
        far: Annotated[bool, typer.Option("--far", help="Far.")] = False,
    ) -> None:
        calls.append((where, weather, far))

    result = CliRunner().invoke(app, ["hill", "--wind", "3", "--far", "--wind", "5"])
    assert result.exit_code == 0, result.output
    assert calls == [("hill", Weather(wind=[3, 5]), True)]
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert re.findall(r"^  --(\w+)", text, re.MULTILINE)[:3] == ["rain", "wind", "far"]
    assert "Usage: walk [OPTIONS] WHERE" in text.replace("where", "WHERE")


def test_a_function_without_groups_keeps_its_parameters() -> None:
    def walk(where: Annotated[str, typer.Argument()], far: bool = False) -> None: ...

    assert list(merged(walk).__signature__.parameters) == ["where", "far"]  # type: ignore[attr-defined]


def test_filters_are_those_of_the_library() -> None:
    names = set(Filter.__dataclass_fields__)
    assert set(options.Filters.__dataclass_fields__) <= names
    assert options.Filters().where == {}
    assert options.Filters(rate=[8_000], min_duration=0.0).where == {
        "rate": [8_000],
        "min_duration": 0.0,
    }


def every_command() -> Iterator[tuple[str, Any]]:
    """Each command and subcommand with the words that call it."""
    group: Any = get_command(audiosearch_app)
    for name in group.list_commands(None):
        made = group.get_command(None, name)
        yield name, made
        for part, subcommand in getattr(made, "commands", {}).items():
            yield f"{name} {part}", subcommand


@pytest.mark.parametrize("words", [words for words, _ in every_command()])
def test_help_is_plain_and_fits_80_columns(words: str) -> None:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(audiosearch_app, [*words.split(), "--help"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Usage: ")
    assert max(len(line) for line in lines) <= 80
    assert result.stdout.isascii()  # no frames


@pytest.mark.parametrize(("words", "made"), list(every_command()))
def test_every_option_says_what_it_does(words: str, made: Any) -> None:
    assert made.help
    for parameter in made.params:
        text = parameter.help or ""
        assert re.match(r"[A-Za-z$].*\.$", text, re.DOTALL), f"{words} {parameter.name}: {text!r}"


LOADED = """
import sys
from audiosearch.cli.main import main
sys.argv = ["audiosearch", *{words!r}]
try:
    main()
except SystemExit:
    print(sorted(set(sys.modules) & {{*{suspects!r}}}), file=sys.stderr)
"""


def loaded(words: list[str], suspects: list[str]) -> str:
    code = LOADED.format(words=words, suspects=suspects)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stderr.strip()


def test_help_loads_nothing_heavy() -> None:
    heavy = ["numpy", "sqlalchemy", "onnxruntime", "torch", "rich", "pydantic", "click", "tqdm"]
    assert loaded(["--help"], heavy) == "[]"


def test_a_command_loads_only_itself() -> None:
    names = ["audiosearch.cli.status", "audiosearch.cli.eval", "audiosearch.cli.serve"]
    assert loaded(["status", "--help"], names) == "['audiosearch.cli.status']"


def test_click_is_not_imported() -> None:
    for package in ("audiosearch", "indexer"):
        folder = Path(audiosearch.cli.__file__).parents[2] / package
        for file in folder.rglob("*.py"):
            assert not re.search(r"^\s*(import|from) click\b", file.read_text("utf-8"), re.M), file
