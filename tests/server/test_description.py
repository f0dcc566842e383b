"""`/openapi.json` is such that generators make good types of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def described(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from parts(part)


@pytest.mark.parametrize(
    "name", ["Hit", "Sound", "JobStatus", "JobSummary", "JobProgress", "Facets", "Status"]
)
def test_answers_have_all_their_fields(described: dict[str, Any], name: str) -> None:
    schema = described["components"]["schemas"][name]
    assert schema["required"] == list(schema["properties"])
    assert not any("default" in field for field in schema["properties"].values())


@pytest.mark.parametrize("name", ["SearchRequest", "SearchTerm", "SearchFilters", "JobRequest"])
def test_requests_need_few_fields(described: dict[str, Any], name: str) -> None:
    """With a default in the description, generated types would have clients send the field."""
    schema = described["components"]["schemas"][name]
    assert not any("default" in field for field in schema["properties"].values())
    assert schema.get("required", []) == (["terms"] if name == "SearchRequest" else [])


def test_defaults_are_said(described: dict[str, Any]) -> None:
    fields = described["components"]["schemas"]["SearchRequest"]["properties"]
    assert fields["k"]["description"] == "Default: 10."
    assert fields["match"]["description"].endswith("or both. Default: both.")


def test_a_patch_is_not_a_replacement(described: dict[str, Any]) -> None:
    content = described["paths"]["/v1/sounds/{sound_id}"]["patch"]["requestBody"]["content"]
    kinds = {kind: value["schema"]["$ref"].rpartition("/")[2] for kind, value in content.items()}
    assert kinds == {
        "application/json": "Description",
        "application/merge-patch+json": "DescriptionPatch",
    }


def test_what_is_free_is_one_type(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name in ("Hit", "Sound", "SparseHit"):
        for field in ("metadata", "tags"):
            assert schemas[name]["properties"][field]["$ref"] == "#/components/schemas/Fields"
    inline = [
        part
        for name, schema in schemas.items()
        if name != "Fields"
        for part in parts(schema)
        if part.get("type") == "object" and not {"properties", "additionalProperties"} & {*part}
    ]
    assert inline == []  # of these nobody could say what they hold


def test_some_fields_are_fields_of_the_whole(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for page, field, sparse in (
        ("SparseHitPage", "hits", "SparseHit"),
        ("SparseSoundPage", "sounds", "SparseSound"),
    ):
        assert schemas[page]["properties"][field]["items"] == {
            "$ref": f"#/components/schemas/{sparse}"
        }
        whole = schemas[sparse.removeprefix("Sparse")]
        assert schemas[sparse]["properties"] == whole["properties"]
        assert "required" not in schemas[sparse]


def test_probes_need_no_key(described: dict[str, Any]) -> None:
    paths = described["paths"]
    assert paths["/healthz"]["get"]["security"] == paths["/readyz"]["get"]["security"] == []
    assert "security" not in paths["/v1/status"]["get"]
    assert {"key": []} in described["security"]


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for part in parts(described):
        if isinstance(part.get("$ref"), str):
            assert part["$ref"].rpartition("/")[2] in schemas
