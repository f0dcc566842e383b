"""The making of a command from a function.

A command is a function whose parameters carry their `typer.Option` or `typer.Argument` as
`Annotated` types. A parameter whose type is a dataclass stands for the fields of the dataclass,
which are options. So `audiosearch.cli.options` declares shared options once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand

Function = TypeVar("Function", bound=Callable[..., None])


class _Command(TyperCommand):
    """A command whose usage is in the usual form: FILE for a required argument, [FILE] for an
    optional one.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        return [piece[1:-1] if piece.startswith("{") else piece for piece in pieces]


def command_app(**settings: Any) -> typer.Typer:
    """Return an application without rich, which takes 0.1 s to load."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )


def command(app: typer.Typer, name: str | None = None) -> Callable[[Function], Function]:
    """Add the decorated function to `app`, under its own name or `name`."""

    def add(function: Function) -> Function:
        app.command(name, cls=_Command)(merged(function))
        return function

    return add


def merged(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function whose dataclass parameters are replaced by their fields."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        kind = parameter.annotation
        if is_dataclass(kind):
            groups[parameter.name] = kind
            hints = get_type_hints(kind, include_extras=True)
            parameters += [
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=field.default,
                    annotation=hints[field.name],
                )
                for field in fields(kind)
            ]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(function)
    def run(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
        function(**values)

    # Typer reads both.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
