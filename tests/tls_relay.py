"""Certificates for tests, and TLS in front of a server of PostgreSQL that knows none.

The relay speaks what a server speaks before a session: it grants the request for TLS, makes the
handshake, and passes on all that follows. The wheel's server is built without TLS; Debian's has it,
and lacks pgvector.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.own_server import Server

_WANTS_TLS = (80877103).to_bytes(4, "big")


@dataclass(frozen=True)
class Authority:
    """Who signs certificates; `certificate` is its own, which a client trusts."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    def sign(self, name: str, *names: str) -> tuple[Path, Path]:
        """Make a certificate for a name, and for other names such as ``DNS:localhost``. Returns the
        files of the certificate and of its key.
        """
        certificate, key = (self.folder / f"{name}.{self.name}.{end}" for end in ("pem", "key"))
        more = ["-addext", f"subjectAltName={','.join(names)}"] if names else []
        by: list[str | Path] = ["-CA", self.certificate, "-CAkey", self.key]
        _openssl(name, certificate, key, *by, "-addext", "basicConstraints=CA:FALSE", *more)
        return certificate, key


def authority(folder: Path, name: str) -> Authority:
    """Make an authority. Skips the test where there is no openssl."""
    made = Authority(folder, name)
    _openssl(name, made.certificate, made.key)
    return made


def _openssl(name: str, certificate: Path, key: Path, *options: str | Path) -> None:
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    names: list[str | Path] = [
        "-subj",
        f"/CN={name}",
        "-days",
        "2",
        "-out",
        certificate,
        "-keyout",
        key,
    ]
    try:
        subprocess.run(
            ["openssl", "req", *kind, *names, *options], check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed: there are no certificates")


@contextmanager
def tls_relay(server: Server, certificate: Path, key: Path) -> Iterator[int]:
    """Relay to a server until the block ends, and give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while (await reader.readexactly(8))[4:] != _WANTS_TLS:
                writer.write(b"N")
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            far = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(_pass_on(reader, far[1]), _pass_on(far[0], writer))
        writer.close()

    listener = loop.run_until_complete(asyncio.start_server(session, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        listener.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    writer.close()
