"""Addresses, messages, checks, and a worker without its cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosearch.errors import AudioSearchError, ClusterUnavailable, InvalidQuery
from audiosearch.models.registry import load_model
from indexer.cluster import address
from indexer.cluster.address import Address, cluster_address
from indexer.cluster.checks import sums_in_fp32
from indexer.cluster.markers import Marker, marker, markers, unseen
from indexer.cluster.messages import to_outcome
from indexer.cluster.reader import Reader
from indexer.encoder import open_encoder
from indexer.options import Options
from indexer.pipeline import Embedded, Failed, Known, Vanished, read_one
from indexer.plan import FileTask
from indexer.workers import Worker
from tests.e2e.conftest import SAMPLES


def task(path: Path, root: int = 1) -> FileTask:
    return FileTask(bytes(path), root, os.fsencode(path.name), 0, 0, None)


@pytest.fixture(scope="module")
def setup() -> dict[str, Any]:
    bundle = load_model().bundle
    return {
        "directory": str(bundle.directory),
        "name": bundle.name,
        "digest": bundle.identity.digest,
        "markers": [marker(bytes(SAMPLES / "manifest.csv")).to_json()],
    }


@pytest.fixture(scope="module")
def reader(setup: dict[str, Any]) -> Iterator[Reader]:
    made = Reader()
    head, _ = made.prepare(setup, check=False)
    assert head == {"is": "ready"}
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Address("auto", head="auto")),
        ("local:2", Address("local:2", local=2)),
        ("10.0.0.1:6379", Address("10.0.0.1:6379", head="10.0.0.1:6379")),
        ("[fe80::1]:6379", Address("[fe80::1]:6379", head="[fe80::1]:6379")),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, text: str, expected: Address) -> None:
    monkeypatch.setattr(address, "find_spec", lambda name: True)
    assert cluster_address(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "local", "local:0", "local:x", "head", "head:0", "head:99999", "a b:1", "ray://h:1"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidQuery, match="--cluster") as raised:
        Options(cluster=text)
    assert "\n" not in str(raised.value)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "find_spec", lambda name: None)
    with pytest.raises(ClusterUnavailable, match=r"pip install 'audiosearch\[cluster\]'"):
        Options(cluster="auto")


def test_a_worker_gives_the_bits_of_this_machine(reader: Reader, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"broken")
    model = load_model()
    encoder = open_encoder(model)
    with Worker(model.bundle) as worker:
        for path in (SAMPLES / "fire" / "campfire.ogg", broken, tmp_path / "none.wav"):
            here = read_one(task(path), worker, encoder, lambda content: False, lambda: False)
            head, body = reader.start(bytes(path))
            if head["is"] == "hashed":
                head, body = reader.go_on(True)
            there = to_outcome(task(path), head, body)
            assert type(there) is type(here)
            if isinstance(here, Embedded) and isinstance(there, Embedded):
                assert np.array_equal(there.vectors, here.vectors)
                assert np.array_equal(there.mean, here.mean)
                assert (there.read, there.done) == (here.read, here.done)
                assert (there.starts, there.ends) == (here.starts, here.ends)
            else:
                assert isinstance(there, Failed | Vanished)
                assert there == here


def test_known_content_is_not_decoded(reader: Reader) -> None:
    path = SAMPLES / "fire" / "campfire.ogg"
    hashed, _ = reader.start(bytes(path))
    outcome = to_outcome(task(path), *reader.go_on(False))
    assert isinstance(outcome, Known)
    assert outcome.read.hash.hex() == hashed["hash"]


def test_a_defect_in_a_worker_is_raised(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(windows: object) -> None:
        raise ZeroDivisionError

    assert reader._encoder
    monkeypatch.setattr(type(reader._encoder), "embed", lambda self, windows: defect(windows))
    path = bytes(SAMPLES / "fire" / "campfire.ogg")
    reader.start(path)
    with pytest.raises(ZeroDivisionError):
        reader.go_on(True)
    assert reader._worker
    reader._worker.stop()  # the file was left half-way


def refusal(setup: dict[str, Any], **changed: Any) -> str:
    head, _ = Reader().prepare({**setup, **changed}, check=True)
    assert head["is"] == "refused"
    return str(head["reason"])


def test_another_model_is_refused(setup: dict[str, Any], tmp_path: Path) -> None:
    nowhere = str(tmp_path)
    assert refusal(setup, directory=nowhere, name="none").startswith("it has no model none")
    assert refusal(setup, digest="0").startswith("its model mini is another one: mini (")


def test_another_disk_is_refused(setup: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"1" * 200_000)
    mark = marker(bytes(file))
    assert unseen([mark]) is None
    assert Marker.from_json(mark.to_json()) == mark
    file.write_bytes(b"1" * 199_999 + b"2")
    os.utime(file, ns=(mark.mtime_ns, mark.mtime_ns))
    assert f"it reads another file at {file}" in str(unseen([mark]))
    file.write_bytes(b"1" * 200_000)
    os.utime(file, ns=(0, 10**9))
    assert "another date of change" in str(unseen([mark]))
    file.unlink()
    assert refusal(setup, markers=[mark.to_json()]) == (
        f"it cannot read {file} (No such file or directory): mount the folder there, at the same path"
    )


def test_a_marker_for_every_root(tmp_path: Path) -> None:
    tasks = []
    for root in (1, 2):
        for number in range(5):
            path = tmp_path / f"{root}-{number}.wav"
            tasks.append(task(path, root))
            if number not in (0, 4):
                path.write_bytes(b"sound")
    names = [os.path.basename(mark.path) for mark in markers(tasks)]  # noqa: PTH119 (bytes)
    assert sorted(names) == [b"1-1.wav", b"1-3.wav", b"2-1.wav", b"2-3.wav"]


@pytest.mark.parametrize(
    ("precision", "fp32"),
    [
        ("fp32", True),
        ("fp16 audio weights, int8 text weights", True),
        ("fp32 audio, int8 text", True),
        ("int8 audio, fp32 text", False),
        ("fp16 audio, fp16 text", False),
        ("int8", False),
        ("bf16", False),
    ],
)
def test_which_audio_towers_compute_in_fp32(precision: str, fp32: bool) -> None:
    assert sums_in_fp32(precision) is fp32


def test_mini_computes_in_fp32() -> None:
    assert sums_in_fp32(load_model().bundle.precision)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_ray_is_missing_here() -> None:
    with pytest.raises(AudioSearchError, match="needs Ray"):
        cluster_address("local:2")
