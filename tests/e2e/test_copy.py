"""`audiosearch copy`, as it is typed."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.conftest import Shell


def test_a_library_is_carried_to_another_place(shell: Shell, sample_directory: Path) -> None:
    shutil.copytree(sample_directory, shell.library)
    to = shell.home / "Ma bibliothèque 音"
    assert (
        shell("copy", "--to", to).talk.strip() == "61 sounds copied, and compared with their source"
    )
    moved = Shell(shell.home)
    moved.library = to
    assert (
        moved("query", "a dog barks", "--json").objects
        == shell("query", "a dog barks", "--json").objects
    )
    again = shell("copy", "--to", to, code=1)
    assert "holds a library already" in again.talk
    assert (
        shell("copy", "--to", shell.library, code=1)
        .talk.strip()
        .endswith(f"onto itself: {shell.library}")
    )
