"""What the Jobs tab makes of the page: messages with everything that is set."""

import json

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("minio")
pytest.importorskip("confluent_kafka")

from shipdet.areas import parse_area
from shipdet.errors import BadArea
from shipdet.ui.gradio_app import build_blocks
from shipdet.ui.jobs_tab import drawn_jobs, jobs_of_file


@pytest.fixture
def changed(page, values):
    """Everything that is for Sentinel Hub or for experts."""
    return {
        **values,
        page.area.provider: "sentinelhub",
        page.area.date_from: "2024-05-01",
        page.area.date_to: "2024-05-31",
        page.area.max_cloud: 5,
        page.search.min_length_m: 40,
    }


def test_all_that_is_set_on_the_page_reaches_the_job(page, changed):
    [job] = drawn_jobs(page, changed, "all-of-it")
    assert (job.date_from, job.date_to, job.max_cloud) == ("2024-05-01", "2024-05-31", 5)
    assert job.min_length_m == 40
    assert list(job.area) == [changed[number] for number in page.area.bbox]


def test_a_file_needs_no_drawn_rectangle(page, changed, tmp_path):
    file = tmp_path / "ports.csv"
    file.write_text("name,west,south,east,north\nRotterdam,4,51.9,4.01,51.91\n")
    undrawn = {**changed, **dict.fromkeys(page.area.bbox)}
    [job] = jobs_of_file(page, undrawn, file, "my")
    assert (job.name, job.area) == ("my-Rotterdam", (4.0, 51.9, 4.01, 51.91))
    assert (job.min_length_m, job.max_cloud) == (40, 5)
    with pytest.raises(BadArea, match="Draw a rectangle"):
        drawn_jobs(page, undrawn, "undrawn")


def test_an_area_of_a_file_across_180_degrees_is_two_jobs(page, changed, tmp_path):
    file = tmp_path / "fiji.csv"
    file.write_text("name,west,south,east,north\nfiji,179.9,-17,-179.9,-16.9\n")
    jobs = jobs_of_file(page, changed, file, "")
    assert [job.name for job in jobs] == ["fiji-eastern-hemisphere", "fiji-western-hemisphere"]
    assert [job.area[0] for job in jobs] == [179.9, -180]


def test_a_rectangle_across_180_degrees_is_two_jobs(page, changed):
    box = dict(zip(page.area.bbox, (179.9, -17, -179.9, -16.9), strict=True))
    jobs = drawn_jobs(page, {**changed, **box}, "fiji")
    assert [(job.name, job.area[0]) for job in jobs] == [
        ("fiji-eastern-hemisphere", 179.9), ("fiji-western-hemisphere", -180),
    ]  # fmt: skip


def test_a_feature_without_a_shape_is_not_the_drawn_rectangle(page, values, tmp_path):
    file = tmp_path / "empty.geojson"
    file.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": None}))
    with pytest.raises(BadArea, match="polygon"):
        jobs_of_file(page, values, file, "")


def test_jobs_are_requested_only_while_the_tab_is_open(settings):
    engines = {"kafka": "127.0.0.1:1", "postgres": "postgresql://127.0.0.1:1/x"}
    blocks = build_blocks(
        settings.model_copy(update={**engines, "s3": "http://127.0.0.1:1", "s3_bucket": "aoi"})
    )
    parts = {part["id"]: part for part in blocks.config["components"]}
    timers = {id_ for id_, part in parts.items() if part["type"] == "timer"}
    assert len(timers) == 2
    assert not any(parts[id_]["props"]["active"] for id_ in timers)
    setters = {
        parts[id_]["props"]["id"]: listener["id"]
        for listener in blocks.config["dependencies"]
        for id_, event in listener["targets"]
        if event == "select" and set(listener["outputs"]) == timers
    }
    assert set(setters) == {"search", "jobs"}
    for tab, active in (("search", False), ("jobs", True)):
        set_to = blocks.fns[setters[tab]].fn()
        assert [timer.active for timer in set_to] == [active, active]


def test_a_drawn_polygon_is_the_area_of_the_job(page, values):
    ring = [[-0.70, 0.06], [-0.69, 0.06], [-0.69, 0.07], [-0.70, 0.06]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    [job] = drawn_jobs(page, {**values, page.map.polygon: json.dumps(polygon)}, "triangle")
    inside = parse_area(job.area).contains([(-0.691, 0.061), (-0.699, 0.069)])
    assert inside.tolist() == [True, False]
