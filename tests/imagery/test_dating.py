"""When an image was taken: tags, names of products, and what is no time at all."""

from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from shipdet import pipeline
from shipdet.imagery import open_raster
from shipdet.imagery.dating import MADE, TAKEN, date_of
from shipdet.progress import finish
from shipdet.requests import ImageRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = "2024-05-01T10:56:00Z"


@pytest.mark.parametrize(
    "tags",
    [
        {"ACQUISITIONDATETIME": "2024-05-01 10:56:00"},  # GDAL's IMAGERY domain
        {"acquired": "2024-05-01T10:56:00.123456Z"},  # Planet
        {"DATATAKE_1_DATATAKE_SENSING_START": "2024-05-01T10:56:00.024Z"},  # Sentinel-2
        {"PRODUCT_START_TIME": "2024-05-01T10:56:00.024Z"},
        {"ACQUISITION_DATETIME": "2024-05-01T12:56:00+02:00"},
        {"DATE_TIME": "20240501T105600"},
        {"DATE_TIME": "2024-05-01 10:56:00 UTC"},
        {"DATE_ACQUIRED": "2024-05-01", "SCENE_CENTER_TIME": '"10:56:00.7654321Z"'},  # Landsat
        {"TIFFTAG_DATETIME": "2024:05:01 10:56:00"},
    ],
)
def test_times_are_read_as_files_write_them(tags):
    dated = date_of("bay.tif", tags, NOW)
    assert dated.acquired == MOMENT
    assert dated.note.startswith(
        "The image was taken at 2024-05-01 10:56 UTC, according to its tag "
    )
    assert next(iter(tags)) in dated.note


@pytest.mark.parametrize(
    "name",
    [
        "S2A_MSIL2A_20240501T105600_N0510_R094_T30STF_20240501T150000.tif",
        "T30STF_20240501T105600_TCI_10m.tif",
        "20240501_105600_1021_3B_Visual.tif",
        "20240501_105600_87_2408_3B_AnalyticMS_SR.tif",
    ],
)
def test_products_are_dated_by_their_names(name):
    dated = date_of(name, {"TIFFTAG_DATETIME": "2024:09:09 09:09:09"}, NOW)
    assert dated.acquired == MOMENT
    assert "file name" in dated.note and "may be" not in dated.note


@pytest.mark.parametrize(
    "name", ["20240501_105600.tif", "IMG_20240501_105600.tif", "T30STF_20249901T105600_TCI.tif"]
)
def test_other_names_say_nothing(name):
    assert date_of(name, {}, NOW) == ("", "")


def test_the_best_witness_counts_and_the_last_is_doubted():
    tags = {"TIFFTAG_DATETIME": "2024:09:09 09:09:09", "acquired": "2024-05-01T10:56:00Z"}
    assert date_of("bay.tif", tags, NOW).acquired == MOMENT
    del tags["acquired"]
    note = date_of("bay.tif", tags, NOW).note
    assert note.endswith("TIFFTAG_DATETIME, read as UTC; this may be when the file was written.")


@pytest.mark.parametrize(
    "text",
    ["", "noon", "0000:00:00 00:00:00", "1970-01-01T00:00:01Z", "1970:01:01 00:00:00",
     "2026-01-01T00:00:01Z",
     "0001-01-01T00:00:01+14:00", "9999-12-31T23:59:59-14:00", "2024-05-01T25:00:00Z"],
)  # fmt: skip
def test_what_is_no_time_of_a_satellite_is_left_out(text):
    assert date_of("bay.tif", {"acquired": text}, NOW) == ("", "")
    again = date_of("bay.tif", {"acquired": text, "TIFFTAG_DATETIME": "2024:05:01 10:56:00"}, NOW)
    assert again.acquired == MOMENT


@pytest.mark.parametrize("text", ["2024-05-01", "20240501", "2024-05-01T00:00:00Z"])
def test_a_day_without_a_time_is_shown_but_not_used(text):
    dated = date_of("bay.tif", {"ACQUISITION_DATE": text}, NOW)
    assert dated == (
        "",
        "The image was taken on 2024-05-01: its tag ACQUISITION_DATE has no time of day.",
    )


@given(st.dictionaries(st.sampled_from([*TAKEN, MADE]), st.text(max_size=30)), st.text(max_size=60))
def test_any_tags_give_a_time_or_none(tags, name):
    acquired = date_of(name, tags, NOW).acquired
    assert acquired == "" or datetime.fromisoformat(acquired) <= NOW


def bay(path, **tags):
    pixels = np.random.default_rng(0).integers(0, 90, (3, 60, 80), dtype=np.uint8)
    place = {"crs": "EPSG:32630", "transform": from_origin(280_000, 4_005_000, 3, 3)}
    profile = {"driver": "GTiff", "width": 80, "height": 60, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(pixels)
        for domain, values in tags.items():
            file.update_tags(ns=None if domain == "plain" else domain, **values)
    return path


@pytest.mark.parametrize(
    "tags",
    [
        {"plain": {"TIFFTAG_DATETIME": "2024:05:01 10:56:00"}},
        {"IMAGERY": {"ACQUISITIONDATETIME": "2024-05-01 10:56:00"}},
    ],
)
def test_a_geotiff_has_its_date_and_a_note(tmp_path, tags):
    provenance = open_raster(bay(tmp_path / "bay.tif", **tags)).provenance
    assert provenance.details == {"acquired": MOMENT}
    assert any("taken at 2024-05-01 10:56 UTC" in note for note in provenance.notes)
    with rasterio.open(tmp_path / "bay.tif") as dataset:
        assert open_raster(dataset).provenance.details == {"acquired": MOMENT}


def test_the_date_of_a_file_is_that_of_ais(classifier, tmp_path):
    image = bay(tmp_path / "bay.tif", plain={"acquired": MOMENT})
    ais = tmp_path / "ais.csv"
    rows = [f"219000001,2024-05-01T10:{minute}:00,36.15,-5.44,0,0" for minute in (50, 58)]
    ais.write_text("\n".join(["MMSI,BaseDateTime,LAT,LON,SOG,COG", *rows]))
    run = finish(pipeline.iter_image(image, ImageRequest.check(), out=tmp_path / "out"))
    assert run.record["source"]["details"]["acquired"] == MOMENT
    assert pipeline.match_ais(run, ais).record["ais"]["acquired"] == MOMENT
    other = pipeline.match_ais(run, ais, "2024-05-01T10:57:00Z")
    assert other.record["ais"]["acquired"] == "2024-05-01T10:57:00Z"
