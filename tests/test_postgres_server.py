"""The server that the tests start is one that audiosearch can use."""

from __future__ import annotations

from tests.postgres_server import has_vector, postgres_engine


def test_an_empty_database_of_a_server_with_pgvector(postgres_url: str) -> None:
    with postgres_engine(postgres_url).connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).scalar_one()
        version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    assert tables == 0
    assert version >= 160_000
    assert has_vector(postgres_url)
