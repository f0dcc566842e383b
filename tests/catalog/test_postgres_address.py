"""Addresses of libraries in PostgreSQL: what they mean, and that no message tells a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiosearch.catalog.store import store_at
from audiosearch.errors import AudioSearchError, InvalidQuery

pytest.importorskip("psycopg")

from audiosearch.catalog.postgres_address import read_address


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        (
            "postgresql://anna:secret@db.example:5433/sounds?sslmode=verify-full",
            "postgresql://anna@db.example:5433/sounds?sslmode=verify-full",
            {
                "user": "anna",
                "password": "secret",
                "host": "db.example",
                "port": "5433",
                "dbname": "sounds",
                "sslmode": "verify-full",
            },
        ),
        ("postgres:///s%C3%B6unds", "postgresql:///s%C3%B6unds", {"dbname": "söunds"}),
        (
            "postgresql+psycopg://%2Ftmp%2Fa/b?password=secret&user=u",
            "postgresql://%2Ftmp%2Fa/b?user=u",
            {"host": "/tmp/a", "dbname": "b", "password": "secret", "user": "u"},
        ),
        (
            "postgresql://one:1,[::1]:2/x",
            "postgresql://one:1,[::1]:2/x",
            {"host": "one,::1", "port": "1,2", "dbname": "x"},
        ),
        (
            "postgresql:///?service=sounds&schema=wild",
            "postgresql:///?service=sounds&schema=wild",
            {"service": "sounds"},
        ),
    ],
)
def test_what_an_address_means(text: str, name: str, parameters: dict[str, str]) -> None:
    address = read_address(text)
    assert address.name == name
    assert dict(address.parameters) == parameters
    assert address.has_password == ("secret" in text)
    assert "secret" not in repr(store_at(text))
    assert read_address(name).files == address.files  # the name alone finds the same folder


@pytest.mark.parametrize(
    "text",
    [
        "mysql://u:secret@h/x",
        "postgresql://u:se/cret@h/x",
        "postgresql://h:secret/x",
        "postgresql://[secret/x",
        "postgresql://u:secret@h/x?sslmod=require",
        "postgresql://u:secret@h/x?schema=A-B",
        "postgresql://u:secret@h/x?schema=pg_catalog",
        "postgresql://u:secret@h/x?secret",
        "postgresql://u@h/x#secret",
    ],
)
def test_what_cannot_be_read_is_not_told(text: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        store_at(text)
    assert "cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_where_the_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("AUDIOSEARCH_FILES", raising=False)
    here, there, other = (
        store_at(f"postgresql://{host}/sounds{schema}").directory
        for host, schema in (("a", ""), ("b", ""), ("a", "?schema=other"))
    )
    assert len({here, there, other}) == 3
    assert here.is_relative_to(tmp_path / "data")
    monkeypatch.setenv("AUDIOSEARCH_FILES", str(tmp_path / "named"))
    assert store_at("postgresql://a/sounds").directory == tmp_path / "named"
    assert list(tmp_path.iterdir()) == []  # made when something is put there


def test_no_server_there() -> None:
    with pytest.raises(AudioSearchError, match=r"cannot connect to the library .*refused") as lost:
        store_at("postgresql://u:secret@127.0.0.1:1/x").exists()
    assert "secret" not in str(lost.value)
