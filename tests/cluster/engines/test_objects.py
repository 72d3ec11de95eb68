"""The object store: content once, addresses that expire, a cache that may fail."""

import hashlib

import httpx
import pytest

pytest.importorskip("minio")

from shipdet.cluster.engines.objects import ObjectStore, object_key
from shipdet.cluster.work.shared_tile_cache import SharedTileCache
from shipdet.errors import EngineUnreachable
from shipdet.imagery.cache import Missing, TileCache, open_cache, open_caches_with
from shipdet.settings import Settings

pytestmark = pytest.mark.cluster


@pytest.fixture
def objects(settings: Settings) -> ObjectStore:
    made = ObjectStore(settings)
    made.prepare()
    return made


@pytest.fixture
def caches(settings, objects, tmp_path):
    """Two machines' caches of the same tiles, with a digest that no other test uses."""
    digest = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]

    def make(machine: str, store: ObjectStore = objects) -> SharedTileCache:
        own = settings.model_copy(update={"cache_dir": tmp_path / machine})
        return SharedTileCache(own, "xyz", digest, store)

    return make


def test_a_file_is_stored_under_its_content_and_once(objects, tmp_path):
    file = tmp_path / "a.tif"
    file.write_bytes(b"pixels" * 1000)
    key = objects.put_file(file)
    assert key == object_key(hashlib.sha256(file.read_bytes()).hexdigest(), ".tif")
    written = objects.client.stat_object(objects.bucket, key).last_modified
    assert objects.put_file(file) == key == objects.put(file.read_bytes(), ".tif")
    assert objects.client.stat_object(objects.bucket, key).last_modified == written
    assert objects.get(key) == file.read_bytes()
    objects.get_file(key, tmp_path / "b.tif")
    assert (tmp_path / "b.tif").read_bytes() == file.read_bytes()
    assert objects.size(key) == 6000


def test_an_address_serves_the_object_and_no_other(objects):
    key, other = objects.put(b"{}", ".json"), objects.put(b"[]", ".json")
    address = objects.address(key, "run.json")
    answer = httpx.get(address)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert httpx.get(address.replace(key, other)).status_code == 403
    assert httpx.get(address.partition("?")[0]).status_code == 403


def test_preparing_twice_does_no_harm(objects):
    objects.prepare()
    objects.prepare()
    objects.check()


def test_what_is_not_there_is_one_sentence(objects, settings):
    with pytest.raises(EngineUnreachable, match="NoSuchKey"):
        objects.get("objects/00/none.tif")
    other = settings.model_copy(update={"s3_bucket": "no-such-bucket"})
    with pytest.raises(EngineUnreachable, match="prepare"):
        ObjectStore(other).check()
    wrong = settings.model_copy(update={"s3_secret_key": "wrong"})
    with pytest.raises(EngineUnreachable, match="refused"):
        ObjectStore(wrong).check()


def test_a_tile_that_one_machine_fetched_serves_another(caches):
    here, there = caches("here"), caches("there")
    assert there.get(15, 1, 2) is None
    here.put(15, 1, 2, b"tile")
    here.put_missing(15, 1, 3, "no image there")
    assert there.get(15, 1, 2) == b"tile"
    assert there.get(15, 1, 3) == Missing("no image there")
    assert TileCache.get(there, 15, 1, 2) == b"tile", "the next time it comes from the disk"


def test_a_tile_that_is_too_old_is_not_taken(caches):
    here, there = caches("here"), caches("there")
    here.put(15, 1, 2, b"tile")
    there.keep_s = -1.0
    assert there.get(15, 1, 2) is None


def test_a_store_that_is_away_costs_nothing_but_speed(caches, settings):
    away = ObjectStore(settings.model_copy(update={"s3": "http://127.0.0.1:1"}), repeats=0)
    cache = caches("here", away)
    assert cache.get(15, 1, 2) is None
    cache.put(15, 1, 2, b"tile")
    assert cache.get(15, 1, 2) == b"tile"


def test_a_disk_that_is_full_costs_nothing_but_speed(caches, tmp_path):
    here, there = caches("here"), caches("there")
    here.put(15, 1, 2, b"tile")
    (tmp_path / "there").write_bytes(b"")  # no folder can be made there
    assert there.get(15, 1, 2) == b"tile"


def test_a_process_may_share_its_tiles(settings, objects):
    open_caches_with(lambda s, provider, digest: SharedTileCache(s, provider, digest, objects))
    try:
        assert isinstance(open_cache(settings, "xyz", "0" * 16), SharedTileCache)
    finally:
        open_caches_with(TileCache)
    assert type(open_cache(settings, "xyz", "0" * 16)) is TileCache
