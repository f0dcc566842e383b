"""What a media asset manager's team asked for: its own ids, lists of files, changes, lines, merges."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from audiosearch import Library
from audiosearch.server import Settings, make_app
from audiosearch.server.describe_routes import MERGE, merged
from tests.e2e.conftest import SAMPLES
from tests.effort import quick_first, thorough_only

DOGS = SAMPLES / "animals" / "dogs.mp3"
EWE = SAMPLES / "animals" / "ewe.mp3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sounds"
    made.mkdir()
    for source in (DOGS, EWE):
        shutil.copy(source, made)
    return made


@pytest.fixture
def client(tmp_path: Path, folder: Path) -> Iterator[TestClient]:
    with Library.open(tmp_path / "library", create=True) as library:
        library.add(folder)
        library.describe(folder / "dogs.mp3", external_id="D", metadata={"rights": "own"})
    app = make_app(tmp_path / "library", Settings(uploads=tmp_path / "new"))
    with TestClient(app, base_url="http://localhost") as opened:
        yield opened


def done(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    while job["state"] in ("queued", "running"):
        time.sleep(0.02)
        job = client.get(f"/v1/jobs/{job['id']}").json()
    assert job["state"] == "done", job
    return job


def id_of(client: TestClient, name: str) -> int:
    (sound,) = client.get("/v1/sounds", params={"path": f"*/{name}"}).json()["sounds"]
    number: int = sound["id"]
    return number


# -- bulk ingest ----------------------------------------------------------------------------------


@thorough_only
def test_many_files_in_one_job(client: TestClient, folder: Path) -> None:
    shutil.copy(SAMPLES / "fire" / "campfire.ogg", folder)
    (folder / "broken.wav").write_bytes(b"no sound")
    (folder / "text.txt").write_bytes(b"no sound")
    items: list[dict[str, Any]] = [
        {"path": str(folder / "campfire.ogg"), "external_id": "F", "metadata": {"n": 1}},
        {"path": str(folder / "gone.wav"), "external_id": "G"},
        {"path": str(folder / "broken.wav"), "external_id": "B", "metadata": {"n": 2}},
        {"path": str(folder / "ewe.mp3"), "external_id": "E"},
        {"path": str(folder / "text.txt")},
    ]
    answer = client.post("/v1/ingest", json={"items": items})
    assert answer.status_code == 202
    summary = done(client, answer.json())["summary"]
    assert (summary["added"], summary["unchanged"], summary["described"]) == (1, 1, 3)
    failures = [(f["item"], f["external_id"], f["kind"]) for f in summary["item_failures"]]
    assert failures == [(1, "G", "unreadable"), (2, "B", "undecodable"), (4, None, "unreadable")]
    for external, metadata in (("F", {"n": 1}), ("B", {"n": 2}), ("E", {})):
        sound = client.get(f"/v1/sounds/external:{external}").json()
        assert (sound["external_id"], sound["metadata"]) == (external, metadata)
    outside = client.post("/v1/ingest", json={"items": [{"path": "/etc/x.wav"}]})
    assert outside.status_code == 422


def test_a_file_that_is_named_twice(client: TestClient, folder: Path) -> None:
    """It is one sound; the later item, and the folder around it, add nothing to that."""
    (folder / "new").mkdir()
    for name in ("a.mp3", "b.mp3"):
        shutil.copy(EWE, folder / "new" / name)
    path = str(folder / "new" / "a.mp3")
    items = [{"path": path, "external_id": "first"}, {"path": path, "external_id": "last"}]
    summary = done(client, client.post("/v1/ingest", json={"items": items}).json())["summary"]
    assert summary["added"] + summary["copied"] == 1
    assert client.get("/v1/sounds/external:last").json()["path"] == path
    paths = [str(folder / "new"), str(folder / "new" / "b.mp3"), str(folder), path]
    summary = done(client, client.post("/v1/jobs", json={"paths": paths}).json())["summary"]
    assert summary["added"] + summary["copied"] == 1
    assert summary["unchanged"] == 3


def test_only_files_that_are_not_there(client: TestClient, folder: Path) -> None:
    items = [{"path": str(folder / "gone.wav")}]
    summary = done(client, client.post("/v1/ingest", json={"items": items}).json())["summary"]
    assert [f["reason"] for f in summary["item_failures"]] == ["there is no such file"]
    assert client.get("/v1/status").json()["sounds"] == 2


# -- the program's own ids ------------------------------------------------------------------------


def test_sounds_by_the_programs_own_id(client: TestClient) -> None:
    number = id_of(client, "dogs.mp3")
    for below in ("", "/similar", "/audio", "/peaks"):
        by_id = client.get(f"/v1/sounds/{number}{below}")
        by_own = client.get(f"/v1/sounds/external:D{below}")
        assert by_own.status_code == 200
        assert by_own.content == by_id.content
    searches = [
        client.post("/v1/search", json={"terms": [{name: value}], "k": 2}).json()
        for name, value in (("id", number), ("external_id", "D"))
    ]
    assert searches[0] == searches[1]
    part = {"terms": [{"external_id": "D", "start": 0.5, "end": 2.0}]}
    assert client.post("/v1/search", json=part).status_code == 200
    other = 3 - number  # of the two sounds of the library
    labels = {"ids": [other, "external:D"], "external_ids": ["D"], "labels": ["dog", "rain"]}
    classified = client.post("/v1/classify", json=labels).json()["sounds"]
    assert [sound["id"] for sound in classified] == [other, number]
    assert classified[1]["labels"][0]["label"] == "dog"
    changed = client.patch("/v1/sounds/external:D", json={"external_id": "D/2 é"})
    assert changed.json()["id"] == number
    assert client.get("/v1/sounds/external:D").json()["code"] == "sound-not-found"
    terms = {"terms": [{"external_id": "D/2 é"}]}
    assert client.post("/v1/search", json=terms).json()["hits"][0]["id"] == number
    both = {"terms": [{"external_id": "D", "id": 1}]}
    assert client.post("/v1/search", json=both).status_code == 422


def test_bodies_name_sounds_by_the_programs_own_id(client: TestClient) -> None:
    number = id_of(client, "dogs.mp3")
    other = next(
        sound["id"] for sound in client.get("/v1/sounds").json()["sounds"] if sound["id"] != number
    )

    def post(place: str, body: Any) -> Any:
        answer = client.post(f"/v1/{place}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    for key in (number, "external:D"):
        assert post("search", {"terms": [{"id": key}], "k": 1})["hits"][0]["id"] == number
        (classified,) = post("classify", {"ids": [key], "labels": ["dog"]})["sounds"]
        assert classified["path"].endswith("dogs.mp3")
        assert post("descriptions", {"sounds": [{"id": key, "metadata": {"of": str(key)}}]}) == {
            "described": 1,
            "unknown": [],
        }
        assert client.get(f"/v1/sounds/{number}").json()["metadata"] == {"of": str(key)}
        post("collections/1/sounds", {"ids": [other]})
        post("collections/1/sounds", {"ids": [key], "before": other})
        favourites = client.get("/v1/collections/1/sounds").json()["sounds"]
        assert [sound["id"] for sound in favourites] == [number, other]
        post("collections/1/sounds", {"ids": [other], "before": key})
        favourites = client.get("/v1/collections/1/sounds").json()["sounds"]
        assert [sound["id"] for sound in favourites] == [other, number]
        assert post("collections/1/remove", {"ids": [other, key]})["sounds"] == 0
        done(client, post("failures/retry", {"ids": [key]}))
        choice: Any = {"choices": [{"id": key, "cat_id": "ANMLDog"}]}
        assert client.patch("/v1/ucs/choices", json=choice).json() == {"changed": 1}
        choice["choices"][0]["cat_id"] = None
        assert client.patch("/v1/ucs/choices", json=choice).json() == {"changed": 1}


def test_bodies_that_name_no_sound(client: TestClient) -> None:
    unknown = {"sounds": [{"id": "external:Z", "metadata": {}}]}
    answer = client.post("/v1/descriptions", json=unknown)
    assert answer.json() == {"described": 0, "unknown": ["external:Z"]}
    two = [sound["id"] for sound in client.get("/v1/sounds").json()["sounds"][:2]]
    same = {"sounds": [{"id": number, "external_id": "S"} for number in two]}
    assert client.post("/v1/descriptions", json=same).json()["described"] == 2
    wrong: tuple[Any, ...] = (
        "D",
        "1",
        "",
        "external:",
        f"external:{'x' * 1001}",
        0,
        2**63,
        1.5,
        True,
        None,
        [],
        {},
    )
    answers = {"external:Z": 404, "external:S": 409} | dict.fromkeys(map(str, wrong), 422)
    for place in ("collections/1/sounds", "collections/1/remove", "failures/retry", "classify"):
        for key in ("external:Z", "external:S", *wrong):
            body: dict[str, Any] = {"ids": [key]}
            if place == "classify":
                body["labels"] = ["dog"]
            answer = client.post(f"/v1/{place}", json=body)
            # What is not in the library cannot be in a collection.
            passed_over = place.endswith("remove") and key == "external:Z"
            assert answer.status_code == (200 if passed_over else answers[str(key)]), (place, key)
            if answer.status_code == 422:
                (error,) = answer.json()["errors"]
                assert error["where"] == ["body", "ids", 0]
                assert "a sound is named by its id, a number" in error["what"]
            if answer.status_code == 409:
                assert f"such as {two[0]} or {two[1]}" in answer.json()["detail"]


def test_what_is_wrong_with_a_collection_is_said_before_its_sounds(client: TestClient) -> None:
    unknown = {"ids": ["external:Z"]}
    assert client.post("/v1/collections/9/sounds", json=unknown).json()["code"] == (
        "collection-not-found"
    )
    stale = client.post("/v1/collections/1/sounds", json=unknown, headers={"if-match": '"x"'})
    assert stale.status_code == 412
    number = id_of(client, "dogs.mp3")
    itself = {"ids": [number], "before": "external:D"}
    client.post("/v1/collections/1/sounds", json={"ids": [number]})
    answer = client.post("/v1/collections/1/sounds", json=itself)
    assert answer.json()["detail"] == f"the sound {number} cannot be moved before itself"


def test_a_sound_without_embedding_is_no_term(client: TestClient, folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    done(
        client,
        client.post("/v1/ingest", json={"items": [{"path": str(folder / "broken.wav")}]}).json(),
    )
    (broken,) = client.get("/v1/failures").json()["sounds"]
    answer = client.post("/v1/search", json={"terms": [{"id": broken["id"]}]})
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"{broken['path']} has no embedding: {broken['reason']}"
    twice = {"ids": [broken["id"], broken["id"]]}
    job = done(client, client.post("/v1/failures/retry", json=twice).json())
    assert job["paths"] == [broken["path"]]


@pytest.mark.parametrize(
    "own",
    quick_first(
        [
            "a/b//c%2Fd/audio",
            "100%",
            "..",
            "7",
            " a?b#c;d ",
            "e\u0301 \U0001f411",
            "a\nb\n",
            "x" * 1_000,
        ],
        quick=2,
    ),
)
def test_odd_ids_of_the_program(client: TestClient, own: str) -> None:
    number = id_of(client, "dogs.mp3")
    client.patch(f"/v1/sounds/{number}", json={"external_id": own})
    path = f"/v1/sounds/external:{quote(own, safe='')}"
    assert client.get(path).json()["external_id"] == own
    assert client.get(f"{path}/peaks").content == client.get(f"/v1/sounds/{number}/peaks").content
    assert client.get("/v1/sounds", params={"external_id": own}).json()["sounds"][0]["id"] == number
    changed = client.patch(path, json={"metadata": {"a": 1}})
    assert (changed.json()["id"], changed.json()["external_id"]) == (number, own)
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["code"] == "sound-not-found"


@thorough_only
def test_an_id_of_several_sounds_is_ambiguous(client: TestClient) -> None:
    for name in ("dogs.mp3", "ewe.mp3"):
        client.patch(f"/v1/sounds/{id_of(client, name)}", json={"external_id": "same"})
    answer = client.get("/v1/sounds/external:same")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous")
    assert len(client.get("/v1/sounds?external_id=same").json()["sounds"]) == 2


# -- changes --------------------------------------------------------------------------------------


def walk(client: TestClient, since: int) -> tuple[dict[int, str], int]:
    """What a program that keeps a copy learns, two changes at a time."""
    seen: dict[int, str] = {}
    while True:
        page = client.get("/v1/changes", params={"since": since, "k": 2}).json()
        seen |= {change["id"]: change["kind"] for change in page["changes"]}
        since = page["next"]
        if not page["more"]:
            return seen, since


@thorough_only
def test_changes_since(client: TestClient, folder: Path) -> None:
    dogs, ewe = id_of(client, "dogs.mp3"), id_of(client, "ewe.mp3")
    seen, since = walk(client, 0)
    assert seen == {dogs: "changed", ewe: "changed"}
    assert walk(client, since) == ({}, since)
    client.patch(f"/v1/sounds/{dogs}", json={"metadata": {"a": 1}})
    client.patch(f"/v1/sounds/{dogs}", json={"metadata": {"a": 2}})
    client.patch(f"/v1/sounds/{dogs}", json={"metadata": {"a": 2}})  # as it was
    seen, then = walk(client, since)
    assert seen == {dogs: "changed"}
    shutil.copy(SAMPLES / "fire" / "campfire.ogg", folder)
    done(client, client.post("/v1/jobs", json={}).json())
    fire = id_of(client, "campfire.ogg")
    client.delete(f"/v1/sounds/{ewe}")
    seen, last = walk(client, then)
    assert seen == {fire: "changed", ewe: "removed"}
    done(client, client.post("/v1/jobs", json={"paths": [str(folder / "dogs.mp3")]}).json())
    assert walk(client, last) == ({}, last)  # nothing changed
    assert walk(client, 0)[0] == {dogs: "changed", fire: "changed", ewe: "removed"}


# -- less of it -----------------------------------------------------------------------------------


def test_only_some_fields(client: TestClient) -> None:
    page = client.get("/v1/search", params={"q": "dog", "fields": "id,external_id"}).json()
    assert page["hits"][0] == {"id": id_of(client, "dogs.mp3"), "external_id": "D"}
    mixture = {"terms": [{"text": "dog"}], "fields": "score", "k": 1}
    (hit,) = client.post("/v1/search", json=mixture).json()["hits"]
    assert list(hit) == ["score"]
    listed = client.get("/v1/sounds", params={"fields": "path"}).json()["sounds"]
    assert {tuple(sound) for sound in listed} == {("path",)}
    for wrong in ("id,nothing", "ID", "", "id,"):
        answer = client.get("/v1/search", params={"q": "dog", "fields": wrong})
        assert answer.status_code == 422


def test_no_hit_below_a_score(client: TestClient) -> None:
    hits = client.get("/v1/search", params={"q": "a dog barks"}).json()["hits"]
    first, second = sorted(hits, key=lambda hit: -hit["score"])
    between = (first["score"] + second["score"]) / 2
    page = client.get(
        "/v1/search", params={"q": "a dog barks", "min_score": between, "k": 1}
    ).json()
    assert [hit["id"] for hit in page["hits"]] == [first["id"]]
    assert page["next"] is None
    assert client.get("/v1/search?q=dog&min_score=2").status_code == 422


def test_json_is_compressed(client: TestClient) -> None:
    plain = client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    squeezed = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert squeezed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in squeezed.headers["vary"].lower()
    assert squeezed.json() == plain.json()
    assert int(squeezed.headers["content-length"]) < len(plain.content) / 2
    audio = client.get("/v1/sounds/1/audio", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in audio.headers


# -- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "names"),
    quick_first(
        [
            ({"rights": "own"}, "d"),
            ({"rights": ["own", "cleared"]}, "de"),
            ({"year": {"gte": 2020}}, "d"),
            ({"year": {"gt": 2018, "lt": 2020}}, "e"),
            ({"day": {"gte": "2026-01-01", "lte": "2026-12-31"}}, "d"),
            ({"year": {"gte": "2"}}, ""),  # a text is no number
            ({"moods": "dark"}, "de"),
            ({"moods": ["calm"]}, "e"),
            ({"used": True}, "d"),
            ({"rights": "cleared", "year": 2019}, "e"),
        ],
        quick=3,
    ),
)
def test_filters_on_metadata(client: TestClient, condition: dict[str, Any], names: str) -> None:
    about = {
        "dogs.mp3": {
            "rights": "own",
            "year": 2021,
            "day": "2026-03-01",
            "moods": ["dark", "loud"],
            "used": True,
        },
        "ewe.mp3": {
            "rights": "cleared",
            "year": 2019,
            "day": "2025-03-01",
            "moods": ["dark", "calm"],
        },
    }
    for name, metadata in about.items():
        client.patch(f"/v1/sounds/{id_of(client, name)}", json={"metadata": metadata})
    body = {"terms": [{"text": "animal"}], "where": {"metadata": condition}}
    hits = client.post("/v1/search", json=body).json()["hits"]
    assert sorted(Path(hit["path"]).name[0] for hit in hits) == list(names)
    counts = client.get("/v1/facets?metadata=moods&metadata=used&metadata=nothing").json()
    assert counts["metadata"]["moods"] == {"dark": 2, "calm": 1, "loud": 1}
    assert counts["metadata"]["used"] == {"true": 1}
    assert counts["metadata"]["nothing"] == {}


@pytest.mark.parametrize(
    "condition",
    quick_first(
        [{"a": {"gte": 1, "lt": "2"}}, {"a": []}, {"a": {}}, {"a": {"over": 1}}, {"a": [None]}]
    ),
)
def test_filters_that_cannot_be(client: TestClient, condition: dict[str, Any]) -> None:
    body = {"terms": [{"text": "animal"}], "where": {"metadata": condition}}
    assert client.post("/v1/search", json=body).status_code == 422


# The examples of RFC 7396, appendix A.
RFC: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC)
def test_merge_patches_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


JSON = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_merge_patch_without_nulls_is_idempotent(target: Any, patch: Any) -> None:
    once = merged(target, patch)
    assert merged(once, patch) == once


def test_metadata_is_merged(client: TestClient) -> None:
    path = "/v1/sounds/external:D"
    headers = {"Content-Type": MERGE}
    patch = {"metadata": {"rights": None, "take": {"n": 3}}}
    answer = client.patch(path, content=json.dumps(patch), headers=headers)
    assert answer.json()["metadata"] == {"take": {"n": 3}}
    assert answer.json()["external_id"] == "D"
    answer = client.patch(path, content='{"external_id": null}', headers=headers)
    assert answer.json()["external_id"] is None
    assert answer.json()["metadata"] == {"take": {"n": 3}}
    path = f"/v1/sounds/{answer.json()['id']}"
    large = {"metadata": {f"field {number}": "x" * 9_000 for number in range(2)}}
    assert client.patch(path, content=json.dumps(large), headers=headers).status_code == 200
    more = {"metadata": {"field 3": "x" * 9_000}}
    assert client.patch(path, content=json.dumps(more), headers=headers).status_code == 422
    assert client.patch(path, json={"metadata": {}}).json()["metadata"] == {}


def test_a_change_that_came_between(client: TestClient) -> None:
    path = "/v1/sounds/external:D"
    tag = client.get(path).headers["etag"]
    first = client.patch(path, json={"metadata": {"a": 1}}, headers={"If-Match": tag})
    assert first.status_code == 200
    late = client.patch(path, json={"metadata": {"a": 2}}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "changed-meanwhile")
    assert client.get(path).json()["metadata"] == {"a": 1}
    assert client.get(path).headers["etag"] == first.headers["etag"]
    assert client.delete(path, headers={"If-Match": tag}).status_code == 412
    assert client.patch(path, json={"metadata": {}}, headers={"If-Match": "*"}).status_code == 200
    now = client.get(path, headers={"Accept-Encoding": "gzip"}).headers["etag"]
    assert client.delete(path, headers={"If-Match": now}).status_code == 204


# -- failures, lines, and what pages elsewhere may see --------------------------------------------


def test_failures_and_another_try(client: TestClient, folder: Path) -> None:
    (folder / "b.wav").write_bytes(b"no sound")
    done(client, client.post("/v1/jobs", json={}).json())
    (failed,) = client.get("/v1/failures").json()["sounds"]
    assert (failed["failure"], Path(failed["path"]).name) == ("undecodable", "b.wav")
    stat = (folder / "b.wav").stat()
    for body in ({"ids": [failed["id"]]}, {}):
        job = done(client, client.post("/v1/failures/retry", json=body).json())
        assert [f["kind"] for f in job["summary"]["failures"]] == ["undecodable"]
    assert (folder / "b.wav").stat() == stat
    assert client.get("/v1/failures", params={"after": failed["id"]}).json()["sounds"] == []
    assert client.post("/v1/failures/retry", json={"ids": [999]}).status_code == 404


def test_everything_as_lines(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from audiosearch.server import feed_routes

    monkeypatch.setattr(feed_routes, "_PAGE", 1)
    answer = client.get("/v1/export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers["content-encoding"] == "gzip"
    plain = client.get("/v1/export", headers={"Accept-Encoding": "identity"})
    assert (plain.text, "content-encoding" in plain.headers) == (answer.text, False)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == client.get("/v1/sounds").json()["sounds"]
    some = client.get("/v1/export", params={"external_id": "D"}).text.splitlines()
    assert [json.loads(line)["external_id"] for line in some] == ["D"]
    assert client.get("/v1/export", params={"since": "never"}).status_code == 422


def test_headers_that_other_pages_may_read(client: TestClient, tmp_path: Path) -> None:
    origin = "https://mam.example"
    app = make_app(tmp_path / "library", Settings(origins=(origin,)))
    with TestClient(app, base_url="http://localhost") as other:
        answer = other.get("/v1/sounds/1", headers={"Origin": origin})
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {"etag", "location", "retry-after", "content-range"} <= set(exposed)
        preflight = other.options("/v1/sounds/1", headers={"Origin": origin})
        assert "if-match" in preflight.headers["access-control-allow-headers"]


# -- what clients are made from -------------------------------------------------------------------


def test_the_description_reads_well(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    names = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(names) == len(set(names))
    verbs = "get list search find describe embed classify upload forget retry export start ingest"
    verbs += " cancel watch keep is"
    verbs += " make rename delete collect uncollect save change set train remove"
    for name in names:
        assert name.split("_")[0] in verbs.split(), name
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    problem = {"$ref": "#/components/schemas/Problem"}
    for path in described["paths"].values():
        for operation in path.values():
            content = operation["responses"]["default"]["content"]
            assert content["application/problem+json"]["schema"] == problem
    schemas = described["components"]["schemas"]
    assert "Problem" in schemas
    view = schemas["JobStatus"]["properties"]
    for part in ("progress", "summary"):
        assert {"$ref": f"#/components/schemas/Job{part.title()}"} in view[part]["anyOf"]


def test_jobs_are_described_as_they_are() -> None:
    from audiosearch.server.job_store import Job
    from audiosearch.server.job_view import JobProgress, JobStatus, JobSummary
    from indexer.progress import Progress
    from indexer.summary import Summary

    def names(kind: Any) -> set[str]:
        return {field.name for field in fields(kind)}

    assert names(JobStatus) == names(Job)
    assert names(JobProgress) == names(Progress)
    assert names(JobSummary) == names(Summary) | {"described", "item_failures"}
