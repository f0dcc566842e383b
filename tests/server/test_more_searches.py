"""Batches, uploads, vectors, labels, facets, outlines and renderings."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from audiosearch import Library, Term
from tests.e2e.conftest import SAMPLES

DOGS = SAMPLES / "animals" / "dogs.mp3"


def id_of(client: TestClient, name: str) -> int:
    (found,) = client.get("/v1/sounds", params={"path": f"*/{name}"}).json()["sounds"]
    number: int = found["id"]
    return number


def test_a_batch_is_its_queries(client: TestClient) -> None:
    queries = [{"terms": [{"text": text}], "k": 3} for text in ("rain", "dog barking")]
    pages = client.post("/v1/search/batch", json={"queries": queries}).json()["pages"]
    assert pages == [client.post("/v1/search", json=query).json() for query in queries]
    queries[1]["terms"] = [{"text": "  "}]
    failed = client.post("/v1/search/batch", json={"queries": queries}).json()
    assert failed["detail"].startswith("query 1: ")


def test_an_uploaded_sound_is_searched_by(client: TestClient) -> None:
    body = DOGS.read_bytes()
    hits = client.post("/v1/search/audio", content=body, params={"k": 3}).json()["hits"]
    assert hits[0]["path"] == str(DOGS)
    embedded = client.post("/v1/embed/audio", content=body).json()
    terms = {"terms": [{"vector": embedded["vector"]}], "k": 3}
    assert client.post("/v1/search", json=terms).json()["hits"] == hits
    flac = client.post("/v1/search/audio", content=body, params={"format": "flac"}).json()["hits"]
    assert {hit["format"] for hit in flac} == {"flac"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid-query"),
        (b"no sound at all" * 100, "audio-rejected"),
        (DOGS.read_bytes()[:100], "audio-rejected"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt " + b"\xff" * 100, "audio-rejected"),
    ],
)
def test_uploads_that_are_no_sound(client: TestClient, body: bytes, code: str) -> None:
    for path in ("/v1/search/audio", "/v1/embed/audio", "/v1/classify/audio?label=a"):
        answer = client.post(path, content=body)
        assert answer.status_code == 422
        assert answer.json()["code"] == code


def test_labels(client: TestClient) -> None:
    labels = ["rain", "dog", "church bell"]
    number = id_of(client, "dogs.mp3")
    asked = {"ids": [number], "labels": labels}
    (stored,) = client.post("/v1/classify", json=asked).json()["sounds"]
    assert stored["labels"][0]["label"] == "dog"
    assert stored["id"] == number
    params = {"label": labels}
    uploaded = client.post("/v1/classify/audio", content=DOGS.read_bytes(), params=params).json()
    # The stored vectors are those of the file, rounded to 16 bits.
    for one, other in zip(uploaded["labels"], stored["labels"], strict=True):
        assert one == other | {
            key: pytest.approx(other[key], abs=1e-3) for key in ("score", "probability")
        }
    asked["labels"] = ["dog", "dog"]
    assert client.post("/v1/classify", json=asked).json()["code"] == "invalid-query"


def test_text_vectors_are_the_librarys(client: TestClient, directory: Path) -> None:
    found = client.post("/v1/embed", json={"texts": ["rain", "wind"]}).json()
    with Library.open(directory) as library:
        assert found["model"] == library.model.bundle.name
        np.testing.assert_array_equal(
            np.array(found["vectors"], np.float32), library.embed_text(["rain", "wind"])
        )


def test_facets(client: TestClient, directory: Path) -> None:
    found = client.get("/v1/facets", params={"max_duration": 2}).json()
    with Library.open(directory) as library:
        counts = library.facets({"max_duration": 2})
    assert found["format"] == counts.format
    assert found["duration"] == counts.duration


def test_facets_of_hits(client: TestClient, directory: Path) -> None:
    where: dict[str, Any] = {"format": ["mp3"], "max_duration": 20}
    with Library.open(directory) as library:
        counts = library.facets(where, query="dog barking", match="sound")
        near = library.facets(query="dog barking", min_score=0.2)
        away = library.facets(query=[Term(text="rain"), Term(text="thunder", weight=-1)])
    found = client.get("/v1/facets", params={"q": "dog barking", "match": "sound"} | where).json()
    assert found["sounds"] == counts.sounds > 0
    assert found["folder"] == counts.folder
    assert found["min_score"] == counts.min_score
    body = {"terms": [{"text": "dog barking"}], "where": where, "match": "sound"}
    assert client.post("/v1/facets", json=body).json() == found
    params = {"q": "dog barking", "min_score": "0.2"}
    assert client.get("/v1/facets", params=params).json()["sounds"] == near.sounds
    body = {"terms": [{"text": "rain"}, {"text": "thunder", "weight": -1}]}
    assert client.post("/v1/facets", json=body).json()["folder"] == away.folder
    scene = id_of(client, "wet-evening.ogg")
    body = {"terms": [{"id": scene, "start": 15, "end": 20}]}
    assert client.post("/v1/facets", json=body).json()["sounds"] >= 10
    assert client.post("/v1/facets", json={}).json()["sounds"] == 61
    for bad in ({"q": "..."}, {"q": "rain", "match": "x"}, {"min_score": "2"}):
        assert client.get("/v1/facets", params=bad).status_code == 422


def test_a_part_of_a_stored_sound(client: TestClient) -> None:
    scene = id_of(client, "wet-evening.ogg")
    terms = {"terms": [{"id": scene, "start": 15, "end": 20}], "k": 3}
    hits = client.post("/v1/search", json=terms).json()["hits"]
    assert "dogs" in hits[1]["path"]


def test_all_sounds_page_by_page(client: TestClient) -> None:
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = client.get("/v1/sounds", params={"after": after, "k": 25}).json()
        seen += [sound["id"] for sound in page["sounds"]]
        after = page["next"]
    assert len(seen) == len(set(seen)) == client.get("/v1/status").json()["sounds"]


def test_outlines(client: TestClient, directory: Path) -> None:
    scene = id_of(client, "wet-evening.ogg")
    whole = client.get(f"/v1/sounds/{scene}/peaks", params={"columns": 300}).json()
    assert 150 < len(whole["low"]) == len(whole["high"]) <= 300
    assert max(whole["high"]) > 10 > -10 > min(whole["low"])
    part = client.get(f"/v1/sounds/{scene}/peaks", params={"start": 15, "end": 20}).json()
    assert part["start"] == pytest.approx(15, abs=part["seconds"])
    assert part["seconds"] < whole["seconds"]
    assert list((directory / "peaks").rglob("*.npz"))
    wrong = client.get(f"/v1/sounds/{scene}/peaks", params={"start": 5, "end": 4})
    assert wrong.json()["code"] == "invalid-query"


@pytest.mark.parametrize(("form", "kind"), [("wav", "audio/wav"), ("opus", "audio/ogg")])
def test_renderings(client: TestClient, form: str, kind: str) -> None:
    url = f"/v1/sounds/{id_of(client, 'wet-evening.ogg')}/audio"
    made = client.get(url, params={"as": form, "start": 15, "end": 17})
    assert made.headers["content-type"] == kind
    assert soundfile.info(io.BytesIO(made.content)).duration == pytest.approx(2, abs=0.05)
    part = client.get(
        url, params={"as": form, "start": 15, "end": 17}, headers={"Range": "bytes=5-9"}
    )
    assert part.status_code == 206
    assert part.content == made.content[5:10]
    assert client.get(url, params={"start": 1}).status_code == 422
    assert client.get(url, params={"as": form, "start": 900}).json()["code"] == "audio-rejected"
    assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_wrong_method_names_the_right_ones(client: TestClient) -> None:
    answer = client.get("/v1/embed")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert client.put("/v1/search").headers["allow"] == "GET, POST"
