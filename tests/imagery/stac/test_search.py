"""What a STAC API has of an area, and what is said when it has nothing or fails."""

from datetime import date

import pytest

from shipdet.errors import BadOption, NoImagery, ProviderRefused, ProviderUnreachable
from shipdet.geometry import BBox
from shipdet.imagery.stac import choose_acquisition, search_acquisitions
from tests.helpers.stac_server import ITEMS, Item, StacServer
from tests.imagery.stac.conftest import settings_for

MAY = (date(2024, 5, 1), date(2024, 5, 31))


def test_acquisitions_are_listed_newest_first(server):
    found = search_acquisitions(server.bbox, *MAY, settings=settings_for(server))
    assert [a.time for a in found] == [
        "2024-05-11T11:06:19Z",
        "2024-05-06T11:06:21Z",
        "2024-05-01T11:06:19Z",
    ]
    first = found[-1].public()
    assert first["id"] == "S2A_T30STF_20240501T110619_L2A"
    assert first["cloud"] == 5.0
    assert first["coverage"] == 1.0
    assert first["thumbnail"].endswith(".jpg")


def test_cloudy_ones_and_other_dates_are_left_out(server):
    settings = settings_for(server)
    clear = search_acquisitions(server.bbox, *MAY, max_cloud=20, settings=settings)
    assert len(clear) == 2
    day = date(2024, 5, 6)
    assert len(search_acquisitions(server.bbox, day, day, settings=settings)) == 1
    assert search_acquisitions(server.bbox, settings=settings) == []  # of the last 60 days


def test_the_tiles_of_one_pass_are_one_acquisition(server):
    area = server.bbox_of(400, 100, 800, 200)
    (found,) = search_acquisitions(area, MAY[0], MAY[0], settings=settings_for(server))
    assert [scene.tile for scene in found.scenes] == ["MGRS-30STE", "MGRS-30STF"]
    assert found.coverage == pytest.approx(1.0, abs=1e-6)
    assert 5 < found.cloud < 15
    assert found.details()["processing_baseline"] == "05.10"


def test_all_pages_of_an_answer_are_read(pictures):
    with StacServer(pictures, page=1) as server:
        found = search_acquisitions(server.bbox, *MAY, settings=settings_for(server))
    assert len(found) == 3


def test_of_two_processings_of_a_scene_the_newer_counts(tmp_path):
    old = Item("S2A_OLD", "MGRS-30STF", 0, ITEMS[0].acquired, baseline="04.00")
    new = Item("S2A_NEW", "MGRS-30STF", 0, ITEMS[0].acquired, baseline="05.10")
    with StacServer(tmp_path, items=(new, old)) as server:
        (found,) = search_acquisitions(server.bbox, *MAY, settings=settings_for(server))
    assert [scene.id for scene in found.scenes] == ["S2A_NEW"]


def test_the_newest_that_covers_the_area_is_chosen(server):
    area = server.bbox_of(200, 100, 300, 200)  # the newest pass has no data here
    chosen = choose_acquisition(area, settings_for(server), date_from=MAY[0], date_to=MAY[1])
    assert chosen.time == "2024-05-06T11:06:21Z"
    clear = choose_acquisition(
        area, settings_for(server), date_from=MAY[0], date_to=MAY[1], max_cloud=20
    )
    assert clear.time == "2024-05-01T11:06:19Z"


def test_an_acquisition_is_found_by_any_of_its_scenes(server):
    area = server.bbox_of(400, 100, 800, 200)
    for item in ITEMS[:2]:
        chosen = choose_acquisition(area, settings_for(server), acquisition=item.id)
        assert len(chosen.scenes) == 2


def test_a_small_coverage_is_reported_before_the_run(server):
    area = server.bbox_of(110, 100, 210, 200)
    chosen = choose_acquisition(area, settings_for(server), acquisition=ITEMS[3].id)
    (note,) = chosen.notes()
    assert chosen.coverage == pytest.approx(0.1, abs=0.02)
    assert "covers 11% of the area" in note


@pytest.mark.parametrize(
    ("wanted", "says", "error"),
    [
        ({"date_from": date(2024, 5, 3), "date_to": date(2024, 5, 3)}, "on 2024-05-03", NoImagery),
        ({"date_from": date(2024, 5, 6), "date_to": date(2024, 5, 6), "max_cloud": 10},
         "of 2024-05-06, has 60 %", NoImagery),
        ({"date_from": date(2024, 5, 6), "date_to": date(2024, 5, 1)}, "swap the two", BadOption),
        ({"acquisition": "S2X_NONE"}, "no acquisition 'S2X_NONE'", NoImagery),
    ],
)  # fmt: skip
def test_what_is_not_there_gets_one_sentence(server, wanted, says, error):
    with pytest.raises(error, match=says):
        choose_acquisition(server.bbox, settings_for(server), **wanted)


def test_an_acquisition_of_elsewhere_is_refused(server):
    with pytest.raises(NoImagery, match="does not cover the area"):
        choose_acquisition(BBox(10, 50, 10.1, 50.1), settings_for(server), acquisition=ITEMS[0].id)


def test_scenes_without_the_asset_get_one_sentence(server):
    with pytest.raises(NoImagery, match="no asset|asset 'tci'"):
        search_acquisitions(server.bbox, *MAY, settings=settings_for(server, stac_asset="tci"))


@pytest.mark.parametrize(
    ("path", "fault", "says", "error"),
    [
        ("/v1", "html", "answers with a web page", ProviderUnreachable),
        ("/v1/search", "html", "answers with a web page", ProviderUnreachable),
        ("/v1", 403, r"refused the search \(HTTP 403\)", ProviderRefused),
        ("/v1/search", 404, "has no collection", BadOption),
        ("/v1/search", 500, "keeps failing", ProviderUnreachable),
        ("/v1", "slow", "no answer in time", ProviderUnreachable),
    ],
)
def test_a_failing_api_gets_one_sentence(pictures, path, fault, says, error):
    with StacServer(pictures, faults={path: fault}) as server:
        settings = settings_for(server, timeout_s=1.0 if fault == "slow" else 20.0)
        with pytest.raises(error, match=says):
            search_acquisitions(server.bbox, *MAY, settings=settings)


def test_a_server_that_is_no_stac_api_gets_one_sentence(server):
    settings = settings_for(server, stac_url=f"{server.root}/v1/search")
    with pytest.raises(ProviderUnreachable, match="is not a STAC API|not STAC"):
        search_acquisitions(server.bbox, *MAY, settings=settings)


def test_a_server_that_is_not_there_gets_one_sentence(server):
    settings = settings_for(server, stac_url="http://127.0.0.1:9/v1")
    with pytest.raises(ProviderUnreachable, match="cannot be reached"):
        search_acquisitions(server.bbox, *MAY, settings=settings)


def test_the_same_search_is_asked_once(server):
    for _ in range(2):
        search_acquisitions(server.bbox, *MAY, settings=settings_for(server))
    assert server.requests.count("/v1/search") == 1
