"""What the Jobs tab makes of the page: messages with everything that is set."""

import json

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("minio")
pytest.importorskip("confluent_kafka")

from shipdet.errors import BadArea
from shipdet.ui.jobs import drawn_job, jobs_of_file


@pytest.fixture
def changed(page, values):
    """Everything that is for Sentinel Hub or for experts."""
    return {
        **values,
        page.area.provider: "sentinelhub",
        page.area.date_from: "2024-05-01",
        page.area.date_to: "2024-05-31",
        page.area.max_cloud: 5,
        page.search.scoring: "exact",
        page.search.views: 8,
    }


def test_all_that_is_set_on_the_page_reaches_the_job(page, changed):
    job = drawn_job(page, changed, "all-of-it")
    assert (job.date_from, job.date_to, job.max_cloud) == ("2024-05-01", "2024-05-31", 5)
    assert (job.scoring, job.views) == ("exact", 8)
    assert list(job.area) == [changed[number] for number in page.area.bbox]


def test_a_file_needs_no_drawn_rectangle(page, changed, tmp_path):
    file = tmp_path / "ports.csv"
    file.write_text("name,west,south,east,north\nRotterdam,4,51.9,4.01,51.91\n")
    undrawn = {**changed, **dict.fromkeys(page.area.bbox)}
    [job] = jobs_of_file(page, undrawn, file, "my")
    assert (job.name, job.area) == ("my-Rotterdam", (4.0, 51.9, 4.01, 51.91))
    assert (job.views, job.max_cloud) == (8, 5)
    with pytest.raises(BadArea, match="Draw a rectangle"):
        drawn_job(page, undrawn, "undrawn")


def test_a_feature_without_a_shape_is_not_the_drawn_rectangle(page, values, tmp_path):
    file = tmp_path / "empty.geojson"
    file.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": None}))
    with pytest.raises(BadArea, match="polygon"):
        jobs_of_file(page, values, file, "")
