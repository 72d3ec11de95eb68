"""The tile cache on disk: shared by processes, with expiry and a size limit.

A tile is at ``<cache_dir>/tiles/<provider>/<digest>/<z>/<x>/<y>.tile``; the digest identifies all
other parameters of the request. ``<y>.none`` records that the provider has no image there. The
modification time is when a file was downloaded; the access time, set explicitly because many disks
do not record it, is when it was last used. Files are created by renaming, so other processes see
only complete tiles. Any file may be removed at any time.
"""

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from shipdet.errors import StorageFull
from shipdet.settings import GB, Settings

MISSING_DAYS = 1.0  # providers fill gaps over time
PRUNE_EVERY_S = 3600.0
PRUNE_WRITTEN_SHARE = 0.01  # of the size limit, written since the last pruning
PRUNE_TO = 0.9  # of the size limit, so that runs rarely prune
DAY_S = 86400.0

log = logging.getLogger(__name__)


class Missing(NamedTuple):
    """A cached response that the provider has no image here, with the reason."""

    reason: str


class TileCache:
    """The tiles of one provider and one set of options."""

    def __init__(self, settings: Settings, provider_id: str, digest: str) -> None:
        self.root = settings.cache_dir / "tiles"
        self.folder = self.root / provider_id / digest
        self.keep_s = settings.cache_days * DAY_S
        self.limit_bytes = settings.cache_max_gb * GB
        self.written_bytes = 0

    def get(self, z: int, x: int, y: int) -> bytes | Missing | None:
        """Return the tile's bytes, :class:`Missing` if there is no image, None if not cached."""
        data = self._read(self._path(z, x, y, "tile"), self.keep_s)
        if data is not None:
            return data
        reason = self._read(self._path(z, x, y, "none"), MISSING_DAYS * DAY_S)
        return None if reason is None else Missing(reason.decode(errors="replace"))

    def put(self, z: int, x: int, y: int, data: bytes) -> None:
        """Store a tile.

        Raises:
            StorageFull: The folder is not writable.
        """
        self._write(self._path(z, x, y, "tile"), data)

    def put_missing(self, z: int, x: int, y: int, reason: str) -> None:
        """Record for a day that the provider has no image here; raises as :meth:`put`."""
        self._write(self._path(z, x, y, "none"), reason.encode())

    def forget(self, z: int, x: int, y: int) -> None:
        """Remove a damaged tile."""
        with contextlib.suppress(OSError):
            self._path(z, x, y, "tile").unlink()

    def prune_if_due(self) -> None:
        """Prune, unless that was done recently and this run wrote little."""
        stamp = self.root / ".pruned"
        with contextlib.suppress(OSError):
            recent = time.time() - stamp.stat().st_mtime < PRUNE_EVERY_S
            if recent and self.written_bytes < self.limit_bytes * PRUNE_WRITTEN_SHARE:
                return
        with contextlib.suppress(OSError):
            self.root.mkdir(parents=True, exist_ok=True)
            stamp.touch()
        self.prune()

    def prune(self) -> None:
        """Delete expired files; if over the size limit, also the least recently used ones."""
        now, total = time.time(), 0
        kept: list[tuple[float, int, Path]] = []
        for path in self._files():
            try:
                stat = path.stat()
            except OSError:
                continue  # removed by another process
            keep_s = MISSING_DAYS * DAY_S if path.suffix == ".none" else self.keep_s
            if now - stat.st_mtime > keep_s:
                _delete(path)
            else:
                kept.append((stat.st_atime, stat.st_size, path))
                total += stat.st_size
        self.written_bytes = 0
        if total <= self.limit_bytes:
            return
        for _, size, path in sorted(kept):
            _delete(path)
            total -= size
            if total <= self.limit_bytes * PRUNE_TO:
                break

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                # Temporary files of crashed processes expire like tiles.
                if name.endswith((".tile", ".none", ".part")):
                    yield Path(folder, name)

    def _path(self, z: int, x: int, y: int, suffix: str) -> Path:
        return self.folder / str(z) / str(x) / f"{y}.{suffix}"

    def _read(self, path: Path, keep_s: float) -> bytes | None:
        try:
            stat = path.stat()
            if time.time() - stat.st_mtime > keep_s:
                return None
            data = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):  # the cache may be read-only
            os.utime(path, (time.time(), stat.st_mtime))
        return data

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.replace(name, path)
            except BaseException:
                _delete(Path(name))
                raise
        except OSError as error:
            log.warning("cannot write to the tile cache: %s", error.strerror)
            raise StorageFull(
                f"The tile cache cannot be written ({error.strerror}): free some disk space or "
                "set SHIPDET_CACHE_DIR to another folder."
            ) from error
        self.written_bytes += len(data)


Opener = Callable[[Settings, str, str], TileCache]
_opener: Opener = TileCache


def open_cache(settings: Settings, provider_id: str, digest: str) -> TileCache:
    """Open the cache of a provider and its options, with the opener of :func:`open_caches_with`."""
    return _opener(settings, provider_id, digest)


def open_caches_with(opener: Opener) -> None:
    """Use another kind of cache in this process, such as one shared by machines."""
    global _opener
    _opener = opener


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
