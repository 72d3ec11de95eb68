"""The models that come with the repository: sound, strict, and giving the scores they gave."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import timm
from safetensors.torch import load_file

from export.int8 import MOST_LOST
from export.parity import excess
from shipdet import detect_area
from shipdet.models import list_models, load_classifier, resolve
from shipdet.models.graph_format import FILES
from shipdet.models.graphs import graph_file, int8_file
from shipdet.settings import get_settings
from tests.helpers import PROJECT
from tests.helpers.tile_server import TileServer, data_dir

WEIGHTS = PROJECT / "weights"
GOLDEN = Path(__file__).with_name("golden_scores.json")  # written by this file, run as a script
GRAPHS = sorted(WEIGHTS.glob("*/onnx/*.onnx"))
FOLDERS = sorted(folder.name for folder in WEIGHTS.iterdir() if folder.is_dir())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_shipped_model_is_complete_and_what_its_config_says(name: str) -> None:
    folder = WEIGHTS / name
    config = json.loads((folder / "config.json").read_text())
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == config["shipdet"]["sha256"]
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense:")
    assert resolve(name, get_settings()).path == folder


def test_every_shipped_folder_is_listed() -> None:
    assert [model.name for model in list_models(get_settings())] == FOLDERS


@pytest.mark.parametrize("file", GRAPHS, ids=lambda file: str(file.relative_to(WEIGHTS)))
def test_a_shipped_graph_is_the_one_that_runs(file: Path, tmp_path: Path) -> None:
    settings = get_settings().model_copy(update={"cache_dir": tmp_path})
    folder = resolve(file.parent.parent.name, settings)
    name = f"onnx/{file.name}"
    precision = next(key for key, value in FILES.items() if value == name)
    assert graph_file(folder, precision, settings) == file, "export it again: python -m export.onnx"
    difference = folder.config.shipdet.onnx[name].difference
    assert difference and excess(difference, precision) == []


@pytest.mark.parametrize("file", sorted(WEIGHTS.glob("*/openvino/int8.xml")), ids=str)
def test_a_shipped_graph_of_8_bits_has_passed(file: Path) -> None:
    folder = resolve(file.parent.parent.name, get_settings())
    assert int8_file(folder) == file, "make it again: python -m export.int8"
    found = folder.config.shipdet.int8.difference
    assert found["f1"] >= found["f1_fp32"] - MOST_LOST


def test_timm_loads_the_classifier_strictly_from_its_config() -> None:
    folder = WEIGHTS / "shipdet-pico"
    config = json.loads((folder / "config.json").read_text())
    net = timm.create_model(f"local-dir:{folder}", pretrained=True)
    assert net.num_features == config["num_features"]
    net.load_state_dict(load_file(folder / "model.safetensors"), strict=True)


def golden_windows(side: int) -> np.ndarray:
    """Four generated windows, uint8: flat water, noise, a bright bar in the middle, one aside."""
    rng = np.random.default_rng(7)
    water = np.full((4, side, side, 3), (30, 55, 70), np.uint8)
    water = np.clip(water + rng.normal(0, 3, water.shape), 0, 255).astype(np.uint8)
    water[1] = rng.integers(0, 256, water[1].shape)
    middle, length, half = side // 2, side // 3, side // 26
    water[2, middle - half : middle + half, middle - length // 2 : middle + length // 2] = 200
    water[3, 2 * half : 4 * half, :length] = 200
    return water


def test_the_classifier_gives_the_scores_it_gave() -> None:
    classifier = load_classifier("shipdet-pico", "torch", "cpu")
    known = json.loads(GOLDEN.read_text())
    scores = classifier.scores(golden_windows(classifier.window_px))
    np.testing.assert_allclose(scores, known["scores"], atol=2e-2)  # bf16 on some processors
    assert scores[2] > max(scores[0], scores[3]), "a hull in the middle is more of a ship"


@pytest.mark.skipif(not data_dir().is_dir(), reason="needs the real mosaics")
def test_no_quay_at_the_edge_of_the_readmes_area_is_a_ship(tmp_path: Path) -> None:
    with TileServer.of_mosaic("algeciras") as server:
        settings = get_settings().model_copy(
            update={"cache_dir": tmp_path, "xyz_url": server.url_template, "xyz_title": "Algeciras"}
        )
        west, south, east, north = server.bbox.as_tuple()  # it has a part of the area
        box = max(west, -5.44), max(south, 36.12), min(east, -5.40), min(north, 36.14)
        run = detect_area(
            box, provider="xyz", zoom=server.zoom, out=tmp_path / "run", settings=settings
        )
    assert [
        round(ship.length_m) for ship in run.detections if ship.cut and ship.length_m > 150
    ] == []
    assert len(run.detections) > 0


if __name__ == "__main__":
    model = load_classifier("shipdet-pico", "torch", "cpu")
    scores = model.scores(golden_windows(model.window_px))
    GOLDEN.write_text(json.dumps({"scores": [round(float(v), 5) for v in scores]}) + "\n")
