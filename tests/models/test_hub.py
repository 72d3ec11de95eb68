"""Names become checked folders: bundled, local, or fetched from a hub."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub.utils import close_session

from shipdet.errors import BadModel, StorageFull, UnknownModel
from shipdet.models import hub as hub_module
from shipdet.models import list_models, public_names, resolve, resolve_public
from tests.helpers import hub_server


@pytest.fixture
def hub(monkeypatch, weights):
    with hub_server.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        files = [f for f in (weights / "tiny-compact").rglob("*") if f.is_file()]
        content = {f.name: f.read_bytes() for f in files}
        hub.repos["owner/compact"] = content | {"training.bin": b"x", "README.md": b"card"}
        yield hub


@pytest.fixture
def copy(weights, tmp_path):
    return Path(shutil.copytree(weights / "tiny-compact", tmp_path / "copy"))


def test_a_bundled_name_is_found(settings, weights):
    folder = resolve("tiny-atto", settings)
    assert folder.path == weights / "tiny-atto"
    assert (folder.name, folder.revision, folder.task) == ("tiny-atto", None, "ship-classification")
    assert folder.weights.is_file()
    assert folder.sha256 == folder.config.shipdet.sha256


def test_a_local_folder_is_found(settings, copy):
    assert resolve(str(copy), settings).path == copy


@pytest.mark.parametrize("name", ["", "nothing", "../weights", "a b/c", "x/y/z", "https://a.b/c"])
def test_an_unknown_name_lists_what_there_is(settings, name):
    with pytest.raises(UnknownModel, match="tiny-atto"):
        resolve(name, settings)


def test_models_are_listed_by_task(settings):
    names = {m.name for m in list_models(settings)}
    assert names == {"tiny-atto", "tiny-fine", "tiny-rrdb", "tiny-compact"}
    assert [m.name for m in list_models(settings, "ship-classification")] == [
        "tiny-atto",
        "tiny-fine",
    ]


def test_a_damaged_model_is_not_listed(settings, weights, tmp_path):
    root = Path(shutil.copytree(weights, tmp_path / "weights"))
    (root / "tiny-rrdb" / "model.safetensors").write_bytes(b"x")
    changed = settings.model_copy(update={"weights_dir": root})
    assert {m.name for m in list_models(changed)} == {"tiny-atto", "tiny-fine", "tiny-compact"}


def test_a_visitor_cannot_name_a_path_or_a_repository(settings, weights, hub):
    assert resolve_public("tiny-atto", settings).name == "tiny-atto"
    for name in (str(weights / "tiny-atto"), "owner/compact", "../tiny-atto", "tiny-atto/", ""):
        with pytest.raises(UnknownModel):
            resolve_public(name, settings)
    assert hub.requests == []


def test_a_visitor_may_use_what_the_operator_configured(settings, hub):
    configured = settings.model_copy(update={"upscaler": "owner/compact"})
    assert "owner/compact" in public_names(configured)
    assert resolve_public("owner/compact", configured).revision == hub_server.COMMIT


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt"])
def test_a_pickle_is_refused_and_conversion_advised(settings, copy, suffix):
    (copy / "model.safetensors").unlink()
    (copy / f"model{suffix}").write_bytes(b"x")
    with pytest.raises(
        BadModel, match=rf"contains model\{suffix}, a pickle, .* never loaded: convert"
    ):
        resolve(str(copy), settings)


@pytest.mark.parametrize("name", ["best.pth", "models/best.pth", "/x/best.PT", "owner/best.bin"])
def test_a_pickle_named_as_a_file_is_refused_likewise(settings, hub, name):
    with pytest.raises(BadModel, match=f"{name} is a pickle, .* never loaded: convert it"):
        resolve(name, settings)
    assert hub.requests == []


def test_a_configured_repository_is_listed_once_it_is_cached(settings, hub):
    configured = settings.model_copy(update={"upscaler": "owner/compact"})
    assert "owner/compact" not in {m.name for m in list_models(configured)}
    assert hub.requests == [], "a list fetches nothing"
    resolve("owner/compact", configured)
    asked = len(hub.requests)
    assert "owner/compact" in {m.name for m in list_models(configured)}
    assert len(hub.requests) == asked


def test_a_folder_without_weights_or_config_is_refused(settings, copy, tmp_path):
    (copy / "config.json").unlink()
    with pytest.raises(BadModel, match=r"config\.json"):
        resolve(str(copy), settings)
    with pytest.raises(BadModel, match=r"no model\.safetensors"):
        resolve(str(tmp_path), settings)


def test_weights_that_are_not_those_of_the_config_are_refused(settings, copy):
    resolve(str(copy), settings)
    with (copy / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BadModel, match="damaged or was replaced"):
        resolve(str(copy), settings)


def test_a_repository_is_fetched_checked_and_cached(settings, hub):
    folder = resolve("owner/compact", settings)
    assert folder.revision == hub_server.COMMIT
    assert folder.path.is_relative_to(settings.cache_dir)
    assert sorted(f.name for f in folder.path.iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    fetched = len([r for r in hub.requests if "model.safetensors" in r and "GET" in r])
    resolve("owner/compact@main", settings)
    assert len([r for r in hub.requests if "model.safetensors" in r and "GET" in r]) == fetched


def test_the_hub_is_not_asked_at_every_estimate(settings, hub, monkeypatch):
    resolve("owner/compact", settings)
    asked = len(hub.requests)
    assert asked
    assert resolve("owner/compact", settings).revision == hub_server.COMMIT
    assert len(hub.requests) == asked
    shutil.rmtree(settings.cache_dir / "hub")
    resolve("owner/compact", settings)
    assert len(hub.requests) > asked, "a cache that was emptied is filled again"
    asked = len(hub.requests)
    monkeypatch.setattr(hub_module, "HUB_FRESH_S", 0.0)
    resolve("owner/compact", settings)
    assert len(hub.requests) > asked


def test_a_cache_that_cannot_be_written_is_reported(settings, hub, tmp_path):
    (tmp_path / "file").write_text("no folder")
    elsewhere = settings.model_copy(update={"cache_dir": tmp_path / "file"})
    with pytest.raises(StorageFull, match="SHIPDET_CACHE_DIR"):
        resolve("owner/compact", elsewhere)


def test_unreadable_certificates_are_not_a_full_disk(hub, settings, monkeypatch, tmp_path):
    close_session()  # of huggingface_hub, which keeps its certificates
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (broken, tmp_path / "missing.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with pytest.raises(UnknownModel, match="SSL_CERT_FILE names certificates"):
            resolve("owner/compact", settings)


def test_a_revision_can_be_chosen(settings, hub):
    assert resolve("owner/compact@v1", settings).name == "owner/compact@v1"
    assert any("revision/v1" in r for r in hub.requests)
    with pytest.raises(UnknownModel, match="no revision called 'v9'"):
        resolve("owner/compact@v9", settings)


def test_a_repository_that_does_not_exist_is_unknown(settings, hub):
    with pytest.raises(UnknownModel, match="no model owner/other"):
        resolve("owner/other", settings)


def test_without_a_hub_the_cache_serves_or_the_remedy_is_named(settings, hub, monkeypatch):
    resolve("owner/compact", settings)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert resolve("owner/compact", settings).revision == hub_server.COMMIT
    with pytest.raises(UnknownModel, match=r"does not answer.*local folder.*tiny-atto"):
        resolve("owner/never-seen", settings)


def test_a_hub_in_trouble_is_reported(settings, hub):
    hub.status = 400
    with pytest.raises(UnknownModel):
        resolve("owner/compact", settings)


def test_a_repository_whose_weights_do_not_match_is_refused(settings, hub):
    hub.repos["owner/compact"]["model.safetensors"] += b"\0"
    with pytest.raises(BadModel, match="damaged or was replaced"):
        resolve("owner/compact", settings)


def test_a_repository_of_pickles_is_refused(settings, hub):
    files = hub.repos["owner/compact"]
    hub.repos["owner/old"] = {"config.json": files["config.json"], "pytorch_model.bin": b"x"}
    with pytest.raises(BadModel, match=r"model\.safetensors"):
        resolve("owner/old", settings)
    assert not any("pytorch_model" in r for r in hub.requests)


def test_a_config_of_another_kind_is_refused(settings, hub):
    hub.repos["owner/compact"]["config.json"] = json.dumps({"model_type": "bert"}).encode()
    with pytest.raises(BadModel, match=r"shipdet\.task"):
        resolve("owner/compact", settings)
