"""The store in PostgreSQL: creation, rights, locks, lost connections, and its errors in one line."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select, text

from audiosearch.catalog.postgres_driver import driver, postgres_error
from audiosearch.catalog.schema import at_path, sounds
from audiosearch.catalog.store import Store, store_at
from audiosearch.errors import (
    AudioSearchError,
    LibraryBusy,
    LibraryDamaged,
    LibraryNotFound,
    LibraryReadOnly,
    LibraryUnreachable,
)
from indexer.store import create_library
from tests.postgres_server import postgres_engine, postgres_server, postgres_url  # noqa: F401


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Engine]:  # noqa: F811
    engine = postgres_engine(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def run(admin: Engine, *statements: str) -> None:
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def as_role(url: str, role: str) -> str:
    return url.replace("postgres:@", f"{role}@", 1)


@pytest.fixture
def store(postgres_url: str) -> Store:  # noqa: F811
    create_library(postgres_url)
    return store_at(postgres_url)


def test_there_is_none_until_it_is_made(postgres_url: str) -> None:  # noqa: F811
    empty = store_at(postgres_url)
    assert not empty.exists()
    with pytest.raises(LibraryNotFound, match="make one with"):
        empty.reader()
    with pytest.raises(LibraryNotFound):
        empty.writer()
    create_library(empty)
    assert empty.exists()
    assert empty.size() > 0
    create_library(empty)  # it stays as it is


def test_two_libraries_in_one_database(store: Store) -> None:
    other = store_at(f"{_url(store)}&schema=other")
    assert not other.exists()
    create_library(other)
    ids = set()
    for each in (store, other):
        engine = each.reader()
        with engine.connect() as connection:
            query = text("SELECT value FROM meta WHERE key = 'library_id'")
            ids.add(connection.execute(query).scalar_one())
        engine.dispose()
    assert len(ids) == 2


def _url(store: Store) -> str:
    return store.name.replace("postgresql://postgres@", "postgresql://postgres:@", 1)


def test_another_programs_schema(postgres_url: str, admin: Engine) -> None:  # noqa: F811
    run(admin, "CREATE SCHEMA audiosearch", "CREATE TABLE audiosearch.recipes (id int)")
    for use in (store_at(postgres_url).exists, lambda: create_library(postgres_url)):
        with pytest.raises(LibraryDamaged, match=r"other tables \(recipes\)"):
            use()


def test_a_table_of_that_name_elsewhere(postgres_url: str, admin: Engine) -> None:  # noqa: F811
    run(admin, "CREATE TABLE public.sounds (id int)")
    with pytest.raises(LibraryDamaged, match="another program's table sounds"):
        create_library(postgres_url)


def test_a_database_without_pgvector(store: Store, admin: Engine) -> None:
    run(admin, "DROP EXTENSION vector CASCADE")
    with pytest.raises(AudioSearchError, match="lacks pgvector"):
        store.reader()


def test_a_role_that_may_not(postgres_url: str, admin: Engine, store: Store) -> None:  # noqa: F811
    name = f"reader_{threading.get_native_id()}"
    run(admin, f"CREATE ROLE {name} LOGIN")
    try:
        mine = store_at(as_role(postgres_url, name))
        with pytest.raises(LibraryReadOnly, match="GRANT USAGE"):
            mine.reader()
        run(
            admin,
            f"GRANT USAGE ON SCHEMA audiosearch TO {name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA audiosearch TO {name}",
        )
        with mine.translating(), mine.reader().connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM sounds")).scalar_one() == 0
        with (
            pytest.raises(LibraryReadOnly, match="may not"),
            mine.translating(),
            mine.writer().begin(),
        ):
            pass
        fresh = store_at(as_role(postgres_url, name) + "&schema=mine")
        with pytest.raises(LibraryReadOnly, match="may not make the schema mine"):
            create_library(fresh)
    finally:
        run(admin, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_one_holder_of_each_role(store: Store) -> None:
    with store.lock():
        with pytest.raises(LibraryBusy, match=r"is being written by process \d+ on "), store.lock():
            pass
        with pytest.raises(LibraryBusy), store.lock(wait=0.05):
            pass
        with store.lock(role="watcher"), pytest.raises(LibraryBusy, match="watches for"):
            store.lock(role="watcher").__enter__()
    with store.lock(wait=None):
        pass


def test_whoever_lost_the_lock_writes_nothing_more(store: Store, admin: Engine) -> None:
    with store.lock() as held:
        engine = held.writer()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO meta VALUES ('kept', '1')"))
            number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run(
            admin,
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' "
            f"AND pid <> {number}",
        )
        with (
            pytest.raises(LibraryUnreachable, match=r"lock of .* was lost"),
            held.translating(),
            engine.begin(),
        ):
            pass
        engine.dispose()
        with store.lock(wait=5):  # another takes it
            pass


def test_a_connection_that_is_lost(store: Store, admin: Engine) -> None:
    engine = store.writer()
    with (
        pytest.raises(LibraryUnreachable, match=r"was lost .* run the command again"),
        store.translating(),
        engine.begin() as connection,
    ):
        connection.execute(text("INSERT INTO meta VALUES ('lost', '1')"))
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run(admin, f"SELECT pg_terminate_backend({number}, 60000)")
        connection.execute(text("SELECT 1"))
    with engine.begin() as connection:  # the next one is a new one
        query = text("SELECT count(*) FROM meta WHERE key = 'lost'")
        assert connection.execute(query).scalar_one() == 0
    engine.dispose()


def test_writers_exclude_each_other(store: Store) -> None:
    """A transaction reads what the one before it has written."""
    engine = store.writer()
    inside, done = threading.Event(), []

    def second() -> None:
        inside.wait()
        with engine.begin() as connection:
            query = text("SELECT value FROM meta WHERE key = 'generation'")
            done.append(connection.execute(query).scalar_one())

    thread = threading.Thread(target=second)
    thread.start()
    with engine.begin() as connection:
        inside.set()
        connection.execute(text("UPDATE meta SET value = '7' WHERE key = 'generation'"))
        thread.join(0.2)  # it waits; where it did not, it would have read the old one by now
    thread.join()
    assert done == ["7"]
    engine.dispose()


def test_a_reader_sees_one_state_and_cannot_write(store: Store) -> None:
    reader, writer = store.reader(), store.writer()
    query = text("SELECT count(*) FROM meta")
    with reader.connect() as connection:
        before = connection.execute(query).scalar_one()
        with writer.begin() as other:
            other.execute(text("INSERT INTO meta VALUES ('new', '1')"))
        assert connection.execute(query).scalar_one() == before
    with reader.connect() as connection:
        assert connection.execute(query).scalar_one() == before + 1
        with pytest.raises(LibraryReadOnly), store.translating():
            connection.execute(text("DELETE FROM meta"))
    reader.dispose()
    writer.dispose()


def test_a_sound_is_looked_up_by_its_path_in_an_index(store: Store) -> None:
    engine = store.reader()
    query = select(sounds.c.id).where(sounds.c.root_id == 1, at_path(b"a/b.wav"))
    shown = query.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {shown}").scalars())
    assert re.search(r"Index Cond: \(\(root_id = 1\) AND \(sha256\(path\) = ", plan), plan
    engine.dispose()


def test_full_shared_memory_is_no_full_disk() -> None:
    """PostgreSQL gives both the same code."""
    psycopg = driver()
    said = "could not resize shared memory segment: No space left on device"
    error = postgres_error(psycopg.errors.DiskFull(said), "postgresql:///x")
    assert str(error) == (
        f"the library postgresql:///x cannot be used now: the server's shared memory is full ({said})"
    )
    error = postgres_error(psycopg.errors.DiskFull("could not extend file"), "postgresql:///x")
    assert "the server's disk is full" in str(error)
