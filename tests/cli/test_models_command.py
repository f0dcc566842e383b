import json

import pytest
from typer.testing import CliRunner

from audiosearch.cli.models import app
from audiosearch.errors import InvalidQuery, ModelNotFound
from audiosearch.models.bundle import MANIFEST
from audiosearch.models.known import KNOWN
from audiosearch.models.registry import find_bundle, load_model
from tests.hub import unpack


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def broken(cache):
    directory = cache / "broken"
    directory.mkdir(parents=True)
    manifest = (find_bundle("mini") / MANIFEST).read_text()
    (directory / MANIFEST).write_text(manifest)
    return directory


def run(*words):
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize("words", [(), ("list",)])
def test_models_are_listed(cache, words):
    result = run(*words)
    assert result.exit_code == 0
    head, mini = result.stdout.splitlines()
    assert head.split() == ["model", "revision", "window", "size", "licence", "directory"]
    assert mini.startswith("mini ")
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_a_broken_model_is_listed_with_the_reason_on_stderr(broken):
    result = run("list")
    assert result.exit_code == 0
    assert "broken" in result.stdout
    assert "audio.onnx" not in result.stdout
    assert "audio.onnx" in result.stderr


def test_json_says_what_a_library_stores(broken):
    records = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [record["name"] for record in records] == ["mini", "broken"]
    assert records[0]["problem"] is None
    assert {"digest", "dimension", "precision", "query_template"} <= records[0].keys()
    assert "audio.onnx" in records[1]["problem"]


def test_check_exits_0_for_what_works(cache):
    result = run("check")
    assert (result.exit_code, result.stdout) == (0, "mini: works\n")


def test_check_exits_1_for_what_does_not(broken):
    result = run("check", "--json")
    assert result.exit_code == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["problem"] is None for record in records] == [True, False]


def test_remove_says_what_it_would_do_and_does_it(broken):
    dry = run("remove", "broken", "--dry-run")
    assert (dry.exit_code, dry.stdout) == (0, "")
    assert str(broken) in dry.stderr
    assert broken.is_dir()
    assert run("remove", "broken").exit_code == 0
    assert not broken.exists()


def test_mini_is_not_removed(cache):
    assert isinstance(run("remove", "mini").exception, InvalidQuery)
    assert (find_bundle("mini") / MANIFEST).is_file()


@pytest.mark.parametrize("words", [("check", "nowhere"), ("remove", "nowhere")])
def test_an_unknown_model_is_an_error_of_the_library(cache, words):
    assert isinstance(run(*words).exception, ModelNotFound)


def test_what_cannot_be_added_is_an_error_of_the_library(cache, tmp_path):
    result = run("add", str(tmp_path))
    assert isinstance(result.exception, ModelNotFound)
    assert result.stdout == ""


def test_without_a_model_add_lists_what_can_be_had():
    result = run("add")
    assert result.exit_code == 0
    rows = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert rows == ["model", *KNOWN]
    assert max(map(len, result.stdout.splitlines())) <= 80
    records = [json.loads(line) for line in run("add", "--json").stdout.splitlines()]
    assert [(record["name"], record["commit"]) for record in records] == [
        (model.name, model.commit) for model in KNOWN.values()
    ]


def test_what_is_added_is_told_in_json(cache, tmp_path):
    result = run("add", str(unpack(tmp_path) / "micro"), "--precision", "fp32", "--json")
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert record["name"] == "micro"
    assert record["digest"] == load_model("micro").identity.digest
    assert "trying the text tower" in result.stderr
