"""The options that several commands share, and their values for the library.

A single option is an `Annotated` type. Options that go together are a dataclass: a command takes
one as a parameter, and `audiosearch.cli.commands` puts its fields among the command's options.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.errors import InvalidQuery
from audiosearch.paths import is_address, library_address, user_path

if TYPE_CHECKING:
    from audiosearch.search.query import Group


def path_text(text: str) -> str:
    """Return a path of the command line as text. Raises `InvalidQuery` for an empty path."""
    return str(user_path(text))


def library_text(text: str) -> str:
    """Return where the library is: a path, or the address of a server. A password in it works, but
    whoever lists this machine's processes sees it. Raises `InvalidQuery` for an empty path.
    """
    address = library_address(text)
    if is_address(address):
        from audiosearch.catalog.postgres_address import read_address

        if read_address(address).has_password:
            typer.echo(
                "note: others on this machine can see the password of the library: keep it in the file "
                "named by PGPASSFILE (~/.pgpass), or in PGPASSWORD",
                err=True,
            )
    return address


def head_bound(text: str) -> str:
    """Return the bound on a head that ``head:NAME=LABEL>0.8`` states. Raises `InvalidQuery`."""
    kind, colon, bound = text.partition(":")
    if kind != "head" or not colon:
        raise InvalidQuery(
            f"cannot read --where {text[:80]!r}: it is head:NAME=LABEL>0.8, in quotes, with the name "
            "of a head of the library"
        )
    return bound


LibraryDirectory = Annotated[
    str | None,
    typer.Option(
        "-L",
        "--library",
        parser=library_text,
        metavar="DIR",
        show_default="$AUDIOSEARCH_LIBRARY, else one in your user data directory",
        help="The directory of the library, or postgresql://USER@HOST/DATABASE.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
OnlyPaths = Annotated[bool, typer.Option("--paths", help="Print paths only, one a line.")]
DryRun = Annotated[
    bool,
    typer.Option("-n", "--dry-run", help="Show what the command would do, and change nothing."),
]


class Grouping(StrEnum):
    """The values of --group."""

    none = auto()
    content = auto()
    near = auto()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The number of hits, and their form."""

    k: Annotated[int, typer.Option("-k", "--results", min=1, metavar="N", help="Show N hits.")] = 10
    moments: Annotated[
        bool,
        typer.Option(
            "--moments", help="Show every matching moment of a sound, not only its best one."
        ),
    ] = False
    grouping: Annotated[
        Grouping | None,
        typer.Option(
            "--group",
            show_default="content in tables, else none",
            help="Show one hit for sounds with identical content, or near-duplicates as well.",
        ),
    ] = None
    as_json: AsJson = False
    paths: OnlyPaths = False
    null: Annotated[
        bool,
        typer.Option("-0", "--null", help="Print paths only, each ended by a NUL, for xargs -0."),
    ] = False

    @property
    def is_table(self) -> bool:
        """Whether the answer is a table for people."""
        return not (self.as_json or self.paths or self.null)

    @property
    def group(self) -> Group:
        """What shares a hit. In a table identical sounds share a row unless the user says else."""
        if self.grouping is None:
            return self.is_table
        return "near" if self.grouping is Grouping.near else self.grouping is Grouping.content


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a sound file, in seconds. `None` is the start or the end of the file."""

    start: Annotated[
        float | None,
        typer.Option("--from", metavar="SECONDS", help="Use the file from this second on."),
    ] = None
    end: Annotated[
        float | None,
        typer.Option("--to", metavar="SECONDS", help="Use the file up to this second."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters that decide which sounds count. The fields are those of
    `audiosearch.catalog.filters.Filter`.
    """

    min_duration: Annotated[
        float | None,
        typer.Option("--min-duration", metavar="SECONDS", help="Only sounds this long or longer."),
    ] = None
    max_duration: Annotated[
        float | None,
        typer.Option("--max-duration", metavar="SECONDS", help="Only sounds this long or shorter."),
    ] = None
    min_loudness: Annotated[
        float | None,
        typer.Option("--min-loudness", metavar="LUFS", help="Only sounds this loud or louder."),
    ] = None
    max_loudness: Annotated[
        float | None,
        typer.Option("--max-loudness", metavar="LUFS", help="Only sounds this loud or quieter."),
    ] = None
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="GLOB",
            help='Only sounds whose path matches, in any case: "*/doors/*". Repeatable.',
        ),
    ] = None
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Only this container, encoding or suffix: wav, opus, m4b. Repeatable.",
        ),
    ] = None
    channels: Annotated[
        list[int] | None,
        typer.Option("--channels", metavar="N", help="Only sounds with N channels. Repeatable."),
    ] = None
    rate: Annotated[
        list[int] | None,
        typer.Option("--rate", metavar="HZ", help="Only this sample rate. Repeatable."),
    ] = None
    root: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            parser=path_text,
            metavar="DIR",
            help="Only sounds at or below this folder. Repeatable.",
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Only files modified since WHEN: 2026-01-31, or 7d, 2w, 3m (months) ago.",
        ),
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="[KEY=]WORD",
            help="Only sounds with WORD in their metadata, or in its field KEY. Repeatable.",
        ),
    ] = None
    ucs_category: Annotated[
        list[str] | None,
        typer.Option(
            "--ucs-category",
            metavar="NAME",
            help="Only names of this UCS category: DOORWood, DOOR, DOORS, DOORS-WOOD. Repeatable.",
        ),
    ] = None

    head: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            parser=head_bound,
            metavar="head:NAME=LABEL>0.8",
            help="Only sounds whose probability of LABEL, by the trained head NAME, is above the "
            "bound (or >=, <, <=). Repeatable: all must hold.",
        ),
    ] = None

    @property
    def where(self) -> dict[str, Any]:
        """Return the filters in use, in the form that `Library.search` takes."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}
