"""The downloader against a local tile server with faults."""

import errno
import logging
import threading

import numpy as np
import pytest

from shipdet.errors import (
    AreaTooLarge,
    BadOption,
    NoImagery,
    ProviderRefused,
    ProviderUnreachable,
)
from shipdet.geometry import BBox
from shipdet.imagery import cache as cache_module
from shipdet.imagery import download, get_provider, sample
from shipdet.imagery.providers import BlankRule
from shipdet.progress import finish
from tests.helpers import tile_server as faults
from tests.helpers.tile_server import TileServer


def fetch(server, settings, waits, bbox=None, watch=None, **changes):
    provider = get_provider("xyz", settings).model_copy(update=changes)
    steps = download(
        bbox or server.bbox, server.zoom, provider, settings=settings, policy=waits.policy()
    )
    return finish(steps, watch)


def test_a_whole_picture_comes_back_as_it_was(settings_for, waits):
    with TileServer() as server:
        mosaic = fetch(server, settings_for(server), waits)
    assert np.array_equal(mosaic.pixels, server.picture)
    assert mosaic.coverage.all()
    seen = mosaic.provenance
    assert (seen.tiles, seen.fetched, seen.cached, seen.missing) == (12, 12, 0, 0)
    assert waits == []


def test_the_mosaic_is_cropped_to_the_area_to_the_pixel(settings_for, waits):
    with TileServer() as server:
        bbox = server.bbox_of(100, 50, 700, 333)
        mosaic = fetch(server, settings_for(server), waits, bbox)
    assert np.array_equal(mosaic.pixels, server.picture[50:333, 100:700])
    assert mosaic.provenance.tiles == 6
    corner = mosaic.grid.lonlat([(0, 0), (600, 283)])
    assert corner.ravel().tolist() == pytest.approx([bbox.west, bbox.north, bbox.east, bbox.south])


def test_part_of_a_pixel_counts_as_a_pixel(settings_for, waits):
    with TileServer() as server:
        mosaic = fetch(server, settings_for(server), waits, server.bbox_of(9.5, 9.5, 10.5, 10.2))
    assert np.array_equal(mosaic.pixels, server.picture[9:11, 9:11])


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_jpeg_and_webp_tiles_are_understood(settings_for, waits, image_format):
    with TileServer(image_format=image_format) as server:
        mosaic = fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 256, 256))
    assert np.abs(mosaic.pixels.astype(int) - server.picture[:256, :256]).mean() < 12


def test_a_second_run_asks_nobody(settings_for, waits):
    with TileServer(faults={}) as server:
        settings = settings_for(server)
        first = fetch(server, settings, waits)
        second = fetch(server, settings, waits)
        assert server.count == 12
    assert np.array_equal(first.pixels, second.pixels)
    assert (second.provenance.fetched, second.provenance.cached) == (0, 12)


def test_a_tile_known_to_be_missing_is_not_requested_again(settings_for, waits):
    with TileServer() as server:
        settings = settings_for(server)
        server.faults[server.x0, server.y0] = faults.NOT_FOUND
        fetch(server, settings, waits)
        again = fetch(server, settings, waits)
        assert server.count == 12
    assert again.provenance.missing == 1


def test_a_damaged_cached_tile_is_fetched_anew(settings_for, waits):
    with TileServer() as server:
        settings = settings_for(server)
        fetch(server, settings, waits)
        next(settings.cache_dir.rglob("*.tile")).write_bytes(b"damaged")
        again = fetch(server, settings, waits)
        assert server.count == 13
    assert again.coverage.all()


@pytest.mark.parametrize("limit", [1, 3])
def test_the_server_never_sees_more_connections_than_allowed(settings_for, waits, limit):
    with TileServer(delay_s=0.03) as server:
        fetch(server, settings_for(server, connections_per_host=limit), waits)
        assert server.max_concurrency == limit


def test_the_server_learns_who_asks(settings_for, waits):
    with TileServer() as server:
        settings = settings_for(server)
        fetch(server, settings, waits, server.bbox_of(0, 0, 10, 10))
    assert server.requests[0].user_agent == settings.user_agent


def test_server_errors_are_retried_with_growing_waits(settings_for, waits):
    with TileServer(first=[faults.SERVER_ERROR] * 3) as server:
        mosaic = fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 10, 10))
    assert mosaic.coverage.all()
    assert waits == [0.5, 1.0, 2.0]


def test_retry_after_is_honoured_by_all_tiles(settings_for, waits):
    with TileServer(first=[faults.too_many("50")]) as server:
        settings = settings_for(server, connections_per_host=1)
        mosaic = fetch(server, settings, waits)
        assert server.count == 13
    assert mosaic.coverage.all()
    assert waits
    assert all(10 < wait <= 50 for wait in waits)  # time goes on while nobody waits


def test_retry_after_is_really_waited_for(settings_for):
    with TileServer(first=[faults.too_many("1")]) as server:
        settings = settings_for(server)
        provider = get_provider("xyz", settings)
        finish(download(server.bbox_of(0, 0, 10, 10), server.zoom, provider, settings=settings))
        first, second = server.requests
    assert second.at - first.at >= 0.95


def test_a_server_that_keeps_asking_to_slow_down_ends_the_run(settings_for, waits):
    with (
        TileServer(always=faults.too_many("1")) as server,
        pytest.raises(ProviderUnreachable, match="rate of requests: wait some minutes"),
    ):
        fetch(server, settings_for(server), waits)


def test_a_slow_tile_times_out_and_is_requested_again(settings_for, waits):
    with TileServer(first=[faults.slow(1.0)]) as server:
        settings = settings_for(server, timeout_s=0.3)
        mosaic = fetch(server, settings, waits, server.bbox_of(0, 0, 10, 10))
    assert mosaic.coverage.all()
    assert waits == [0.5]


@pytest.mark.parametrize("fault", [faults.UNAUTHORIZED, faults.FORBIDDEN])
def test_a_refusal_ends_the_run_at_once(settings_for, waits, fault):
    with TileServer(always=fault) as server:
        with pytest.raises(ProviderRefused, match=rf"Own tiles refused.*HTTP {fault.status}"):
            fetch(server, settings_for(server), waits)
        assert server.count <= 4
    assert waits == []


def test_a_failing_server_is_left_alone_after_some_failures(settings_for, waits):
    with TileServer(always=faults.SERVER_ERROR) as server:
        with pytest.raises(ProviderUnreachable, match="keeps failing \\(HTTP 500\\)"):
            fetch(server, settings_for(server, breaker_failures=8), waits)
        assert server.count <= 8 + 4


def test_a_server_that_is_not_there_is_unreachable(settings_for, waits):
    with TileServer() as server:
        settings = settings_for(server)
    with pytest.raises(ProviderUnreachable, match="no connection"):
        fetch(server, settings, waits)


def test_one_tile_of_a_dead_server_is_unreachable_too(settings_for, waits):
    with TileServer() as server:
        settings = settings_for(server)
    with pytest.raises(ProviderUnreachable, match="check the network"):
        fetch(server, settings, waits, server.bbox_of(0, 0, 10, 10))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.NOT_FOUND, "no image there"),
        (faults.SERVER_ERROR, "HTTP 500"),
        (faults.HTML, "a web page instead of an image"),
        (faults.TRUNCATED, "a damaged or truncated image"),
        (faults.WRONG_SIZE, "an image of 120x100 instead of 256x256"),
        (faults.NOT_A_PICTURE, "something that is not a PNG, JPEG or WebP image"),
        (faults.JSON, "a JSON message instead of an image"),
        (faults.GIF, "an image in the format GIF, which is not supported"),
        (faults.TIFF, "an image in the format TIFF, which is not supported"),
        (faults.HUGE, "a response of more than 4 MiB"),
        (faults.Fault(), "an empty response"),
        (faults.Fault(400), "HTTP 400"),
        (faults.Fault(302, headers={"Location": "http://127.0.0.2/x.png"}), "another server"),
        *((faults.Fault(status), f"HTTP {status}") for status in (300, 302, 304)),
        (faults.Fault(302, headers={"Location": "http://["}), "a redirect to an invalid address"),
    ],
)
def test_a_bad_tile_is_masked_and_reported(settings_for, waits, fault, reason):
    with TileServer() as server:
        server.faults[server.x0 + 1, server.y0] = fault
        mosaic = fetch(server, settings_for(server), waits)
    assert not mosaic.coverage[:256, 256:512].any()
    assert not mosaic.pixels[:256, 256:512].any()
    assert mosaic.coverage.sum() == 11 * 256 * 256
    assert mosaic.provenance.missing == 1
    assert "1 of 12 tiles are missing" in mosaic.provenance.notes[-1]
    assert reason in mosaic.provenance.notes[-1]


@pytest.mark.parametrize("fault", [faults.HTML, faults.TRUNCATED, faults.WRONG_SIZE])
def test_a_bad_tile_is_requested_once_more(settings_for, waits, fault):
    with TileServer(first=[fault]) as server:
        mosaic = fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 10, 10))
        assert server.count == 2
    assert mosaic.coverage.all()


@pytest.mark.parametrize("status", [304, 400, 418])
def test_a_final_answer_is_not_requested_again(settings_for, waits, status):
    with TileServer(first=[faults.Fault(status)]) as server, pytest.raises(ProviderUnreachable):
        fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 10, 10))
    assert server.count == 1


def test_bad_tiles_are_not_cached(settings_for, waits):
    with TileServer() as server:
        server.faults[server.x0, server.y0] = [faults.HTML, faults.HTML]
        settings = settings_for(server)
        assert fetch(server, settings, waits).provenance.missing == 1
        assert fetch(server, settings, waits).provenance.missing == 0


def test_several_lastingly_bad_tiles_do_not_cost_the_good_ones(settings_for, waits):
    with TileServer() as server:
        for column in range(3):
            server.faults[server.x0 + column, server.y0] = faults.SERVER_ERROR
        mosaic = fetch(server, settings_for(server), waits)
    assert mosaic.provenance.missing == 3


@pytest.mark.parametrize("area", [(0, 0, 10, 10), (0, 0, 1024, 768)])
def test_a_server_of_web_pages_is_distinguished(settings_for, waits, area):
    with (
        TileServer(always=faults.HTML) as server,
        pytest.raises(ProviderUnreachable, match=r"web pages instead of images.*login"),
    ):
        fetch(server, settings_for(server), waits, server.bbox_of(*area))


def test_nothing_but_gaps_is_no_imagery(settings_for, waits):
    with (
        TileServer(always=faults.NOT_FOUND) as server,
        pytest.raises(NoImagery, match="Own tiles has no image of this area at zoom 15: try a"),
    ):
        fetch(server, settings_for(server), waits)


def test_a_redirect_on_the_same_server_is_followed(settings_for, waits):
    with TileServer() as server:
        target = f"/other/{server.zoom}/{server.x0}/{server.y0}"
        server.first.append(faults.Fault(302, headers={"Location": target}))
        mosaic = fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 10, 10))
        assert server.requests[1].path == target
    assert mosaic.coverage.all()


def test_compressed_tiles_are_understood(settings_for, waits):
    with TileServer(always=faults.COMPRESSED) as server:
        settings = settings_for(server)
        mosaic = fetch(server, settings, waits)
        again = fetch(server, settings, waits)
    assert np.array_equal(mosaic.pixels, server.picture)
    assert np.array_equal(again.pixels, server.picture)
    assert again.provenance.cached == 12


def test_tiles_of_twice_the_size_are_used_and_noted(settings_for, waits):
    with TileServer(always=faults.DOUBLE) as server:
        mosaic = fetch(server, settings_for(server), waits)
    assert np.array_equal(mosaic.pixels, server.picture)
    assert "set SHIPDET_XYZ_TILE_PX=512" in mosaic.provenance.notes[-1]


@pytest.mark.parametrize("west", [-5.445, -5.434])  # the picture begins in each half of a tile
def test_tiles_of_512_px_lie_where_they_belong(settings_for, waits, west):
    with TileServer(tile_px=512, west=west) as server:
        settings = settings_for(server, xyz_tile_px=512)
        mosaic = fetch(server, settings, waits)
        asked = {request[:3] for request in server.requests}
        assert len(asked) == server.count <= 6, "a tile was requested more than once"
        again = fetch(server, settings, waits)
        assert len(asked) == server.count
    assert {z for z, _, _ in asked} == {server.zoom - 1}
    assert np.array_equal(mosaic.pixels, server.picture)
    assert np.array_equal(again.pixels, server.picture)
    assert mosaic.coverage.all()
    assert (again.provenance.cached, again.provenance.tiles) == (12, 12)


def test_a_missing_tile_of_512_px_is_four_gaps(settings_for, waits):
    with TileServer(tile_px=512) as server:
        large = ((server.x0 + 2) // 2, server.y0 // 2)
        server.faults[large] = faults.NOT_FOUND
        mosaic = fetch(server, settings_for(server, xyz_tile_px=512), waits)
    assert 2 <= mosaic.provenance.missing <= 4
    assert (mosaic.coverage.sum() + mosaic.provenance.missing * 256**2) == 12 * 256**2


def test_leaving_early_ends_the_fetching_of_large_tiles(settings_for):
    answer = threading.Event()
    with TileServer(tile_px=512) as server:
        corner = (server.x0 // 2, server.y0 // 2)
        server.held[corner] = answer
        settings = settings_for(server, timeout_s=60.0, xyz_tile_px=512)
        steps = download(server.bbox, 15, get_provider("xyz", settings), settings=settings)
        for event in steps:
            if event.done >= 4:
                break
        steps.close()
        assert not any(t.name == "shipdet-fetch" for t in threading.enumerate())
        answer.set()


def test_servers_of_several_names_are_asked_in_turn(settings_for, waits):
    with TileServer() as server:
        url = f"http://{server.host}/{{s}}/{{z}}/{{x}}/{{y}}"
        settings = settings_for(xyz_url=url, xyz_subdomains="a,b,c")
        mosaic = fetch(server, settings, waits)
        names = [request.path.split("/")[1] for request in server.requests]
    assert np.array_equal(mosaic.pixels, server.picture)
    assert {names.count(name) for name in "abc"} == {4}


@pytest.mark.parametrize("gap", [(0, 0), (3, 2)])
def test_a_denied_tile_of_an_object_store_is_a_gap(settings_for, waits, gap):
    with TileServer() as server:
        server.faults[server.x0 + gap[0], server.y0 + gap[1]] = faults.STORE_DENIES
        settings = settings_for(server)
        mosaic = fetch(server, settings, waits)
        again = fetch(server, settings, waits)
        assert server.count == 13, "a denial was remembered, although another key may see the tile"
    assert mosaic.provenance.missing == again.provenance.missing == 1
    assert "1 x access denied (HTTP 403)" in mosaic.provenance.notes[-1]


def test_an_object_store_that_denies_all_refuses(settings_for, waits):
    with (
        TileServer(always=faults.STORE_DENIES) as server,
        pytest.raises(ProviderRefused, match=r"refused the download \(HTTP 403\)"),
    ):
        fetch(server, settings_for(server), waits)


def test_a_denied_tile_after_others_is_a_gap(settings_for, waits):
    with TileServer() as server:
        server.faults[server.x0 + 3, server.y0 + 2] = faults.FORBIDDEN
        mosaic = fetch(server, settings_for(server, connections_per_host=1), waits)
    assert mosaic.provenance.missing == 1


def test_a_server_that_begins_to_deny_refuses(settings_for, waits):
    with TileServer(first=[None] * 2, always=faults.FORBIDDEN) as server:
        settings = settings_for(server, connections_per_host=1, breaker_failures=4)
        with pytest.raises(ProviderRefused, match="HTTP 403"):
            fetch(server, settings, waits)
        assert server.count <= 8


def test_a_name_that_no_header_can_hold_is_refused(settings_for, waits):
    with TileServer() as server, pytest.raises(BadOption, match="SHIPDET_USER_AGENT"):
        fetch(server, settings_for(server, user_agent="Jörg\nHost: x"), waits)


def test_a_dead_proxy_is_named(settings_for, waits, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    settings = settings_for(xyz_url="http://tiles.example.org/{z}/{x}/{y}")
    with (
        TileServer() as server,
        pytest.raises(ProviderUnreachable, match="through the proxy of HTTP_PROXY"),
    ):
        fetch(server, settings, waits)


GRAY = BlankRule(colors=((204, 204, 204),), tolerance=24, spread=4, share=0.9)


def test_a_blank_tile_is_a_gap_where_the_provider_has_a_rule(settings_for, waits):
    with TileServer(faults={}) as server:
        server.faults[server.x0, server.y0] = faults.BLANK
        settings = settings_for(server)
        assert fetch(server, settings, waits, blank=GRAY).provenance.missing == 1
        again = fetch(server, settings, waits, blank=GRAY)
        assert again.provenance.missing == 1
        assert server.count == 12


def test_a_blank_tile_may_be_marked_by_a_header(settings_for, waits):
    marked = faults.Fault(body="tile", headers={"blank-tile": "true"})
    with TileServer() as server:
        server.faults[server.x0, server.y0] = marked
        rule = BlankRule(header={"blank-tile": "true"})
        assert fetch(server, settings_for(server), waits, blank=rule).provenance.missing == 1


def test_the_blank_query_is_sent(settings_for, waits):
    with TileServer() as server:
        rule = BlankRule(query={"blankTile": "false"})
        fetch(server, settings_for(server), waits, server.bbox_of(0, 0, 9, 9), blank=rule)
        assert server.requests[0].path.endswith("?blankTile=false")


def test_too_large_an_area_asks_nobody(settings_for, waits):
    with TileServer() as server:
        with pytest.raises(AreaTooLarge):
            fetch(server, settings_for(server, max_tiles=4), waits)
        assert server.count == 0


def test_progress_counts_every_tile(settings_for, waits):
    events = []
    with TileServer() as server:
        server.faults[server.x0, server.y0] = faults.NOT_FOUND
        fetch(server, settings_for(server), waits, watch=events.append)
    done = list(dict.fromkeys(event.done for event in events))
    assert done == list(range(13))
    assert {event.total for event in events} == {12}
    assert events[-1].note == "1 missing"


def test_cancelling_is_prompt_and_keeps_what_was_fetched(settings_for, waits):
    answer = threading.Event()
    with TileServer(delay_s=0.05) as server:
        for y in range(1, 3):
            for x in range(4):
                server.held[server.x0 + x, server.y0 + y] = answer
        # Longer than a busy machine may stand still: the held tiles must not fail first.
        settings = settings_for(server, timeout_s=60.0)
        steps = download(server.bbox, 15, get_provider("xyz", settings), settings=settings)
        for event in steps:
            if event.done == 4:
                break
        steps.close()
        assert server.running > 0, "it did not wait for answers"
        assert not any(t.name == "shipdet-fetch" for t in threading.enumerate())
        answer.set()
        mosaic = fetch(server, settings, waits)
    assert mosaic.provenance.cached == 4


def test_a_caller_gets_a_chance_to_cancel_while_nothing_arrives(settings_for):
    answer = threading.Event()
    with TileServer() as server:
        for y in range(3):
            for x in range(4):
                server.held[server.x0 + x, server.y0 + y] = answer
        settings = settings_for(server)
        steps = download(server.bbox, 15, get_provider("xyz", settings), settings=settings)
        assert next(steps).done == next(steps).done == 0
        steps.close()
        answer.set()


def test_a_full_disk_costs_the_cache_but_not_the_run(settings_for, waits, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.os, "replace", full)
    with TileServer() as server:
        mosaic = fetch(server, settings_for(server), waits)
    assert mosaic.coverage.all()
    assert "No space left on device" in mosaic.provenance.notes[-1]


def test_zoom_beyond_the_native_one_is_noted(settings_for, waits):
    with TileServer() as server:
        changes = {"native_zoom": 14, "min_useful_zoom": 14}
        mosaic = fetch(server, settings_for(server), waits, **changes)
    assert any("above the native zoom 14" in note for note in mosaic.provenance.notes)


def test_no_key_reaches_notes_logs_files_or_errors(settings_for, waits, caplog):
    caplog.set_level(logging.DEBUG)
    with TileServer() as server:
        settings = settings_for(xyz_url=server.url_template + "?key=hush-hush")
        mosaic = fetch(server, settings, waits)
        server.always = faults.FORBIDDEN
        with pytest.raises(ProviderRefused) as refused:
            fetch(server, settings_for(xyz_url=server.url_template + "?key=hush-hush2"), waits)
    with pytest.raises(ProviderUnreachable) as gone:
        fetch(server, settings_for(xyz_url=server.url_template + "?key=hush-hush3"), waits)
    names = [str(path) for path in settings.cache_dir.rglob("*")]
    shown = [repr(mosaic.provenance), repr(refused.value), repr(gone.value), *names, caplog.text]
    assert server.requests[0].path.endswith("?key=hush-hush")
    assert not any("hush" in text for text in shown)


def test_the_sample_goes_the_same_way(settings, monkeypatch):
    monkeypatch.setattr(sample, "tile", lambda *_: _png())
    provider = get_provider("sample", settings)
    west, _, _, north = sample.bbox().as_tuple()
    inside = BBox(west, north - 0.01, west + 0.01, north)
    mosaic = finish(download(inside, 15, provider, settings=settings))
    assert mosaic.coverage.all()
    assert "synthetic" in mosaic.provenance.title
    assert "no such place exists" in mosaic.provenance.notes[0]


def test_outside_the_sample_there_is_no_imagery(settings):
    with pytest.raises(NoImagery, match="Built-in sample"):
        finish(
            download(BBox(4, 52, 4.01, 52.01), 15, get_provider("sample", settings), None, settings)
        )


@pytest.mark.skipif(not faults.data_dir().exists(), reason="no shared/data")
def test_a_real_mosaic_comes_through(settings_for, waits):
    with TileServer.of_mosaic("algeciras") as server:
        mosaic = fetch(server, settings_for(server), waits)
    assert mosaic.pixels.shape == (768, 768, 3)
    assert mosaic.coverage.all()
    assert mosaic.grid.gsd_m == pytest.approx(3.86, abs=0.02)


def _png():
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((256, 256), 40).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()
