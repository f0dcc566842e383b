"""What a cold query loads: nothing heavy that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.libraries import random_units, synthetic

# A few of these cost more than all the rest of a query together (`import transformers`: seconds).
HEAVY = ["torch", "transformers", "onnx", "scipy", "sqlalchemy.orm", "av", "soundfile", "soxr"]
HEAVY += ["mutagen", "tqdm", "filelock", "indexer", "fastapi", "rich", "ray", "psycopg"]
HEAVY += ["sqlalchemy.dialects.postgresql"]  # an option of one table would load it

QUERY = """
import sys
sys.argv = ["audiosearch", "query", "-L", {library!r}, "rain", "--json"]
from audiosearch.cli import main
try:
    main()
finally:
    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


def test_query(tmp_path: Path) -> None:
    with synthetic(tmp_path / "library") as made:
        made.add("a.wav", random_units(1, 1))
        made.refresh()
    code = QUERY.format(library=str(tmp_path / "library"), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"rank": 1' in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("module", ["audiosearch", "audiosearch.cli.main"])
def test_help_loads_next_to_nothing(module: str) -> None:
    heavy = [*HEAVY, "numpy", "sqlalchemy", "onnxruntime", "faiss"]
    code = f"import sys, {module}; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_indexing_here_loads_nothing_of_a_cluster() -> None:
    code = (
        "import sys; from indexer import executor, run; from indexer.options import Options; Options();"
        "print([n for n in sys.modules if n == 'ray' or n.startswith('indexer.cluster')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
