"""`StoredVector`, the type of the column of vectors, and the vectors' way into PostgreSQL and back.

Everywhere in the program a stored vector is the same bytes: float16, little-endian, and their CRC-32
(`audiosearch.vectors.codec`). SQLite keeps these bytes. PostgreSQL keeps a `halfvec` of pgvector, the
same numbers to the bit, which it can compare; its own pages have checksums.

`halfvec` and `vector` travel in pgvector's binary form: the dimension and a zero (2 bytes each), and
the numbers, all big-endian.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Dialect, LargeBinary, func
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

_CRC_BYTES = 4
_HEADER_BYTES = 4


class Packed(bytes):
    """A value in the binary form of its type, for a connection that `prepare` has seen."""


def prepare(connection: Any) -> None:
    """Let a connection of psycopg take `Packed` values. A new connection needs it once."""
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class PackedDumper(Dumper):
        format = Format.BINARY
        oid = 0  # what the statement says

        def dump(self, obj: bytes) -> bytes:
            return bytes(obj)

    connection.adapters.register_dumper(Packed, PackedDumper)


def packed(vector: np.ndarray, *, half: bool) -> Packed:
    """Return a vector (d,) as a parameter: a `halfvec`, or a `vector` of float32."""
    values = np.asarray(vector, dtype=">f2" if half else ">f4").tobytes()
    return Packed(len(vector).to_bytes(2, "big") + b"\0\0" + values)


class HalfVector(UserDefinedType[bytes]):
    """A `halfvec` of any dimension, from and to the bytes that the program stores."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "halfvec"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        def bind(value: Any) -> Any:
            if value is None:
                return None
            numbers, crc = value[:-_CRC_BYTES], value[-_CRC_BYTES:]
            if zlib.crc32(numbers) != int.from_bytes(crc, "little"):
                raise ValueError("the stored vector is damaged")
            return packed(np.frombuffer(numbers, "<f2"), half=True)

        return bind

    def column_expression(self, colexpr: Any) -> ColumnElement[Any]:
        # As text each number would take five times as long to read.
        return func.halfvec_send(colexpr, type_=self)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        def read(value: Any) -> Any:
            if value is None:
                return None
            numbers = np.frombuffer(value, ">f2", offset=_HEADER_BYTES).astype("<f2").tobytes()
            return numbers + zlib.crc32(numbers).to_bytes(_CRC_BYTES, "little")

        return read


class StoredVector(TypeDecorator[bytes]):
    """The bytes of a stored vector, whatever the database keeps."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(HalfVector())
        return dialect.type_descriptor(LargeBinary())
