"""UCS categories over HTTP: the list, suggestions, and choices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from audiosearch.remote.keys import make_key
from audiosearch.server import Settings, make_app

LIST = "Category,SubCategory,CatID\nANIMALS,DOG,ANMLDog\nRAIN,MISC,RAINMisc\n"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, sample_directory: Path) -> Path:
    where = tmp_path_factory.mktemp("ucs") / "library"
    return Path(shutil.copytree(sample_directory, where))


@pytest.fixture(scope="module")
def client(directory: Path) -> Iterator[TestClient]:
    with TestClient(make_app(directory), base_url="http://localhost") as opened:
        yield opened


def test_from_the_list_to_a_choice(client: TestClient) -> None:
    assert client.get("/v1/ucs/list").json() == {"categories": []}
    none = client.get("/v1/ucs/suggestions")
    assert (none.status_code, none.json()["code"]) == (422, "invalid-query")
    assert client.put("/v1/ucs/list", content=LIST).json() == {"categories": 2}
    first = {"cat_id": "ANMLDog", "category": "ANIMALS", "subcategory": "DOG"}
    assert client.get("/v1/ucs/list").json()["categories"][0] == first

    here = {"path": "dogs.mp3"}
    page = client.get("/v1/ucs/suggestions", params={**here, "k": 2}).json()
    ((dogs,), following) = page["suggested"], page["next"]
    assert following is None
    best, other = dogs["suggestions"]
    assert best == first | {"score": best["score"]}
    assert best["score"] > other["score"]
    body = {"choices": [{"id": dogs["id"], "cat_id": "ANMLDog"}]}
    assert client.patch("/v1/ucs/choices", json=body).json() == {"changed": 1}
    assert client.get("/v1/ucs/suggestions", params=here).json()["suggested"] == []
    ucs = client.get(f"/v1/sounds/{dogs['id']}").json()["ucs"]
    assert (ucs["cat_id"], ucs["source"]) == ("ANMLDog", "kept")
    found = client.get("/v1/search", params={"q": "a dog", "ucs_category": "ANIMALS"}).json()
    assert [hit["ucs"]["source"] for hit in found["hits"]] == ["kept"]
    assert client.get("/v1/facets").json()["ucs_category"] == {"ANIMALS": 1}
    body["choices"][0]["cat_id"] = None
    assert client.patch("/v1/ucs/choices", json=body).json() == {"changed": 1}
    assert client.get(f"/v1/sounds/{dogs['id']}").json()["ucs"] == {}

    paths: list[str] = []
    for offset in (0, 40):
        asked = {"limit": 40, "offset": offset}
        page = client.get("/v1/ucs/suggestions", params=asked).json()
        paths += [sound["path"] for sound in page["suggested"]]
        assert page["next"] == (None if offset else 40)
    assert paths == sorted(set(paths))
    assert len(paths) == client.get("/v1/status").json()["sounds"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", "list", b"a,b\n1,2\n", 422, "invalid-query"),
        ("PUT", "list", b"", 422, "invalid-query"),
        ("PUT", "list", b"\xff\xfe\x00", 422, "invalid-query"),
        ("PUT", "list", b'CatID,"' + b"x" * 200_000, 422, "invalid-query"),
        ("PUT", "list", b"x" * 1_000_001, 413, "too-large"),
        ("PATCH", "choices", b'{"choices": [{"id": 1, "cat_id": "x"}]}', 422, "invalid-query"),
        ("PATCH", "choices", b'{"choices": [{"id": 1}]}', 422, "invalid-request"),
        ("PATCH", "choices", b'{"choices": []}', 422, "invalid-request"),
        (
            "PATCH",
            "choices",
            b'{"choices": [{"id": 9999, "cat_id": null}]}',
            404,
            "sound-not-found",
        ),
        ("GET", "suggestions?k=0", b"", 422, "invalid-request"),
        ("GET", "suggestions?pth=x", b"", 422, "invalid-request"),
    ],
)
def test_errors(
    client: TestClient, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Content-Type": "text/csv" if method == "PUT" else "application/json"}
    answer = client.request(method, f"/v1/ucs/{path}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "\n" not in answer.json()["detail"]


def test_a_key_that_reads_changes_nothing(directory: Path) -> None:
    secret = make_key(directory, "a reader", "read")
    headers = {"Authorization": f"Bearer {secret}"}
    app = make_app(directory, Settings(need_key=True))
    with TestClient(app, base_url="http://localhost", headers=headers) as reader:
        assert reader.get("/v1/ucs/list").status_code == 200
        for method, path in (("PUT", "list"), ("PATCH", "choices")):
            answer = reader.request(method, f"/v1/ucs/{path}", content=LIST)
            assert (answer.status_code, answer.json()["code"]) == (403, "scope")
