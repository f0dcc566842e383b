"""What happens to a server of PostgreSQL while it holds a library: restarts, full disks, crashes.

After each, nothing is half stored, and a rerun makes of the library what an undisturbed run makes.
"""

from __future__ import annotations

import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from audiosearch import Library
from audiosearch.care.doctor import check
from audiosearch.catalog.schema import contents, embeddings, roots, sounds, windows
from audiosearch.catalog.store import Address, store_at
from audiosearch.errors import LibraryReadOnly, LibraryUnreachable
from tests.e2e.conftest import COMMAND, Shell, write
from tests.effort import thorough_only
from tests.own_server import Server, one_line, own_server, running_server
from tests.serving import free_port, running
from tests.torture.kills import make_sounds
from tests.waiting import halted, wait_until

pytestmark = thorough_only

SOUNDS = 150


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server() as server:
        yield server


@pytest.fixture
def pg(shell: Shell, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell whose library is in an empty database, and a folder `in` of small sounds."""
    monkeypatch.setenv("AUDIOSEARCH_FILES", str(shell.home / "files"))
    shell.environment["AUDIOSEARCH_FILES"] = str(shell.home / "files")
    make_sounds(shell.home / "in", SOUNDS)
    name = f"sounds_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {name}")
    shell.library = server.url(name)  # type: ignore[assignment]
    yield shell
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """What a library in a folder says of the same sounds."""
    shell = Shell(tmp_path_factory.mktemp("undisturbed"))
    make_sounds(shell.home / "in", SOUNDS)
    shell("index", shell.home / "in")
    return says(shell.library)


def says(where: Address) -> list[tuple[object, ...]]:
    """Every sound with its vectors, in order of path."""
    columns = (contents.c.hash, windows.c.position, windows.c.start, windows.c.end)
    vectors = (windows.c.vector, embeddings.c.mean, windows.c.model_id)
    query = select(sounds.c.path, *columns, *vectors).select_from(
        sounds.join(contents).join(embeddings).join(windows, windows.c.content_id == contents.c.id)
    )
    engine = store_at(where).reader()
    with engine.connect() as connection:
        rows = sorted(tuple(row) for row in connection.execute(query))
        assert connection.execute(select(roots)).all()
    engine.dispose()
    return rows


def stored(where: Address) -> int:
    """Return the number of committed sounds; 0 where there is no library yet."""
    store = store_at(where)
    if not store.exists():
        return 0
    engine = store.reader()
    with engine.connect() as connection:
        count = len(connection.execute(select(sounds.c.id)).all())
    engine.dispose()
    return count


def is_whole(shell: Shell, undisturbed: list[tuple[object, ...]]) -> None:
    """Index once more: the outcome is that of an undisturbed run."""
    address = str(shell.library)
    assert [each for each in check(address) if each.level == "error"] == []
    before = stored(address)
    talk = shell("index", shell.home / "in").talk
    assert before < SOUNDS
    assert stored(address) == SOUNDS
    assert says(address) == undisturbed, talk
    assert [each for each in check(address) if each.level == "error"] == []


LOST = (
    r"(the connection to the library {0} was lost \(.+\)|"
    r"the connection that held the writer's lock of {0} was lost): what was committed is kept; "
    r"run the command again|cannot connect to the library {0}: .+; is the server running, and is that "
    r"its address\?|cannot connect to the library {0}: .+; try again in a moment"
)


def lost(shell: Shell) -> str:
    return LOST.format(re.escape(str(shell.library).replace("postgres:@", "postgres@")))


@contextmanager
def index_half(shell: Shell) -> Iterator[subprocess.Popen[str]]:
    """An index run in the middle, when a part is committed; it stands still until it is sent SIGCONT."""
    command: list[str | Path] = [COMMAND, "index", "-L", shell.library]
    command += [shell.home / "in", "--workers", "1"]

    def start() -> subprocess.Popen[str]:
        if stored(str(shell.library)):
            shell("remove", shell.home / "in")
        return subprocess.Popen(command, env=shell.environment, stderr=subprocess.PIPE, text=True)

    with halted(start, lambda: 0 < stored(str(shell.library)) < SOUNDS) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def test_the_server_ends_in_the_middle_of_a_run(
    pg: Shell, server: Server, undisturbed: list[tuple[object, ...]]
) -> None:
    with index_half(pg) as process:
        server.stop()
        process.send_signal(signal.SIGCONT)
        _, talk = process.communicate()
    server.start()
    assert process.returncode == 1
    assert re.fullmatch(lost(pg), one_line(talk)), talk
    is_whole(pg, undisturbed)


def test_the_server_is_started_anew_in_the_middle_of_a_run(
    pg: Shell, server: Server, undisturbed: list[tuple[object, ...]]
) -> None:
    """The run notices that its lock went, though every connection could be made again."""
    with index_half(pg) as process:
        server.stop()
        server.start()
        process.send_signal(signal.SIGCONT)
        _, talk = process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(lost(pg), one_line(talk)), talk
    is_whole(pg, undisturbed)


def test_a_library_that_is_open_outlives_a_restart(pg: Shell, server: Server) -> None:
    pg("index", pg.home / "in")
    with Library.open(str(pg.library)) as library:
        before = library.search("a tone")
        server.stop()
        server.start()
        assert library.search("a tone") == before
        server.stop()
        with pytest.raises(Exception, match="cannot connect to the library"):
            library.search("a tone")
        server.start()
        assert library.search("a tone") == before


def test_a_served_library_outlives_a_restart(pg: Shell, server: Server) -> None:
    pg("index", pg.home / "in")
    port = free_port()
    command = [COMMAND, "serve", "-L", pg.library, "--port", str(port)]
    with (
        running(command, port, env=pg.environment, cwd=pg.home) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):

        def search() -> httpx.Response:
            return client.get("/v1/search", params={"q": "a tone"})

        before = search().json()["hits"]
        server.stop()
        down = search()
        assert down.status_code == 503
        assert down.headers["content-type"] == "application/problem+json"
        assert "cannot connect to the library" in down.json()["detail"]
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        server.start()
        assert search().json()["hits"] == before
        write(pg.home / "in" / "new.wav")
        made = client.post("/v1/jobs", json={"paths": [str(pg.home / "in")]}).json()

        def finished() -> bool:
            return bool(client.get(f"/v1/jobs/{made['id']}").json()["finished"])

        wait_until(finished, process)
        assert client.get(f"/v1/jobs/{made['id']}").json()["state"] == "done"


# -- full disks -------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of this size. Skips the test where that is not permitted."""
    folder.mkdir()
    size = f"size={megabytes}m"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk: Path, leave: int) -> Iterator[None]:
    """Fill a disk but for so many bytes, until the block ends."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free - leave))
    try:
        yield
    finally:
        filler.unlink()


def test_the_disk_of_the_tables_is_full(pg: Shell, undisturbed: list[tuple[object, ...]]) -> None:
    with own_server() as server, small_disk(server.folder / "small", 60) as disk:
        server.own(disk)
        server.execute(
            f"CREATE TABLESPACE small LOCATION '{disk}'", "CREATE DATABASE sounds TABLESPACE small"
        )
        pg.library = server.url("sounds")  # type: ignore[assignment]
        shown = str(pg.library).replace("postgres:@", "postgres@")
        make_sounds(pg.home / "first", 30, SOUNDS)
        pg("index", pg.home / "first")
        with full(disk, 100_000):
            line = one_line(pg("index", pg.home / "in", code=1).talk)
            assert line == (
                f"cannot write the library {shown}: the server's disk is full; what was committed is "
                "kept"
            )
            # One of the first thirty is broken.
            assert len(pg("query", "a tone", "-k", "100", "--json").objects) >= 29
        pg("remove", pg.home / "first")
        is_whole(pg, undisturbed)


def test_the_disk_of_the_servers_log_is_full(
    pg: Shell, undisturbed: list[tuple[object, ...]]
) -> None:
    """Then the server itself ends, as PostgreSQL does, and with it every connection; or it says so
    before, while it makes room for its log.
    """
    with own_server() as server, small_disk(server.folder / "small", 40) as disk:
        server.stop("fast")
        server.run("pg_resetwal", "--wal-segsize=1", "-D", server.data)
        moved = Path(shutil.move(server.data / "pg_wal", disk / "log"))
        for path in (disk, moved, *moved.rglob("*")):
            server.own(path)
        (server.data / "pg_wal").symlink_to(moved)
        server.configure("min_wal_size = 2MB\nmax_wal_size = 20MB\n")
        server.start()
        server.execute("CREATE DATABASE sounds")
        pg.library = server.url("sounds")  # type: ignore[assignment]
        make_sounds(pg.home / "first", 30, SOUNDS)
        pg("index", pg.home / "first")
        with (
            full(disk, 0),
            Library.open(str(pg.library)) as library,
            pytest.raises((LibraryUnreachable, LibraryReadOnly)) as error,
        ):
            library.add(pg.home / "in", metadata={"notes": unlike_words(300_000)})
        if not isinstance(error.value, LibraryReadOnly):
            assert re.fullmatch(lost(pg), str(error.value)), error.value
        with suppress(AssertionError):
            server.stop()  # it may have ended by itself
        server.start()
        assert stored(str(pg.library)) >= 30
        pg("remove", pg.home / "first")
        is_whole(pg, undisturbed)


# -- odd values -------------------------------------------------------------------------------


def unlike_words(characters: int) -> str:
    """Words of which no two are alike, so that no compression makes them small."""
    numbers = np.random.default_rng(0).integers(36**7, 36**8, characters // 9 + 1)
    return " ".join(np.base_repr(number, 36).lower() for number in numbers)[:characters]


def test_metadata_of_100_000_characters(pg: Shell) -> None:
    text, name = unlike_words(100_000), "x" * 100_000
    with Library.open(str(pg.library), create=True) as library:
        library.add(pg.home / "in" / "0000.wav", external_id=name, metadata={"notes": text})
        (sound,) = library.sounds()
        assert (sound.external_id, sound.metadata) == (name, {"notes": text})
        word = text.split()[-2]
        assert [s.id for s in library.sounds(where={"tag": f"notes={word}"})] == [sound.id]
        assert [change.external_id for change in library.changes()] == [name]
    assert pg("query", text.split()[0], "--match", "words", "--json").objects[0]["id"] == sound.id


def test_a_dump_that_is_restored(pg: Shell, server: Server) -> None:
    """It is a library as the one that it was made from, and takes new sounds."""
    pg("index", pg.home / "in", "--exclude", "old")
    dump = server.folder / "dump"
    server.run("pg_dump", "-Fc", "-d", str(pg.library), "-f", dump)
    before, words = says(str(pg.library)), pg("query", "0007", "--match", "words", "--json").out
    server.execute("CREATE DATABASE restored")
    restored = server.url("restored")
    server.run("pg_restore", "--exit-on-error", "-d", restored, dump)
    pg.library = restored  # type: ignore[assignment]
    assert says(restored) == before
    assert pg("query", "0007", "--match", "words", "--json").out == words
    write(pg.home / "in" / "new.wav")
    with Library.open(restored) as library:
        last = list(library.changes())[-1].number
        assert library.add(pg.home / "in").added == 1
        assert [each.kind for each in library.changes(last)] == ["changed"]
    assert pg("doctor").talk.endswith("is consistent\n")


def test_a_replica_answers_and_takes_over(pg: Shell, server: Server) -> None:
    """It answers as the primary does, refuses to write, and writes once it is promoted."""
    pg("index", pg.home / "in")
    name = str(pg.library).partition("?")[0].rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="audiosearch-pg-", ignore_cleanup_errors=True) as made:
        replica = replace(server, folder=Path(made), port=free_port())
        replica.own(replica.folder)
        server.run("pg_basebackup", "-R", "-c", "fast", "-D", replica.data, "-d", server.url())
        with running_server(replica):
            there = Shell(pg.home)
            there.environment = pg.environment
            there.library = replica.url(name)  # type: ignore[assignment]
            question = ("query", "a tone", "--json")
            assert there(*question).out == pg(*question).out
            assert there("doctor").code == 0
            assert "sounds" in there("status").text
            for command in (("index",), ("remove", pg.home / "in")):
                shown = replica.url(name).replace("postgres:@", "postgres@")
                assert one_line(there(*command, code=1).talk) == (
                    f"cannot write the library {shown}: the server only lets it be read"
                )
            hosts = f"postgres:@{server.address},{replica.address}"
            both = f"postgresql://{hosts}/{name}?target_session_attrs=read-write"
            server.stop()
            try:
                replica.run("pg_ctl", "-w", "-t", "600", "-D", replica.data, "promote")
                there.library = both  # type: ignore[assignment]
                write(pg.home / "in" / "new.wav")
                assert "1 added" in there("index").talk
                assert there("doctor").talk.endswith("is consistent\n")
            finally:
                server.start()
