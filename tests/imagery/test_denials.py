"""Servers that deny some tiles before the first one comes, or all of them."""

import pytest

from shipdet.errors import ProviderRefused
from shipdet.imagery import download, get_provider
from shipdet.progress import finish
from tests.helpers.tile_server import FORBIDDEN, NOT_FOUND, STORE_DENIES, TileServer


def fetch(server, settings, waits):
    provider = get_provider("xyz", settings)
    steps = download(server.bbox, server.zoom, provider, settings=settings, policy=waits.policy())
    return finish(steps)


@pytest.mark.parametrize("connections", [1, 4, 8])
def test_denied_tiles_before_others_are_gaps(settings_for, waits, connections):
    with TileServer() as server:
        for column in range(3):
            server.faults[server.x0 + column, server.y0] = FORBIDDEN
        mosaic = fetch(server, settings_for(server, connections_per_host=connections), waits)
    assert mosaic.provenance.missing == 3


@pytest.mark.parametrize("fault", [NOT_FOUND, STORE_DENIES])
def test_other_gaps_before_a_denial_do_not_stop_requests(settings_for, waits, fault):
    with TileServer(first=[fault] * 6 + [FORBIDDEN]) as server:
        mosaic = fetch(server, settings_for(server, connections_per_host=8), waits)
    assert mosaic.provenance.missing == 7


@pytest.mark.parametrize("connections", [1, 8])
def test_a_server_that_denies_all_is_asked_a_few_times(settings_for, waits, connections):
    with TileServer(always=FORBIDDEN) as server:
        with pytest.raises(ProviderRefused, match="HTTP 403"):
            fetch(server, settings_for(server, connections_per_host=connections), waits)
        assert server.count == 4


def test_an_area_of_one_denied_tile_is_refused(settings_for, waits):
    with TileServer(always=FORBIDDEN) as server:
        server.picture = server.picture[:256, :256]
        server.columns = server.rows = 1
        with pytest.raises(ProviderRefused, match="HTTP 403"):
            fetch(server, settings_for(server), waits)
