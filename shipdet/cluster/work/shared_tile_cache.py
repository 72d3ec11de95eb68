"""A tile cache shared by all workers: the local disk, then the object store."""

import logging
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime

import urllib3
from minio.error import MinioException, S3Error

from shipdet.cluster.engines.objects import MISSING, TILES, ObjectStore
from shipdet.errors import StorageFull
from shipdet.imagery.cache import DAY_S, MISSING_DAYS, Missing, TileCache
from shipdet.settings import Settings

PAUSE_S = 10.0  # time without requests to the store after a failure

log = logging.getLogger(__name__)


class SharedTileCache(TileCache):
    """A :class:`~shipdet.imagery.cache.TileCache` whose tiles are shared with other workers.

    If the store does not answer or the disk is full, tiles are downloaded from the provider.
    """

    def __init__(
        self, settings: Settings, provider_id: str, digest: str, objects: ObjectStore
    ) -> None:
        super().__init__(settings, provider_id, digest)
        self.prefix = f"{TILES}/{provider_id}/{digest}"
        self.objects = objects
        self.paused_until = 0.0

    def get(self, z: int, x: int, y: int) -> bytes | Missing | None:
        """Look on disk, then in the store."""
        known = super().get(z, x, y)
        if known is not None:
            return known
        data = self._fetch(z, x, y, "tile", self.keep_s)
        if data is not None:
            with suppress(StorageFull):  # the tile is still usable
                super().put(z, x, y, data)
            return data
        reason = self._fetch(z, x, y, "none", MISSING_DAYS * DAY_S)
        return None if reason is None else Missing(reason.decode(errors="replace"))

    def put(self, z: int, x: int, y: int, data: bytes) -> None:
        """Store a tile on disk and in the store."""
        super().put(z, x, y, data)
        self._store(z, x, y, "tile", data)

    def put_missing(self, z: int, x: int, y: int, reason: str) -> None:
        """Store the absence of a tile on disk and in the store."""
        super().put_missing(z, x, y, reason)
        self._store(z, x, y, "none", reason.encode())

    def _fetch(self, z: int, x: int, y: int, suffix: str, keep_s: float) -> bytes | None:
        if time.monotonic() < self.paused_until:
            return None
        client, key = self.objects.client, f"{self.prefix}/{z}/{x}/{y}.{suffix}"
        try:
            response = client.get_object(bucket_name=self.objects.bucket, object_name=key)
        except S3Error as error:
            if error.code not in MISSING:
                self._pause()
            return None
        except (MinioException, urllib3.exceptions.HTTPError):
            self._pause()
            return None
        try:
            kept = parsedate_to_datetime(response.headers["Last-Modified"])
            age_s = time.time() - kept.timestamp()
            return None if age_s > keep_s else response.read()
        except (KeyError, ValueError, urllib3.exceptions.HTTPError):
            return None  # without a date, the age is unknown
        finally:
            response.close()
            response.release_conn()

    def _store(self, z: int, x: int, y: int, suffix: str, data: bytes) -> None:
        if time.monotonic() < self.paused_until:
            return
        try:
            self.objects.write(f"{self.prefix}/{z}/{x}/{y}.{suffix}", data)
        except (MinioException, urllib3.exceptions.HTTPError):
            self._pause()

    def _pause(self) -> None:
        log.warning(
            "the shared tile cache does not answer: continuing without it for %.0f s", PAUSE_S
        )
        self.paused_until = time.monotonic() + PAUSE_S
