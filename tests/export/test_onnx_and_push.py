"""Export compares before it keeps; push sends a model's files and nothing else."""

import json
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from export import onnx, parity, push
from shipdet.errors import BadModel, UnknownModel
from shipdet.models import onnx_graph, resolve
from shipdet.models.graphs import graph_file
from tests.helpers import hub_server
from tests.helpers.painted import picture_mosaic, sea


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


def files(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def worsened(monkeypatch, **figures):
    """Half precision has these figures."""
    compare = parity.compare

    def worse(folder, precision, *others):
        found = compare(folder, precision, *others)
        return found | (figures if precision == "fp16" else {})

    monkeypatch.setattr(onnx, "compare", worse)


def test_half_precision_that_fails_leaves_and_replaces_nothing(
    settings, folder, tmp_path, monkeypatch
):
    worsened(monkeypatch, pixels_within_1=0.5)
    before = files(tmp_path)
    with pytest.raises(BadModel, match=r"model_fp16\.onnx differs too much.*\(pixels_apart\)"):
        onnx.export(resolve(str(folder), settings), [], ["fp32", "fp16"])
    assert files(tmp_path) == before

    onnx.export(resolve(str(folder), settings), [], ["fp32"])
    (folder / "onnx" / "model.onnx").write_bytes(b"the vouched one")
    before = files(tmp_path)
    with pytest.raises(BadModel):
        onnx.export(resolve(str(folder), settings), [], ["fp32", "fp16"])
    assert files(tmp_path) == before


def test_every_figure_has_its_limit():
    good = {
        "score_max": 9e-4, "map_max": 9e-4, "whole_score_max": 9e-4, "pixels_within_1": 0.9995,
        "ships": 7, "ships_apart": 0, "center_px_max": 0.9,
    }  # fmt: skip
    bad = {
        "score_max": 2e-3, "map_max": 2e-3, "whole_score_max": 2e-3, "pixels_within_1": 0.99,
        "ships_apart": 1, "center_px_max": 1.1,
    }  # fmt: skip
    assert parity.excess(good, "fp32") == []
    assert len(parity.excess(good | bad, "fp32")) == 6
    assert parity.excess(good | {"score_max": math.nan}, "fp32") == ["score_max"]
    assert parity.excess(good | {"score_max": 9e-3}, "fp16") == []


def test_both_outputs_and_the_ships_of_scenes_are_compared(
    settings, weights, monkeypatch, tmp_path
):
    copy = Path(shutil.copytree(weights / "tiny-fine", tmp_path / "tiny"))
    scene = picture_mosaic(sea(300, 300, noise=30), 2.0)
    entries = onnx.export(resolve(str(copy), settings), [], ["fp32"], [scene])
    found = entries["onnx/model.onnx"]["difference"]
    assert {"score_max", "map_max", "whole_score_max", "ships_apart", "center_px_max"} <= set(found)
    # A graph whose second output is not what exact mode needs.
    head = onnx_graph.whole_margins
    monkeypatch.setattr(onnx_graph, "whole_margins", lambda *args: head(*args) + 1)
    with pytest.raises(BadModel, match=r"\(whole_score_max\)"):
        onnx.export(resolve(str(copy), settings), [], ["fp32"])


def test_a_ship_that_only_one_backend_finds_counts(settings, weights, monkeypatch):
    folder = resolve("tiny-fine", settings)
    lists = iter([[(5.0, 5.0), (50.0, 50.0)], [(5.0, 7.0)]])
    monkeypatch.setattr(
        parity, "ships_in", lambda *_: SimpleNamespace(centers=np.array(next(lists)))
    )
    found = parity.ship_difference(folder, folder.config, "fp32", [None])
    assert (found["ships"], found["ships_apart"]) == (2, 1)
    assert found["center_px_max"] > 40


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
    assert "nothing was uploaded" in printed
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


def test_a_hub_that_refuses_is_reported(hub, folder, monkeypatch):
    hub.status = 403
    with pytest.raises(push.PushFailed, match="HF_TOKEN"):
        command(monkeypatch, "owner/tiny", folder)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(push.PushFailed, match="does not answer"):
        command(monkeypatch, "owner/tiny", folder)
