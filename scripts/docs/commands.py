"""The reference of commands, as Markdown, made from the commands themselves.

`python -m scripts.docs.commands` prints it. It reads what `--help` reads, so it cannot differ.
"""

from __future__ import annotations

import re
from typing import Any

from typer.main import get_command

HEAD = """# Commands

This page is made from the commands themselves; `audiosearch COMMAND --help` prints the same. Data
goes to stdout, messages go to stderr. Exit codes: 0 done, 1 an error that you can fix, 2 a wrong
command line, 130 interrupted.
"""


def reference() -> str:
    """Every command with its arguments and options."""
    from audiosearch.cli.main import app

    root: Any = get_command(app)
    context: Any = root.make_context("audiosearch", [], resilient_parsing=True)
    return HEAD + "".join(_commands(root, context, level=2))


def _commands(group: Any, context: Any, level: int) -> list[str]:
    """The sections of a group's commands, and of theirs."""
    sections = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        sections.append(_section(command, inner, level))
        if hasattr(command, "list_commands"):
            sections += _commands(command, inner, level + 1)
    return sections


def _section(command: Any, context: Any, level: int) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = ["", f"{'#' * level} {context.command_path}", ""]
    lines += ["```text", f"{context.command_path} {usage}", "```", ""]
    for paragraph in (command.help or "").split("\n\n"):
        lines += [_text(" ".join(paragraph.split())), ""]
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and "--help" not in record[0]
    ]
    if rows:
        lines += ["| option | what it does |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(_text(what))} |" for names, what in rows]
        lines.append("")
    return "\n".join(lines)


def _text(text: str) -> str:
    """Plain text as Markdown: what looks like markup is shown as it is."""
    return re.sub(r"([*_<>\[\]{}])", r"\\\1", text.replace("\b", ""))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(reference())
