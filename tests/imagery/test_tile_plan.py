import pytest

from shipdet.errors import AreaTooLarge, BadOption, BadZoom
from shipdet.geometry import BBox, gsd_at
from shipdet.imagery import get_provider, plan, recommended_zoom

SMALL = BBox(4.00, 51.90, 4.02, 51.91)
WORLD = BBox(-180, -80, 180, 80)
MODEL_M = 1.875


@pytest.mark.parametrize(
    ("latitude", "passes", "zoom"),
    [(0, 0, 17), (0, 1, 15), (51.9, 0, 16), (51.9, 1, 14), (36, 0, 17), (40, 0, 16), (0, 2, 14)],
)
def test_the_recommended_zoom_follows_latitude_and_passes(settings, latitude, passes, zoom):
    assert (
        recommended_zoom(get_provider("esri", settings), latitude, MODEL_M, None, passes)[0] == zoom
    )


@pytest.mark.parametrize("model_gsd_m", [1.0, 1.875, 3.0, 5.0])
@pytest.mark.parametrize("latitude", [0.0, 28.3, 36.1, 51.9])
def test_it_is_the_coarsest_zoom_with_the_models_scale(settings, latitude, model_gsd_m):
    zoom, _ = recommended_zoom(get_provider("esri", settings), latitude, model_gsd_m)
    assert gsd_at(latitude, zoom) <= 1.01 * model_gsd_m < gsd_at(latitude, zoom - 1)


def test_the_recommendation_explains_itself(settings):
    esri = get_provider("esri", settings)
    assert recommended_zoom(esri, 0, MODEL_M, None, 1)[1] == (
        "Zoom 15 gives 4.8 m per pixel at latitude 0.0, and 1.2 m after x4 super-resolution, as "
        "much detail as the model needs (1.9 m)."
    )
    assert recommended_zoom(esri, 51.9, MODEL_M, 1.2)[1] == (
        "Zoom 16 gives 1.5 m per pixel at latitude 51.9, enough for the model (1.9 m). Zoom 17 "
        "shows small ships better and takes four times as many tiles."
    )
    for latitude in (0, 60):  # a zoom level that is fine enough for both scales
        assert (
            "as much detail as the model can use (1.2 m)"
            in (recommended_zoom(esri, latitude, MODEL_M, 1.2)[1])
        )
    assert "too few pixels" in recommended_zoom(esri, 0, MODEL_M, None, 2)[1]


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_sentinel_2_is_best_at_its_native_zoom(settings, passes):
    zoom, why = recommended_zoom(get_provider("eox", settings), 36, MODEL_M, None, passes)
    assert zoom == 14
    assert passes == 2 or "native resolution" in why


def test_a_plan_counts_what_a_run_will_take(settings):
    size = plan(SMALL, 15, get_provider("esri", settings), 1, settings)
    assert (size.tiles, size.width_px, size.height_px) == (4, 467, 379)
    assert size.searched_px == size.raw_px * 16
    assert size.gsd_m == pytest.approx(2.95, abs=0.01)
    assert 0 < size.download_mb < 1


@pytest.mark.parametrize("zoom", [-1, 21, 15.5, float("nan")])
def test_a_zoom_out_of_range_is_refused_with_the_range(settings, zoom):
    with pytest.raises(BadZoom, match="from 0 to 20"):
        plan(SMALL, zoom, get_provider("esri", settings), 0, settings)


def test_a_zoom_beyond_the_native_one_is_allowed_and_noted(settings):
    size = plan(SMALL, 16, get_provider("eox", settings), 0, settings)
    assert any("above the native zoom 14" in note for note in size.notes)


def test_only_off_once_and_twice_exist(settings):
    with pytest.raises(BadOption, match="0, 1 or 2"):
        plan(SMALL, 15, get_provider("esri", settings), 3, settings)


def test_too_many_tiles_name_the_numbers_and_the_zoom_that_fits(settings_for):
    settings = settings_for(max_tiles=1024, max_raw_pixels=48_000_000)
    with pytest.raises(AreaTooLarge) as caught:
        plan(BBox(4, 51, 5, 52), 17, get_provider("esri", settings), 0, settings)
    assert "and at most 1,024 are allowed" in str(caught.value)
    assert "highest zoom within the limits is 12, at which ships cannot" in str(caught.value)


def test_too_many_searched_pixels_name_super_resolution(settings):
    area = BBox(4, 51.9, 4.2, 52.05)
    with pytest.raises(AreaTooLarge) as caught:
        plan(area, 15, get_provider("esri", settings), 1, settings)
    assert "after super-resolution x4, and at most 256 million are allowed" in str(caught.value)
    assert (
        "choose zoom 14, the highest within the limits, or draw a smaller area or use less "
        "super-resolution"
    ) in str(caught.value)


def test_the_zoom_that_is_said_to_fit_does_fit(settings):
    area, esri = BBox(4, 51.9, 4.2, 52.05), get_provider("esri", settings)
    assert plan(area, 14, esri, 1, settings).tiles > 0


def test_when_no_zoom_fits_that_is_reported(settings_for):
    settings = settings_for(max_raw_pixels=10)
    with pytest.raises(AreaTooLarge, match="no lower zoom is within the limits"):
        plan(WORLD, 3, get_provider("esri", settings), 0, settings)


def test_the_whole_world_is_refused_at_once(settings):
    with pytest.raises(AreaTooLarge):
        plan(WORLD, 20, get_provider("esri", settings), 2, settings)
