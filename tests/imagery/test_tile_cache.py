import errno
import os
import time

import pytest

from shipdet.errors import StorageFull
from shipdet.imagery import cache as cache_module
from shipdet.imagery.cache import Missing, TileCache

DAY_S = 86400


@pytest.fixture
def cache(settings):
    return TileCache(settings, "esri", "abc")


def age(cache, days, suffix="tile"):
    for path in cache.root.rglob(f"*.{suffix}"):
        then = time.time() - days * DAY_S
        os.utime(path, (then, then))


def test_what_was_put_is_there_for_the_next_process(cache, settings):
    cache.put(15, 1, 2, b"tile")
    assert TileCache(settings, "esri", "abc").get(15, 1, 2) == b"tile"


def test_other_options_do_not_share_tiles(cache, settings):
    cache.put(15, 1, 2, b"tile")
    assert TileCache(settings, "esri", "def").get(15, 1, 2) is None
    assert TileCache(settings, "eox", "abc").get(15, 1, 2) is None


def test_a_tile_expires_and_a_gap_sooner(cache):
    cache.put(15, 1, 2, b"tile")
    cache.put_missing(15, 1, 3, "no image there")
    assert cache.get(15, 1, 3) == Missing("no image there")
    age(cache, 2)
    age(cache, 2, "none")
    assert cache.get(15, 1, 2) == b"tile"
    assert cache.get(15, 1, 3) is None
    age(cache, 31)
    assert cache.get(15, 1, 2) is None


def test_using_a_tile_does_not_make_it_younger(cache):
    cache.put(15, 1, 2, b"tile")
    age(cache, 20)
    cache.get(15, 1, 2)
    age_s = time.time() - next(cache.root.rglob("*.tile")).stat().st_mtime
    assert age_s > 19 * DAY_S


def test_the_least_recently_used_go_first(settings_for):
    cache = TileCache(settings_for(cache_max_gb=10_000 / 1024**3), "esri", "abc")
    for y in range(12):
        cache.put(15, 1, y, bytes(1000))
        os.utime(cache.folder / "15/1" / f"{y}.tile", (1e9 + y, time.time()))
    cache.get(15, 1, 0)  # just used, although the oldest
    cache.prune()
    assert cache.get(15, 1, 0) is not None
    assert [y for y in range(12) if cache.get(15, 1, y) is None] == [1, 2, 3]


def test_pruning_deletes_what_expired(cache):
    cache.put(15, 1, 2, b"tile")
    age(cache, 40)
    cache.prune()
    assert not list(cache.root.rglob("*.tile"))


def test_pruning_is_not_repeated_for_every_run(cache, monkeypatch):
    prunes = []
    monkeypatch.setattr(cache, "prune", lambda: prunes.append(1))
    cache.prune_if_due()
    cache.prune_if_due()
    assert len(prunes) == 1
    cache.written_bytes = int(cache.limit_bytes)
    cache.prune_if_due()
    assert len(prunes) == 2


def test_a_full_disk_is_one_sentence_and_leaves_no_debris(cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.os, "replace", full)
    with pytest.raises(StorageFull, match=r"No space left on device.*free some disk space"):
        cache.put(15, 1, 2, b"tile")
    assert not [path for path in cache.root.rglob("*") if path.is_file()]


def test_a_tile_that_vanishes_is_only_a_miss(cache):
    cache.put(15, 1, 2, b"tile")
    cache.forget(15, 1, 2)
    cache.forget(15, 1, 2)
    assert cache.get(15, 1, 2) is None
