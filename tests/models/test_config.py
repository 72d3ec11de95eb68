"""config.json is read strictly, and each fault is one sentence."""

import json

import pytest

from shipdet.errors import BadModel
from shipdet.models.config import (
    FEATURES,
    ClassifierConfig,
    UpscalerConfig,
    parse_config,
    read_config,
)
from tests.helpers import PROJECT
from tests.helpers.tiny_models import fine_config


def change(raw, path, value):
    target = raw
    *parents, last = path.split(".")
    for key in parents:
        target = target[key]
    target[last] = value
    return json.dumps(raw)


def test_a_classifier_config_ignores_foreign_keys(configs):
    raw = configs["classifier"](extra={"x": 1})
    config = parse_config(json.dumps(raw | {"other": 3}), "m")
    assert isinstance(config, ClassifierConfig)
    assert config.shipdet.window_m == 240.0
    assert config.shipdet.calibration.scale == 2.0
    assert config.pretrained_cfg.std == (0.229, 0.224, 0.225)


def test_images_are_searched_at_their_own_scale_within_a_range(configs):
    head = {"sha256": "0" * 64, "judge": {"weights": [0.0] * len(FEATURES), "bias": 0.0}}
    ranged = parse_config(json.dumps(fine_config(map=head | {"gsd_min_m": 1.25})), "m")
    assert isinstance(ranged, ClassifierConfig)
    assert [ranged.network_gsd_m(gsd_m) for gsd_m in (0.3, 1.5, 9.0)] == [1.25, 1.5, 1.875]
    single = parse_config(json.dumps(fine_config(map=head)), "m")
    assert isinstance(single, ClassifierConfig)
    assert [single.network_gsd_m(gsd_m) for gsd_m in (0.3, 1.5, 9.0)] == [1.875] * 3
    with pytest.raises(BadModel, match="gsd_min_m"):
        parse_config(json.dumps(fine_config(map=head | {"gsd_min_m": 2.0})), "m")


def test_a_dense_pass_pools_all_cells_or_the_middle_ones(configs):
    whole = parse_config(json.dumps(configs["classifier"]()), "m")
    fine = parse_config(json.dumps(fine_config()), "m")
    assert isinstance(whole, ClassifierConfig) and isinstance(fine, ClassifierConfig)
    assert (whole.cell_px, whole.margin_cells) == (32, 0)
    assert (fine.cell_px, fine.margin_cells) == (16, 3)


@pytest.mark.parametrize("architecture", ["RRDBNet", "SRVGGNetCompact"])
def test_upscaler_config_gives_the_network_parameters(configs, architecture):
    config = parse_config(json.dumps(configs["upscaler"](architecture)), "m")
    assert isinstance(config, UpscalerConfig)
    assert config.params.num_feat == 8


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("architecture", "resnet50", "architecture"),
        ("architecture", "convnextv2_atto", "architecture"),
        ("num_classes", 3, "num_classes"),
        ("pretrained_cfg.mean", [0.5, 0.5], "mean"),
        ("pretrained_cfg.std", [0.5, 0.5, 0.0], "std"),
        ("pretrained_cfg.input_size", [3, 256, 256], "input_size"),
        ("shipdet.format", 2, "format"),
        ("shipdet.task", "tea", "task"),
        ("shipdet.window_m", -1, "window_m"),
        ("shipdet.window_m", float("nan"), "window_m"),
        ("shipdet.window_px", 225, "window_px"),
        ("shipdet.window_px", 232, "window_px"),
        ("shipdet.pool_cells", 2, "pool_cells"),
        ("shipdet.pool_cells", 9, "pool_cells"),
        ("model_args", {"output_stride": 12}, "output_stride"),
        ("shipdet.threshold", 1.5, "threshold"),
        ("shipdet.calibration", {"scale": 0}, "scale"),
        ("shipdet.sha256", "abc", "sha256"),
        ("shipdet", None, "task"),
    ],
)
def test_a_wrong_value_is_named(configs, path, value, word):
    text = change(configs["classifier"](), path, value)
    with pytest.raises(BadModel, match=word) as caught:
        parse_config(text, "my-model")
    message = str(caught.value)
    assert "my-model" in message
    assert "\n" not in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("path", "value"),
    [("architecture", "EDSR"), ("shipdet.scale", 2), ("shipdet.params", {"num_feat": 100_000})],
)
def test_an_upscaler_of_another_kind_is_refused(configs, path, value):
    with pytest.raises(BadModel):
        parse_config(change(configs["upscaler"](), path, value), "m")


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "{}"])
def test_what_is_not_a_config_is_refused(text):
    with pytest.raises(BadModel):
        parse_config(text, "m")


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(BadModel, match=r"config\.json"):
        read_config(tmp_path)


@pytest.mark.parametrize("name", ["realesrgan-x4plus", "realesr-general-x4v3"])
def test_bundled_upscalers_have_a_sound_config_and_card(name):
    folder = PROJECT / "weights" / name
    assert isinstance(read_config(folder), UpscalerConfig)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n")
    assert "license: bsd-3-clause" in card
