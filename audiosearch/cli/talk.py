"""What training says on its way. It is no command of its own."""

from __future__ import annotations

from typing import Any

import typer

from audiosearch.paths import shown
from audiosearch.training.options import Progress


class Talk(Progress):
    """Notices as lines, and a bar with the time that is left where stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def tell(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        typer.echo(f"audiosearch: {shown(line)}", err=True)

    def begin(self, phase: str, total: int, done: int = 0) -> None:
        from tqdm import tqdm

        self.close()
        self._bar = tqdm(
            total=total, initial=done, desc=phase, disable=None, leave=False, dynamic_ncols=True
        )

    def advance(self, figures: str = "") -> None:
        if self._bar is not None:
            self._bar.update()
            if figures:
                self._bar.set_postfix_str(figures, refresh=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
