"""`audiosearch head`: classifiers that learn from your own labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiosearch.cli import options, render
from audiosearch.cli.commands import command, command_app
from audiosearch.errors import AudioSearchError
from audiosearch.paths import user_path

if TYPE_CHECKING:
    from audiosearch.heads.head import Head

app = command_app(no_args_is_help=True)

HeadName = Annotated[str, typer.Argument(metavar="NAME", help="The name of the head.")]
Confusion = Annotated[
    Path | None,
    typer.Option(
        "--confusion",
        parser=user_path,
        metavar="FILE.svg",
        help="Draw which labels are taken for which others.",
    ),
]


@app.callback()
def head() -> None:
    """Train classifiers on your own labels, over the vectors that a library holds.

    `classify --head NAME` and `query --where head:NAME=LABEL>0.8` use them.
    """


@command(app)
def train(
    name: HeadName,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FOLDER|CSV|TAG",
            help="The labelled sounds: a folder with a folder for each label, a csv (file and "
            "label), or a field in the metadata or tags of the library's sounds.",
        ),
    ],
    library: options.LibraryDirectory = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="file|folder|COLUMN",
            show_default="the csv's column group, the sub-folders of a label, else file",
            help="What belongs together, and is never both learned from and measured on.",
        ),
    ] = None,
    multi: Annotated[
        bool,
        typer.Option("--multi", help="Labels may occur together. Each is looked for by itself."),
    ] = False,
    hidden: Annotated[
        int,
        typer.Option("--hidden", min=0, metavar="N", help="Add a hidden layer of N units."),
    ] = 0,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Give rare labels as much weight as frequent ones.")
    ] = False,
    blend: Annotated[
        bool,
        typer.Option(
            "--blend", help="Start from the labels' names. It helps where examples are few."
        ),
    ] = False,
    folds: Annotated[
        int, typer.Option("--folds", min=2, metavar="N", help="Measure on N parts in turn.")
    ] = 5,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="The seed of what is drawn.")
    ] = 0,
    confusion: Confusion = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a head on labelled sounds, measure it, and keep it in the library.

    Such as: audiosearch head train animals --from ./labelled. The figures come from sounds that the
    head did not learn from; brackets hold 95 % intervals. A head belongs to the library's model.
    """
    # The problem is small: more threads of numpy's BLAS wait for each other (5 times slower on two
    # busy cores).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from tqdm import tqdm

    from audiosearch.library import Library

    with (
        Library.open(library) as opened,
        tqdm(desc="sounds", unit=" sounds", disable=None, leave=False) as bar,
    ):

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        trained = opened.heads.train(
            name,
            source,
            group=group,
            hidden=hidden,
            multi=True if multi else None,
            balanced=balanced,
            blend=blend,
            folds=folds,
            seed=seed,
            on_progress=show,
        )
    for notice in trained.notices:
        typer.echo(f"audiosearch: {notice}", err=True)
    _show(trained.head, confusion, as_json)


@command(app, "list")
def list_heads(library: options.LibraryDirectory = None, as_json: options.AsJson = False) -> None:
    """List the heads of a library."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        heads = opened.heads.all()
    if as_json:
        for one in heads:
            render.json_line(asdict(one))
        return
    if not heads:
        typer.echo("no heads yet: audiosearch head train NAME --from FOLDER", err=True)
        return
    rows = []
    for one in heads:
        figures = one.facts.get("figures") or {}
        state = "ready" if one.usable else "other model"
        accuracy = f"{figures['accuracy']:.3f}" if figures else "-"
        rows.append((one.name, state, one.model, str(len(one.labels)), accuracy, _some(one.labels)))
    titles = ("name", "state", "model", "labels", "accuracy", "such as")
    render.table(titles, rows, (False, False, False, True, True, False))


@command(app)
def show(
    name: HeadName,
    library: options.LibraryDirectory = None,
    confusion: Confusion = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how a head was trained and how well it recognises each label."""
    from audiosearch.library import Library

    with Library.open(library) as opened:
        kept = opened.heads.get(name)
    _show(kept, confusion, as_json)


@command(app)
def remove(
    name: HeadName, library: options.LibraryDirectory = None, dry_run: options.DryRun = False
) -> None:
    """Remove a head from a library. No sound is touched."""
    from audiosearch.errors import HeadNotFound
    from audiosearch.library import Library

    with Library.open(library) as opened:
        if dry_run:
            if name not in [one.name for one in opened.heads.all()]:
                raise HeadNotFound(f"there is no head {name[:80]!r} in the library")
        else:
            opened.heads.remove(name)
    typer.echo(f"{'would remove' if dry_run else 'removed'} the head {name}", err=True)


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "")


def _show(kept: Head, confusion: Path | None, as_json: bool) -> None:
    facts = kept.facts
    figures = facts.get("figures")
    if as_json:
        record = {"name": kept.name, "labels": kept.labels, "multi": kept.multi}
        render.json_line({**record, "model": kept.model, "digest": kept.digest, **facts})
    else:
        _print(kept, facts, figures)
    if confusion:
        _draw(confusion, kept, figures)


def _print(kept: Head, facts: Mapping[str, Any], figures: Mapping[str, Any] | None) -> None:
    kinds = "each by itself" if kept.multi else "one of them each"
    typer.echo(
        f"{kept.name}: {len(kept.labels)} labels ({kinds}), {facts['kind']}, model {kept.model}"
    )
    if not figures:
        typer.echo(f"made {facts.get('made', '')} from {facts.get('source', '')}")
        return
    typer.echo(
        f"measured on {figures['sounds']} sounds in {figures['groups']} groups, "
        f"{figures['folds']} folds"
    )
    rows = [
        ("accuracy", _with(figures, "accuracy")),
        ("balanced accuracy", _with(figures, "balanced_accuracy")),
        ("mAP", _with(figures, "map")),
        ("macro F1", f"{figures['f1']:.3f}"),
        (
            "calibration error",
            f"{figures['calibration_error']:.3f} ({figures['uncalibrated_error']:.3f} before)",
        ),
    ]
    for title, text in rows:
        typer.echo(f"  {title:18} {text}")
    table = []
    for index, label in enumerate(kept.labels):
        others = [(n, kept.labels[i]) for i, n in enumerate(figures["confusion"][index]) if n]
        wrong = max((one for one in others if one[1] != label), default=None)
        taken = f"{wrong[1]} ({wrong[0]})" if wrong else "-"
        recall = f"{figures['recall'][index]:.3f}"
        table.append((recall, str(figures["support"][index]), label, taken))
    heads = ("recall", "sounds", "label", "mostly taken for")
    render.table(heads, table, (True, True, False, False))


def _with(figures: Mapping[str, Any], name: str) -> str:
    low, high = figures[f"{name}_interval"]
    return f"{figures[name]:.3f} [{low:.3f}, {high:.3f}]"


def _draw(file: Path, kept: Head, figures: Mapping[str, Any] | None) -> None:
    import numpy as np

    from audiosearch.evaluation.picture import confusion_svg

    if not figures:
        raise AudioSearchError(
            f"the head {kept.name} was not measured: it has no confusion to draw"
        )
    matrix = np.array(figures["confusion"])
    try:
        picture = confusion_svg(matrix, kept.labels, f"{kept.name}, {kept.model}, held out")
        file.write_text(picture, encoding="utf-8")
    except ValueError as error:
        raise AudioSearchError(f"cannot draw {file}: {error}") from error
    except OSError as error:
        raise AudioSearchError(f"cannot write {file}: {error.strerror or error}") from error
