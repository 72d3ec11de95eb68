"""Requests are checked where they are made, and say what is wrong in one sentence."""

import math

import pytest

from shipdet.errors import BadArea, BadOption
from shipdet.requests import AreaRequest, ImageRequest, Search, check_name

HERE = (-5.44, 36.12, -5.41, 36.14)


@pytest.mark.parametrize("threshold", [math.nan, math.inf, 0.0, 1.0, -0.2, 7])
def test_an_impossible_threshold_is_refused(threshold):
    with pytest.raises(BadOption) as caught:
        Search.check(threshold=threshold)
    assert str(caught.value) == "The threshold must be a number between 0 and 1."


@pytest.mark.parametrize("threshold", [None, 0.001, 0.5, 0.999])
def test_a_usable_threshold_is_kept(threshold):
    assert Search.check(threshold=threshold).threshold == threshold


@pytest.mark.parametrize("quality", [0, 96, -1])
def test_a_quality_out_of_range_names_the_field(quality):
    with pytest.raises(BadOption, match=r"^Quality: input should be .*(1|95)\.$"):
        Search.check(quality=quality)


@pytest.mark.parametrize("quality", [1, 95])
def test_the_ends_of_the_quality_range_are_in_it(quality):
    assert Search.check(quality=quality).quality == quality


@pytest.mark.parametrize(
    "wrong",
    [
        {"upscale": "x8"},
        {"backend": "tensorflow"},
        {"device": "tpu"},
        {"image_format": "gif"},
        {"threshold": "high"},
        {"min_length_m": -1},
        {"colour": "red"},
    ],
)
def test_any_wrong_option_is_one_sentence_that_names_it(wrong):
    with pytest.raises(BadOption) as caught:
        Search.check(**wrong)
    text = str(caught.value)
    name = next(iter(wrong))
    assert text.lower().startswith(f"{name}: ") and text.endswith(".") and "\n" not in text


def test_a_wrong_option_of_the_search_is_found_inside_a_request():
    with pytest.raises(BadOption, match="^The threshold must be"):
        AreaRequest.check(bbox=HERE, search={"threshold": math.nan})
    with pytest.raises(BadOption, match=r"^Search\.quality: "):
        ImageRequest.check(gsd_m=1.0, search={"quality": 400})


@pytest.mark.parametrize("cloud", [-1, 101])
def test_clouds_are_a_percentage(cloud):
    with pytest.raises(BadOption, match="^Max_cloud: "):
        AreaRequest.check(bbox=HERE, max_cloud=cloud)


def test_an_area_needs_four_numbers():
    with pytest.raises(BadOption, match="^Bbox"):
        AreaRequest.check(bbox=(1, 2, 3))
    with pytest.raises(BadOption, match="^Bbox: field required"):
        AreaRequest.check()


def test_the_box_of_a_request_is_checked():
    assert AreaRequest(bbox=HERE).box.as_tuple() == HERE
    with pytest.raises(BadArea, match="must be four numbers"):
        _ = AreaRequest(bbox=(0, 0, math.nan, 1)).box


@pytest.mark.parametrize(("upscale", "passes"), [("none", 0), ("x4", 1), ("x16", 2)])
def test_super_resolution_is_counted_in_passes(upscale, passes):
    assert Search(upscale=upscale).passes == passes


def test_a_request_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Search().threshold = 0.8


@pytest.mark.parametrize(
    "name", ["", "a", "Port-of_X.2024", "x" * 64, " padded ", "Port of X", "ä", "a\n"]
)
def test_a_usable_name_is_kept_without_spaces_around_it(name):
    assert Search(name=name).name == check_name(name) == name.strip()


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".hidden", "a:b", "x" * 65, "-x", "a\\b"])
def test_a_name_that_could_be_a_path_is_refused(name):
    with pytest.raises(BadOption, match="up to 64 letters, digits, spaces, dots"):
        Search(name=name)
