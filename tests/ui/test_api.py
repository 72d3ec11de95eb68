"""The API of a running server, through gradio_client, with a small random model."""

import contextlib
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from shipdet.errors import BadImage
from shipdet.imagery import sample
from shipdet.report.folder import PARTIAL
from shipdet.settings import Settings, read_settings
from shipdet.ui.api import uploaded
from shipdet.ui.forms import MAX_AT_ONCE
from shipdet.ui.server import launch

WEST, SOUTH, EAST, NORTH = sample.bbox().as_tuple()
SMALL = {
    "west": WEST + 0.01, "south": SOUTH + 0.01, "east": WEST + 0.013, "north": SOUTH + 0.013,
    "provider": "sample", "threshold": 0.9,
}  # fmt: skip


@pytest.fixture(scope="module")
def served(
    weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Settings, str]]:
    settings = Settings(
        weights_dir=weights,
        cache_dir=tmp_path_factory.mktemp("cache"),
        runs_dir=tmp_path_factory.mktemp("runs"),
        classifier="tiny-atto",
        upscaler="tiny-compact",
    )
    blocks = launch(settings, block=False)
    yield settings, blocks.local_url
    blocks.close()


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.fixture(scope="module")
def client(served: tuple[Settings, str], tmp_path_factory: pytest.TempPathFactory) -> Client:
    files = str(tmp_path_factory.mktemp("files"))
    return Client(served[1], verbose=False, analytics_enabled=False, download_files=files)


def test_the_server_is_healthy_and_serves_the_sample(served):
    with httpx.Client(base_url=served[1], timeout=60) as http:
        assert http.get("healthz").json() == {"status": "ok"}
        assert http.get("tiles/sample/15/16320/16376.png").content[:4] == b"\x89PNG"
        assert http.get("tiles/sample/15/0/0.png").status_code == 204, "no error in the console"
        assert http.get("tiles/sample/15/-1/x.png").status_code == 404
        assert "script-src 'self'" in http.get("").headers["content-security-policy"]


@pytest.mark.skipif(not _has_ipv6(), reason="has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_the_app_starts_at_ipv6_addresses(tmp_path, monkeypatch, host):
    monkeypatch.setenv("SHIPDET_HOST", host)
    blocks = launch(read_settings(port=0, runs_dir=tmp_path / "runs"), block=False)
    with httpx.Client(trust_env=False) as http:
        assert http.get(blocks.local_url + "healthz").json() == {"status": "ok"}
    blocks.close()


def test_files_beside_the_runs_are_not_served(served):
    settings, url = served
    for path in ("/etc/passwd", settings.weights_dir / "tiny-atto" / "config.json"):
        assert httpx.get(f"{url}gradio_api/file={path}").status_code in (403, 404)


def test_providers_and_models_are_listed_without_secrets(client):
    providers = {p["id"]: p for p in client.predict(api_name="/providers")}
    assert providers["esri"]["attribution"] and "url" not in providers["sentinelhub"]
    models = {m["name"]: m["task"] for m in client.predict(api_name="/models")}
    assert models["tiny-atto"] == "ship-classification"


def test_the_estimate_counts_and_refuses_in_one_sentence(client):
    answer = client.predict(WEST, SOUTH, EAST, NORTH, "sample", 15, api_name="/estimate")
    assert answer["zoom"] == 15 and answer["tiles"] >= 12 and answer["gsd_m"] > 4
    with pytest.raises(AppError, match="The area is empty"):
        client.predict(WEST, SOUTH, WEST, NORTH, api_name="/estimate")
    with pytest.raises(AppError, match="There is no provider 'x'"):
        client.predict(WEST, SOUTH, EAST, NORTH, "x", api_name="/estimate")


def test_detect_area_streams_progress_and_hands_over_the_files(client):
    job = client.submit(**SMALL, api_name="/detect_area")
    done = job.result(timeout=120)
    events = job.outputs()
    assert {"fetch", "load", "detect", "report", "done"} <= {event["stage"] for event in events}
    assert all(0 <= event["fraction"] <= 1 for event in events[:-1])
    record, files = done["result"], done["files"]
    assert record["ships"] == len(record["detections"]) == len(files["chips"])
    geojson = json.loads(Path(files["geojson"]).read_text())
    assert len(geojson["features"]) == record["ships"]
    assert {"raw", "overlay", "mosaic", "csv", "record"} <= set(files)


def test_the_bundle_is_made_on_request(client, served):
    done = client.predict(**SMALL, api_name="/detect_area")
    run = done["result"]["run"]
    assert not list((served[0].runs_dir / run).glob("*.zip"))
    made = Path(client.predict(run, api_name="/bundle"))
    assert made.name == f"{run}.zip"
    with zipfile.ZipFile(made) as bundle:
        assert json.loads(bundle.read("run.json"))["ships"] == done["result"]["ships"]
        assert "overlay.png" in bundle.namelist() and "raw.png" not in bundle.namelist()
    assert not list((served[0].runs_dir / run).glob("*.zip"))
    with pytest.raises(AppError, match="no longer on disk"):
        client.predict("../weights", api_name="/bundle")


def test_detect_image_takes_an_uploaded_file(client, served, tmp_path):
    tile = tmp_path / "tile.png"
    tile.write_bytes(sample.tile(16, 32641, 32754) or b"")
    done = client.predict(handle_file(tile), gsd_m=2.4, threshold=0.9, api_name="/detect_image")
    assert done["result"]["raw"]["width"] == 256 and "geojson" not in done["files"]
    with pytest.raises(AppError, match="meters per pixel"):
        client.predict(handle_file(tile), api_name="/detect_image")


def test_a_path_of_the_server_is_not_an_upload(served):
    path = str(served[0].weights_dir / "tiny-atto" / "config.json")
    paths = [{"path": value} for value in (path, "/etc/passwd", "\0", "a" * 300)]
    for forged in (*paths, {"url": "https://x.test/a.png"}, {}):
        with pytest.raises(BadImage, match="Upload the image first"):
            uploaded(forged)
    search = [2.4, "", "auto", "none", "", "", "", 32, "dense", None, "png", 90, ""]
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, *search]}
    call = httpx.post(f"{served[1]}gradio_api/call/detect_image", json=body).json()["event_id"]
    answer = httpx.get(f"{served[1]}gradio_api/call/detect_image/{call}", timeout=30).text
    assert "event: error" in answer and path not in answer


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b"])
def test_a_name_cannot_be_a_path(client, name):
    with pytest.raises(AppError, match="file name may have"):
        client.predict(**SMALL, name=name, api_name="/detect_area")


def test_a_priority_that_does_not_exist_is_refused(client):
    with pytest.raises(AppError, match="Priority: 'cheapest' is not one of leastCC"):
        client.predict(**SMALL, priority="cheapest", api_name="/detect_area")


@pytest.mark.parametrize("model", ["../../etc", "someone/model", "/tmp"])
def test_a_visitor_chooses_models_from_the_list_only(client, model):
    with pytest.raises(AppError, match="There is no model called"):
        client.predict(**SMALL, model=model, api_name="/detect_area")


def test_a_cancelled_job_stops_and_leaves_nothing_behind(client, served):
    settings = served[0]
    before = set(settings.runs_dir.iterdir())
    whole = {"west": WEST, "south": SOUTH, "east": EAST, "north": NORTH, "provider": "sample"}
    job = client.submit(**whole, api_name="/detect_area")
    deadline = time.monotonic() + 60
    while not any(event["stage"] == "detect" for event in job.outputs()):
        assert time.monotonic() < deadline, job.status()
        time.sleep(0.05)
    assert any(p.name.endswith(PARTIAL) for p in settings.runs_dir.iterdir())
    assert job.cancel()
    deadline = time.monotonic() + 10
    while set(settings.runs_dir.iterdir()) != before:
        assert time.monotonic() < deadline, "the run goes on"
        time.sleep(0.05)
    assert client.predict(**SMALL, api_name="/detect_area")["stage"] == "done"


def test_places_are_found(client):
    (place,) = client.predict("36.13, -5.43", api_name="/find_place")
    assert (place["lat"], place["lon"]) == pytest.approx((36.13, -5.43))
    with pytest.raises(AppError, match="latitude of 91"):
        client.predict("91 N 5 E", api_name="/find_place")


def test_a_polygon_and_several_areas_are_searched(client, tmp_path):
    corner = f"{WEST + 0.01} {SOUTH + 0.01}"
    triangle = f"{corner}, {WEST + 0.013} {SOUTH + 0.01}, {WEST + 0.01} {SOUTH + 0.013}, {corner}"
    wkt = f"POLYGON (({triangle}))"
    how = {"provider": "sample", "threshold": 0.9, "api_name": "/detect_areas"}
    done = client.predict(wkt, **how)
    assert done["stage"] == "done" and done["result"]["inputs"]["polygon"].startswith("POLYGON")
    file = tmp_path / "two.csv"
    file.write_text(f'name,wkt\npier,"{wkt}"\nroads,"{wkt}"\n')
    done = client.predict(handle_file(file), **how)
    assert [run["name"] for run in done["runs"]] == ["pier", "roads"]
    assert all("record" in run["files"] for run in done["runs"])
    assert {"summary.csv", "ships.csv", "index.html"} <= set(done["files"])
    assert len(Path(done["files"]["summary.csv"]).read_text().splitlines()) == 3
    with pytest.raises(AppError, match="is not a WKT"):
        client.predict("/etc/passwd", **how)
    file.write_text("west,south,east,north\n" + "0,0,1,1\n" * (MAX_AT_ONCE + 1))
    with pytest.raises(AppError, match="51 areas exceed the limit of 50"):
        client.predict(handle_file(file), **how)


def test_a_finished_run_is_matched_with_ais(client):
    run = client.predict(**SMALL, api_name="/detect_area")["result"]["run"]
    matched = client.predict(run, "sample", api_name="/match_ais")
    assert matched["result"]["ais"]["acquired"] == "2024-06-07T10:30:00Z"
    with pytest.raises(AppError, match="Upload the AIS file first"):
        client.predict(run, {"path": "/etc/passwd"}, api_name="/match_ais")


def stream_of(url: str, name: str, data: list[object]) -> str:
    """All that plain HTTP gives for a call."""
    event = httpx.post(f"{url}gradio_api/call/{name}", json={"data": data}).json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/{name}/{event}", timeout=60).text


def test_errors_over_plain_http_carry_their_sentence(served):
    reply = stream_of(served[1], "estimate", [190, 0, 191, 1, "sample", 14, "none", False])
    assert reply.startswith('event: error\ndata: "')
    assert json.loads(reply.splitlines()[1].removeprefix("data: ")).endswith(".")
    file = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    rest = [3.0, "", "auto", "none", "", "", "", 0, "", None, "png", 90, "", False, 0]
    assert "null" not in stream_of(served[1], "detect_image", [file, *rest])[-100:]


def test_values_left_out_over_plain_http_are_the_defaults(served):
    def answer(*values):
        reply = stream_of(served[1], "estimate", [WEST, SOUTH, EAST, NORTH, *values])
        assert reply.startswith("event: complete\n")
        return json.loads(reply.splitlines()[1].removeprefix("data: "))[0]

    assert answer("sample") == answer("sample", None, "none", False)


def test_nulls_over_plain_http_are_the_defaults(served):
    box = [WEST, SOUTH, EAST, NORTH, "sample"]
    reply = stream_of(served[1], "estimate", [*box, None, None, None])
    assert reply == stream_of(served[1], "estimate", box)
    assert reply.startswith("event: complete\n")


@pytest.mark.parametrize(
    ("name", "count"),
    [("find_place", 1), ("bundle", 1), ("match_ais", 2), ("detect_image", 1), ("detect_areas", 1),
     ("detect_area", 4), ("acquisitions", 4)],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, {}, ["a"], True, 10**30])
def test_values_of_a_wrong_type_get_one_sentence(served, caplog, name, count, value):
    reply = stream_of(served[1], name, [value] * count)
    assert reply.startswith('event: error\ndata: "')
    assert "unexpected" not in reply and not caplog.records


@pytest.mark.parametrize("path", ["call/nothing", "run/nothing", "api/nothing"])
def test_an_unknown_endpoint_is_not_found(served, path):
    reply = httpx.post(f"{served[1]}gradio_api/{path}", json={"data": []})
    assert reply.status_code == 404
    assert reply.json()["detail"].startswith("There is no endpoint 'nothing'")


def test_too_few_values_over_plain_http_are_named(served):
    reply = stream_of(served[1], "estimate", [WEST, SOUTH])
    assert "(2 were given" in reply and "west, south, east, north, provider?, zoom?" in reply


def test_answers_over_plain_http_stay_as_they_are(served):
    reply = stream_of(
        served[1], "estimate", [WEST, SOUTH, EAST, NORTH, "sample", 15, "none", False]
    )
    assert reply.startswith("event: complete\n")
    assert json.loads(reply.splitlines()[1].removeprefix("data: "))[0]["zoom"] == 15
