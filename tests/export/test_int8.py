"""An 8-bit graph stays only if it finds what the float32 one finds."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export import int8
from export.labeled_pictures import Tally, read_labels, tallied
from shipdet.detections import Detection, Detections
from shipdet.errors import BadModel, BadOption
from shipdet.models import resolve
from shipdet.models.graphs import int8_file


@pytest.fixture
def labels(picture, tmp_path):
    """A picture of 2 m per pixel with a ship of 100 m, one of 30 m and a strip where none is
    known."""
    Image.fromarray(picture(1, 200, 300)[0]).save(tmp_path / "scene.png")
    ships = [box(50, 50, 50, 8), box(200, 100, 15, 4)]
    entry = {
        "file": "scene.png", "gsd_x_m": 2.0, "gsd_y_m": 2.0, "complete": True,
        "ships": [{"corners": corners.tolist()} for corners in ships],
        "unknown": [[0, 150, 300, 200]],
    }  # fmt: skip
    file = tmp_path / "labels.json"
    file.write_text(json.dumps({"images": [entry]}))
    return file


def box(x, y, length, width):
    """Corners of an upright box around a place, in pixels, the length first."""
    half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (length / 2, width / 2)
    return half + np.array((x, y))


def ship(x, y, length_m=100.0):
    return Detection(1, 0.9, x, y, box(x, y, length_m / 2, 8), length_m, 16.0, 90.0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], (0, 0, 2)),
        ([ship(50, 50), ship(200, 100, 30)], (2, 0, 2)),
        ([ship(50, 50), ship(52, 50)], (1, 1, 2)),  # the second detection of one ship
        ([ship(120, 20), ship(120, 180)], (0, 1, 2)),  # where nothing is known
        ([ship(120, 20, 20)], (0, 0, 2)),  # too short to count
    ],
)
def test_ships_are_counted_by_the_rule(labels, monkeypatch, found, expected):
    monkeypatch.setattr(
        "export.labeled_pictures.ships_in", lambda *_: Detections(tuple(found), 0.5)
    )
    model = type("Model", (), {"config": None})()
    tally = tallied(read_labels([labels]), model)
    assert (tally.hits, tally.false, tally.ships) == expected
    assert tally.f1 == pytest.approx(2 * expected[0] / max(1, sum(expected)))


def test_without_full_labels_nothing_is_false(labels, monkeypatch):
    raw = json.loads(labels.read_text())
    raw["images"][0]["complete"] = False
    labels.write_text(json.dumps(raw))
    found = Detections((ship(120, 20),), 0.5)
    monkeypatch.setattr("export.labeled_pictures.ships_in", lambda *_: found)
    assert tallied(read_labels([labels]), type("M", (), {"config": None})()).false == 0


@pytest.mark.parametrize("text", ["", "[]", '{"images": [{"file": "a.png"}]}'])
def test_other_files_are_no_labels(tmp_path, text):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(BadOption, match="does not have the format of a run's labels"):
        read_labels([tmp_path / "labels.json"])
    with pytest.raises(BadOption, match="cannot be read"):
        read_labels([tmp_path / "nowhere.json"])


@pytest.fixture
def folder(settings, weights, tmp_path):
    copy = shutil.copytree(weights / "tiny-fine", tmp_path / "models" / "tiny")
    return resolve(str(copy), settings)


@pytest.fixture(scope="module")
def quantized():
    """8-bit graphs by the graph and the canvases that they were made of: names and contents."""
    return {}


@pytest.fixture
def made_once(monkeypatch, graph_cache, quantized):
    """The same work is not done again: the model and its canvases are those of other tests."""
    monkeypatch.setenv("SHIPDET_CACHE_DIR", str(graph_cache))
    quantize = int8.quantize

    def once(graph, canvases, target):
        made_of = (graph.read_bytes(), np.concatenate(canvases).tobytes())
        if made_of not in quantized:
            quantize(graph, canvases, target)
            quantized[made_of] = files(target.parent)
        target.parent.mkdir(exist_ok=True)
        for name, data in quantized[made_of].items():
            (target.parent / name).write_bytes(data)

    monkeypatch.setattr(int8, "quantize", once)


@pytest.fixture
def tallies(monkeypatch):
    """What the two graphs find: float32 first."""

    def compared(*found):
        rest = iter(found)
        monkeypatch.setattr(int8, "tallied", lambda *_: next(rest))

    return compared


def files(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def made(folder, labels):
    return int8.canvases_of(read_labels([labels]) * 3, folder.config)


def test_a_graph_that_passes_is_entered(settings, folder, labels, tallies, made_once):
    pytest.importorskip("nncf")
    tallies(Tally(90, 10, 100), Tally(90, 10, 100))
    kept = int8.export(folder, made(folder, labels), read_labels([labels]))
    assert (kept["f1"], kept["f1_fp32"], kept["ships"]) == (0.9, 0.9, 100)
    entered = resolve(str(folder.path), settings)
    assert entered.config.shipdet.int8.difference == kept
    assert int8_file(entered) == folder.path / "openvino" / "int8.xml"
    assert [p.name for p in folder.path.parent.iterdir()] == ["tiny"], "drafts are gone"


def test_a_graph_that_loses_ships_is_not_written(folder, labels, tallies, made_once):
    pytest.importorskip("nncf")
    before = files(folder.path.parent)
    tallies(Tally(900, 100, 1000), Tally(890, 100, 1000))
    with pytest.raises(BadModel, match=r"drops from 0\.900 to 0\.894: nothing was written"):
        int8.export(folder, made(folder, labels), read_labels([labels]))
    assert files(folder.path.parent) == before


def test_a_model_that_has_not_seen_the_pictures_decides(
    settings, weights, folder, labels, monkeypatch, made_once
):
    pytest.importorskip("nncf")
    judged = []
    monkeypatch.setattr(
        int8, "tallied", lambda _, model: judged.append(model.backend) or Tally(1, 0, 1)
    )
    other = resolve(str(weights / "tiny-fine"), settings)
    int8.export(folder, made(folder, labels), read_labels([labels]), other)
    assert [ran.precision for ran in judged] == ["fp32", "int8"]
    assert not (weights / "tiny-fine" / "openvino").exists()


def test_only_ship_models_have_such_a_graph(settings, weights, labels, monkeypatch):
    arguments = ["int8", str(weights / "tiny-rrdb"), "--labels", str(labels)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(BadModel, match="finds no ships"):
        int8.main()


def test_canvases_are_of_the_networks_scale(folder, labels):
    canvases = int8.canvases_of(read_labels([labels]) * 3, folder.config)
    assert len(canvases) == 3
    assert {canvas.shape for canvas in canvases} == {(1, 256, 256, 3)}
    assert all(np.ptp(canvas) > 20 for canvas in canvases)


def test_labels_without_pictures_are_refused(weights, tmp_path, monkeypatch):
    Path(tmp_path, "none.json").write_text('{"images": []}')
    arguments = ["int8", str(weights / "tiny-fine"), "--labels", str(tmp_path / "none.json")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(BadOption, match="contain no images"):
        int8.main()
