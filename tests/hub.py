"""A stand-in of the Hugging Face hub on this machine, over plain HTTP, that serves small repositories.

It answers what `audiosearch models add` and the hub's own client ask: the list of a repository's files
(``/api/models/NAME/revision/REV?blobs=true``, ``/tree/COMMIT``), small files at ``/NAME/resolve/REV/PATH``, and
for large ones, as the hub does, a redirect to another host with an ``X-Linked-Etag``. It can cut an answer
short, spoil it, or refuse it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PACKED = Path(__file__).parent / "data" / "hub.zip"
_LARGE = 20_000


def unpack(folder: Path) -> Path:
    """The repositories of the fixture (see `scripts.hub_layout`) and `golden.npz`, in a folder."""
    with zipfile.ZipFile(PACKED) as packed:
        packed.extractall(folder)
    for place in (folder / "micro").rglob("*.*"):  # of masked there is the one file that differs
        other = folder / "masked" / place.relative_to(folder / "micro")
        other.parent.mkdir(parents=True, exist_ok=True)
        if not other.exists() and not re.search(r"_(fp16|quantized)", place.name):
            other.symlink_to(place)
    return folder


@dataclass
class Hub:
    """What is served, and what goes wrong. `cuts`: by path, after how many bytes each answer ends; `stops`: after
    how many one pauses, for as long as the other end stays (`stopped` is set then); `elsewhere`:
    where redirects lead; `log`: method, host and path of each request, and its headers.
    """

    address: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    spoilt: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    failing: dict[str, list[int]] = field(default_factory=dict)
    whole_only: bool = False
    elsewhere: str = ""
    log: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)

    def add(self, name: str, directory: Path, commit: str | None = None) -> str:
        """Serve a directory as a repository at a commit, which is given back."""
        files = {
            str(path.relative_to(directory).as_posix()): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
        digest = hashlib.sha1("".join(files).encode() + name.encode()).hexdigest()
        self.repositories[name] = files
        self.commits[name] = commit or digest
        return self.commits[name]

    def asked(self, path: str) -> list[dict[str, str]]:
        """Headers of each GET of a large file."""
        digest = next(
            hashlib.sha256(files[path]).hexdigest()
            for files in self.repositories.values()
            if path in files
        )
        return [h for method, _, at, h in self.log if method == "GET" and digest in at]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ends where the other end has left, which tests make it do."""


@contextmanager
def hub() -> Iterator[Hub]:
    """A running stand-in without repositories."""
    served = Hub()
    server = _Server(("127.0.0.1", 0), _handler(served))
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": blob}
    if len(content) > _LARGE:
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
    return entry


def _handler(served: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            host = self.headers["Host"].split(":")[0]
            served.log.append((self.command, host, self.path, dict(self.headers)))
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            if at := re.fullmatch(r"/api/models/(.+?)/(revision|tree)/([^/]+)", path):
                self._list(at[1], at[2], at[3], parse_qs(parts.query))
            elif at := re.fullmatch(r"/(.+?/.+?)/resolve/([^/]+)/(.+)", path):
                self._resolve(*at.groups())
            elif at := re.fullmatch(r"/stored/([0-9a-f]+)", path):
                self._stored(at[1])
            else:
                self._refuse(404, "EntryNotFound")

        def _list(self, name: str, what: str, revision: str, query: dict[str, list[str]]) -> None:
            if name not in served.repositories:
                self._refuse(401, "RepoNotFound")
            elif revision not in ("main", served.commits[name]):
                self._refuse(404, "RevisionNotFound")
            else:
                files = served.repositories[name]
                listed = [_entry(path, content) for path, content in files.items()]
                if what == "tree":
                    self._json([_tree_entry(entry) for entry in listed])
                    return
                if "blobs" not in query:
                    listed = [{"rfilename": entry["rfilename"]} for entry in listed]
                self._json(
                    {
                        "id": name,
                        "sha": served.commits[name],
                        "siblings": listed,
                        "tags": [],
                        "cardData": {"license": served.licences.get(name, "mit")},
                    }
                )

        def _resolve(self, name: str, revision: str, path: str) -> None:
            content = served.repositories.get(name, {}).get(path)
            if name in served.gated:
                self._refuse(401, "GatedRepo")
            elif content is None or revision not in ("main", served.commits[name]):
                self._refuse(404, "EntryNotFound")
            elif len(content) > _LARGE:
                digest = hashlib.sha256(content).hexdigest()
                port = served.address.rpartition(":")[2]
                self.send_response(302)
                there = served.elsewhere or f"http://localhost:{port}"
                self.send_header("Location", f"{there}/stored/{digest}")
                self.send_header("X-Repo-Commit", served.commits[name])
                self.send_header("X-Linked-Etag", f'"{digest}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._content(path, content, served.commits[name])

        def _stored(self, digest: str) -> None:
            for files in served.repositories.values():
                for path, content in files.items():
                    if hashlib.sha256(content).hexdigest() == digest:
                        self._content(path, content, None)
                        return
            self._refuse(404, "EntryNotFound")

        def _content(self, path: str, content: bytes, commit: str | None) -> None:
            if served.failing.get(path):
                self._refuse(served.failing[path].pop(0), "")
                return
            if path in served.spoilt:
                content = content[:-1] + bytes([content[-1] ^ 1])
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = int(asked[1]) if asked and not served.whole_only else 0
            self.send_response(206 if begin else 200)
            if begin:
                span = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", span)
            if commit:
                self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            if self.command == "HEAD":
                return
            part = content[begin:]
            if served.cuts.get(path):
                part = part[: served.cuts[path].pop(0)]
                self.close_connection = True
            if path in served.stops:
                part = part[: served.stops.pop(path)]
                self.close_connection = True
                self.wfile.write(part)
                served.stopped.set()
                self.rfile.read(1)  # until the other end is gone
                return
            self.wfile.write(part)

        def _json(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


def _tree_entry(entry: dict[str, Any]) -> dict[str, Any]:
    lfs = entry.get("lfs")
    listed = {
        "type": "file",
        "path": entry["rfilename"],
        "size": entry["size"],
        "oid": entry["blobId"],
    }
    if lfs:
        listed["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": 134}
    return listed
