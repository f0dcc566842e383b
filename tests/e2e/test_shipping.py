"""What is shipped: the source archive, the wheel that is built from it, and that wheel in an empty
environment, used outside of the checkout.

Packages are fetched and built for it, so it runs with `AUDIOSEARCH_TESTS=thorough` only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

import audiosearch
from tests.e2e.conftest import SAMPLES
from tests.effort import THOROUGH
from tests.serving import free_port, running

pytestmark = pytest.mark.skipif(not THOROUGH, reason="runs with AUDIOSEARCH_TESTS=thorough")

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("audiosearch", "indexer")
NEEDED = [
    "audiosearch/py.typed",
    "indexer/py.typed",
    "audiosearch/models/mini/model.json",
    "audiosearch/models/mini/audio.onnx",
    "audiosearch/models/mini/text.onnx",
    "audiosearch/models/mini/tokenizer.json",
    "audiosearch/models/mini/README.md",
    "audiosearch/models/probe/bee.ogg",
    "audiosearch/server/page/index.html",
    "audiosearch/server/page/main.js",
    "audiosearch/server/page/base.css",
]


def sources() -> set[str]:
    """Every file of the packages, by its path in the repository."""
    return {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel), the one built from the other."""
    into = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", into, REPOSITORY], check=True)
    (sdist,) = into.glob("*.tar.gz")
    (wheel,) = into.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_the_packages_and_nothing_else(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[1]) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
    information = {name for name in names if ".dist-info/" in name}
    assert names - information == sources()
    assert set(NEEDED) <= names
    assert any(name.endswith("/licenses/LICENSE") for name in information)
    assert audiosearch.__version__ in archives[1].name


def test_the_source_archive_is_enough_to_build(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert sources() <= names
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


@pytest.fixture(scope="module")
def installed(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment with the wheel and what it needs, and no more."""
    where = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", where], check=True)
    scripts = where / ("Scripts" if sys.platform == "win32" else "bin")
    command = [str(scripts / "python"), "-m", "pip", "install", "-q", f"{archives[1]}[serve]"]
    subprocess.run(command, check=True, cwd=where)
    return scripts


def test_the_wheel_works_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    home = tmp_path / "a home"
    shutil.copytree(SAMPLES, home / "sounds")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    environment |= {"HOME": str(home), "VIRTUAL_ENV": str(installed.parent)}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [installed / command[0], *command[1:]],
            cwd=home, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    asked = "import audiosearch, importlib.metadata as m; print(audiosearch.__file__); "
    asked += "print(audiosearch.__version__ == m.version('audiosearch'))"
    where, agree = run("python", "-c", asked).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert agree == "True"
    library = ["-L", "my.library"]
    run("audiosearch", "index", *library, "sounds")
    query = ["query", *library, "campfire crackling", "-k", "1", "--paths"]
    assert run("audiosearch", *query).strip() == str(home / "sounds/fire/campfire.ogg")
    run("audiosearch", "doctor", *library)
    assert "mini: works" in run("audiosearch", "models", "check")
    assert "recall" in run("audiosearch", "eval", "sounds", "--bootstrap", "20")
    port = free_port()
    serve = [installed / "audiosearch", "serve", *library, "--port", str(port)]
    with (
        running(serve, port, cwd=home, env=environment),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):
        assert "audiosearch" in client.get("/").text
        assert client.get("/main.js").is_success
        found = client.get("/v1/search", params={"q": "dog barking"}).json()
        assert "dogs" in found["hits"][0]["path"]
