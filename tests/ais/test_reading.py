"""AIS files of both kinds, packed or not; what is wrong with one is said in a sentence."""

import io
import zipfile
from datetime import timedelta

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from shipdet.ais import read_reports
from shipdet.errors import BadAis
from shipdet.geometry import BBox
from tests.ais.conftest import ACQUIRED, DANISH, danish, marine_cadastre, report

AREA = BBox(10.0, 57.0, 10.2, 57.1)
ROWS = [
    report(5, 10.11, 57.05, sog=10.5, cog=90.0, length=120, width=20),
    report(-5, 10.09, 57.05, sog=10.5, cog=90.0, length=120, width=20),
]


@pytest.mark.parametrize("form", [marine_cadastre, danish])
@pytest.mark.parametrize("name", ["ais.csv", "ais.csv.gz"])
def test_both_kinds_of_file_give_the_same_reports(ais_file, form, name):
    reports = read_reports(ais_file(ROWS, name, form), AREA, ACQUIRED)
    assert reports.mmsi.tolist() == [219000001, 219000001]
    assert reports.seconds.tolist() == [300, -300]
    assert reports.lonlat.tolist() == [[10.11, 57.05], [10.09, 57.05]]
    assert reports.speed_kn.tolist() == [10.5, 10.5]
    assert reports.length_m.tolist() == [120, 120]
    assert list(reports.name) == ["ANNA", "ANNA"]
    assert reports.notes == ()


def test_parquet_is_read_with_times_as_times(ais_file, tmp_path):
    table = pyarrow.csv.read_csv(ais_file(ROWS))
    path = tmp_path / "ais.parquet"
    pyarrow.parquet.write_table(table, path)
    reports = read_reports(path, AREA, ACQUIRED)
    assert sorted(reports.seconds.tolist()) == [-300, 300]
    assert list(reports.name) == ["ANNA", "ANNA"]


def test_the_only_csv_of_a_zip_is_read(tmp_path):
    path = tmp_path / "ais.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.md", "")
        archive.writestr("ais.csv", danish(ROWS))
    assert len(read_reports(path, AREA, ACQUIRED)) == 2


def test_new_column_names_and_other_columns_do_not_matter(tmp_path):
    path = tmp_path / "ais.csv"
    path.write_text(
        "\ufeffvessel_name;mmsi;base_date_time;longitude;latitude;color\n"
        "BÅT;219000001;2024-05-01 10:56:30.5;10,1;57,05;red\n",
        encoding="utf-8",
    )
    reports = read_reports(path, AREA, ACQUIRED)
    assert reports.seconds.tolist() == [30.5]
    assert reports.lonlat.tolist() == [[10.1, 57.05]]
    assert list(reports.name) == ["BÅT"]
    assert np.isnan(reports.speed_kn).all()


def test_only_what_is_near_in_place_and_time_is_kept(ais_file):
    rows = [*ROWS, report(0, 20.0, 57.05), report(0, 10.1, 60), report(61, 10.1, 57.05)]
    assert len(read_reports(ais_file(rows), AREA, ACQUIRED)) == 2


def test_places_beyond_the_180th_meridian_are_near(ais_file):
    rows = [report(0, 179.99, 57.05), report(0, -179.99, 57.05, 219000002)]
    area = BBox(179.9, 57.0, 180.0, 57.1)
    assert sorted(read_reports(ais_file(rows), area, ACQUIRED).mmsi) == [219000001, 219000002]


def test_times_with_an_offset_are_converted(tmp_path):
    path = tmp_path / "ais.csv"
    path.write_text(
        "MMSI,BaseDateTime,LAT,LON\n"
        "219000001,2024-05-01T12:56:00+02:00,57.05,10.1\n"
        "219000002,2024-05-01T10:56:00Z,57.05,10.1\n"
        "219000003,2024-05-01T10:56:00,57.05,10.1\n"
    )
    assert read_reports(path, AREA, ACQUIRED).seconds.tolist() == [0, 0, 0]


def test_damaged_rows_and_missing_places_are_counted(ais_file):
    path = ais_file([*ROWS, report(0, 0.0, 0.0), report(0, 181.0, 91.0)])
    with path.open("a") as file:
        file.write("219000001,no time,57.05,10.1" + "," * 13 + "\n")
        file.write("219000001,2024-05-01T10:56:00,here,10.1" + "," * 13 + "\n")
        file.write("half a row\n")
    reports = read_reports(path, AREA, ACQUIRED)
    assert len(reports) == 2
    assert reports.notes == (
        "2 of 6 AIS rows have no readable time, place or MMSI and were left out.",
        "2 AIS reports have no position (0/0 or out of range) and were left out.",
    )


def test_a_day_that_does_not_exist_costs_one_row(tmp_path):
    path = tmp_path / "ais.csv"
    rows = [f"1,2024-{day} 10:56:00,57.05,10.1" for day in ("05-01", "02-31", "05-01")]
    path.write_text("MMSI,Timestamp,Latitude,Longitude\n" + "\n".join(rows) + "\n")
    assert len(read_reports(path, AREA, ACQUIRED)) == 2


def test_more_reports_than_memory_holds_are_refused(ais_file, monkeypatch):
    monkeypatch.setattr("shipdet.ais.reading.MAX_REPORTS", 1)
    with pytest.raises(BadAis, match="more than 1 reports near the image"):
        read_reports(ais_file(ROWS), AREA, ACQUIRED)


def test_values_that_mean_not_available_are_not_numbers(ais_file):
    rows = [report(0, 10.1, 57.05, sog=102.3, cog=360.0, length=0)]
    reports = read_reports(ais_file(rows), AREA, ACQUIRED)
    assert np.isnan([reports.speed_kn, reports.course_deg, reports.length_m]).all()


def test_names_in_other_encodings_are_read(tmp_path):
    path = tmp_path / "ais.csv"
    text = "MMSI,Timestamp,Latitude,Longitude,Name\n1,01/05/2024 10:56:00,57.05,10.1,S\xd8REN\n"
    path.write_bytes(text.encode("latin-1"))
    assert list(read_reports(path, AREA, ACQUIRED).name) == ["S\ufffdREN"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("MMSI,LAT,LON\n1,2,3\n", "no column BaseDateTime"),
        ("a,b\n1,2\n", "no column MMSI and no column BaseDateTime"),
        ("MMSI,Timestamp,Latitude,Longitude\n", "has no rows"),
        ("MMSI,Timestamp,Latitude,Longitude\nx,y,z,w\n", "no row with a time"),
        ("MMSI,Timestamp (CET),Latitude,Longitude\n1,2,3,4\n", "not seem to be in UTC"),
        (
            "MMSI,Timestamp,Latitude,Longitude\n1,2024-05-01 10:56:00 CEST,57.05,10.1\n",
            "have a time zone other than UTC",
        ),
        (
            "MMSI,Timestamp,Latitude,Longitude\n1,01/06/2024 10:56:00,57.05,10.1\n",
            "covers 2024-06-01 10:56 UTC to .* taken on 2024-05-01 10:56 UTC",
        ),
        (
            "MMSI,Timestamp,Latitude,Longitude\n1,01/05/2024 10:56:00,-33.0,10.1\n",
            "no report within 46 km",
        ),
    ],
)
def test_an_unusable_file_gets_one_sentence(tmp_path, text, says):
    path = tmp_path / "ais.csv"
    path.write_text(text)
    with pytest.raises(BadAis, match=says):
        read_reports(path, AREA, ACQUIRED)


@pytest.mark.parametrize("name", ["ais.csv.gz", "ais.parquet", "ais.zip"])
def test_a_file_that_is_something_else_gets_one_sentence(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8bnot that at all" * 10)
    with pytest.raises(BadAis, match="'ais"):
        read_reports(path, AREA, ACQUIRED)


def test_a_missing_file_gets_one_sentence(tmp_path):
    with pytest.raises(BadAis, match="cannot be read"):
        read_reports(tmp_path / "none.csv", AREA, ACQUIRED)


def test_a_large_file_is_read_in_pieces(tmp_path):
    path = tmp_path / "ais.csv"
    line = "01/05/2024 10:%02d:%02d,Class A,219%06d,57.05,10.1" + "," * 12 + "\n"
    with path.open("w") as file:
        file.write(DANISH + "\n")
        text = io.StringIO()
        for second in range(3600):
            text.write(line % (second // 60, second % 60, second))
        for _ in range(120):  # 30 MB, two blocks and more
            file.write(text.getvalue())
    reports = read_reports(path, AREA, ACQUIRED)
    assert len(reports) == 120 * 3600
    assert reports.seconds.min() == -56 * 60


def test_an_acquisition_outside_the_file_is_reported(ais_file):
    late = ACQUIRED + timedelta(minutes=10)
    (note,) = read_reports(ais_file(ROWS), AREA, late).notes
    assert "covers 2024-05-01 10:51 UTC to 2024-05-01 11:01 UTC" in note
