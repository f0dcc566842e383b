import json
from pathlib import Path

import pytest

from audiosearch.errors import InvalidQuery, ModelBroken, ModelNotFound
from audiosearch.models.bundle import MANIFEST, read_bundle
from audiosearch.models.registry import (
    cache_directory,
    cached_bundle,
    check_bundle,
    find_bundle,
    list_bundles,
    load_model,
    remove_bundle,
)

HUB_ID = "laion/clap-htsat-unfused"


@pytest.fixture
def added(cache, exchange) -> Path:
    """A bundle in the cache, as if it had been compiled from the hub."""
    return exchange({}, at=cached_bundle(HUB_ID), name=HUB_ID)


def test_mini_is_the_default():
    assert load_model().identity == load_model("mini").identity


def test_the_cache_is_where_the_environment_says(cache):
    assert cache_directory() == cache
    assert cached_bundle(HUB_ID) == cache / "laion--clap-htsat-unfused"


@pytest.mark.parametrize("name", ["..", "../../x", "/etc", "a\\b", "a\0b", "", ".hidden"])
def test_no_name_leads_out_of_the_cache(cache, name):
    assert cached_bundle(name).parent == cache
    assert not cached_bundle(name).name.startswith(".")


def test_a_compiled_model_goes_by_its_name(added):
    assert find_bundle(HUB_ID) == added
    assert load_model(HUB_ID).bundle.name == HUB_ID


def test_a_bundle_elsewhere_goes_by_its_path(cache, exchange, tmp_path, monkeypatch):
    directory = exchange({}, at=tmp_path / "my bundle")
    monkeypatch.chdir(tmp_path)
    model = load_model("my bundle")
    assert model.bundle.name == str(directory)
    # The name that a library stores finds it again, from anywhere.
    monkeypatch.chdir("/")
    assert load_model(model.bundle.name).identity == model.identity
    # It is the model that it is, wherever it lies.
    assert model.identity.digest == load_model("mini").identity.digest


@pytest.mark.parametrize(
    "name",
    ["laion/clap-htsat-fused", "nowhere", "", "/no/such/directory", "~nobody-here/x", "x" * 5_000],
)
def test_an_unknown_name_is_answered_with_the_way_to_add_it(cache, name):
    with pytest.raises(ModelNotFound, match=f"audiosearch models add {name}") as caught:
        load_model(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "right"), [("mimi", "mini"), ("laion/clap-htsat-fused", HUB_ID), ("zzz", None)]
)
def test_a_near_name_is_offered(added, wrong, right):
    with pytest.raises(ModelNotFound) as caught:
        find_bundle(wrong)
    assert ("did you mean" in str(caught.value)) == (right is not None)
    assert right is None or f"did you mean {right}?" in str(caught.value)


def test_models_are_listed_and_broken_ones_with_the_reason(added, cache, exchange):
    broken = exchange({}, at=cache / "broken")
    (broken / "text.onnx").unlink()
    exchange({}, at=cache / ".compiling-x" / "bundle")
    (cache / "no-bundle").mkdir()
    models = {model.name: model for model in list_bundles()}
    assert list(models) == ["mini", "broken", HUB_ID]
    assert models[HUB_ID].bundle == read_bundle(added)
    assert (
        models[HUB_ID].bytes
        == sum(p.stat().st_size for p in added.iterdir()) - (added / MANIFEST).stat().st_size
    )
    assert models["broken"].bundle is None
    assert "text.onnx" in str(models["broken"].problem)


def test_without_a_cache_there_is_mini(cache):
    assert [model.name for model in list_bundles()] == ["mini"]


def test_a_compiled_model_is_removed(added, cache):
    assert remove_bundle(HUB_ID, dry_run=True) == added
    assert added.is_dir()
    assert remove_bundle(HUB_ID) == added
    assert list(cache.iterdir()) == []
    with pytest.raises(ModelNotFound):
        remove_bundle(HUB_ID)


def test_a_broken_model_can_be_removed(added):
    (added / MANIFEST).write_text("{")
    remove_bundle(HUB_ID)
    assert not added.exists()


def test_what_was_not_added_is_not_removed(cache, exchange, tmp_path):
    directory = exchange({}, at=tmp_path / "mine")
    for name in ("mini", str(directory)):
        with pytest.raises(InvalidQuery, match="left alone"):
            remove_bundle(name)
    assert read_bundle(directory)
    assert load_model("mini")


def test_check_finds_a_byte_that_was_changed(added):
    check_bundle(HUB_ID)
    content = bytearray((added / "audio.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (added / "audio.onnx").unlink()  # it is a link to mini's
    (added / "audio.onnx").write_bytes(content)
    with pytest.raises(ModelBroken, match=r"audio\.onnx"):
        check_bundle(HUB_ID)


def test_the_manifest_is_what_people_may_read():
    manifest = json.loads((find_bundle("mini") / MANIFEST).read_text())
    assert manifest["name"] == "mini"
    assert Path(find_bundle("mini") / "README.md").is_file()
