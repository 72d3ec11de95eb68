"""Export compares before it keeps; push sends a model's files and nothing else."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from export import onnx, push
from shipdet.errors import BadModel, UnknownModel
from shipdet.models import resolve
from shipdet.models.onnx_runtime import graph_file
from tests import hub_server


@pytest.fixture
def folder(weights, tmp_path):
    return Path(shutil.copytree(weights / "tiny-compact", tmp_path / "tiny"))


@pytest.mark.parametrize("name", ["tiny-atto", "tiny-compact", "tiny-rrdb"])
def test_export_enters_checksums_and_differences(settings, weights, tmp_path, name):
    copy = shutil.copytree(weights / name, tmp_path / name)
    entries = onnx.export(resolve(str(copy), settings), [], ["fp32", "fp16"])
    assert set(entries) == {"onnx/model.onnx", "onnx/model_fp16.onnx"}
    folder = resolve(str(copy), settings)
    for precision in ("fp32", "fp16"):
        assert graph_file(folder, precision, settings).is_relative_to(folder.path)
    assert folder.config.shipdet.onnx["onnx/model.onnx"].difference


def test_a_difference_above_the_tolerance_leaves_nothing(settings, folder, monkeypatch):
    monkeypatch.setattr(onnx, "PIXELS_WITHIN_ONE", 1.1)
    before = (folder / "config.json").read_text()
    with pytest.raises(BadModel, match="differs too much"):
        onnx.export(resolve(str(folder), settings), [], ["fp32"])
    assert (folder / "config.json").read_text() == before
    assert not list(folder.glob("onnx/*.onnx"))


@pytest.fixture
def hub(monkeypatch):
    with hub_server.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        yield hub


def command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["push", *map(str, arguments)])
    push.main()


def test_push_sends_the_models_files(hub, folder, monkeypatch, capsys):
    (folder / "README.md").write_text("card")
    (folder / "notes.txt").write_text("not for others")
    command(monkeypatch, "owner/tiny", folder)
    assert sorted(hub.pushed) == ["README.md", "config.json", "model.safetensors"]
    assert hub.pushed["config.json"] == (folder / "config.json").read_bytes()
    assert hub_server.COMMIT in capsys.readouterr().out


def test_a_dry_run_only_lists(hub, folder, monkeypatch, capsys):
    command(monkeypatch, "owner/tiny", folder, "--dry-run")
    printed = capsys.readouterr().out
    assert "model.safetensors" in printed
    assert "Nothing was uploaded" in printed
    assert hub.requests == []


def test_a_folder_that_is_not_sound_is_not_sent(hub, folder, monkeypatch):
    raw = json.loads((folder / "config.json").read_text())
    raw["shipdet"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(raw))
    with pytest.raises(BadModel):
        command(monkeypatch, "owner/tiny", folder)
    with pytest.raises(UnknownModel):
        command(monkeypatch, "owner/tiny", folder / "nowhere")
    assert hub.requests == []


def test_a_hub_that_refuses_is_told(hub, folder, monkeypatch):
    hub.status = 403
    with pytest.raises(push.PushFailed, match="HF_TOKEN"):
        command(monkeypatch, "owner/tiny", folder)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(push.PushFailed, match="does not answer"):
        command(monkeypatch, "owner/tiny", folder)
