"""Files in an S3 store, named by their content."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error

from shipdet.errors import EngineUnreachable
from shipdet.settings import Settings

OBJECTS, TILES = "objects", "tiles"  # prefixes
MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".tif": "image/tiff",
    ".vrt": "application/xml",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".csv": "text/csv",
}
#: Codes of S3 servers for a missing object.
MISSING = ("NoSuchKey", "NotFound", "NoSuchObject", "ResourceNotFound")
CONNECT_S, READ_S = 3.0, 30.0
URL_HOURS = 12


class ObjectStore:
    """One bucket. Equal content is stored once, and files are never overwritten.

    Args:
        settings: Address, keys and bucket.
        repeats: Number of retries of a request.
        before_put: Called with the key before the bucket is queried, to prevent a concurrent
            removal of the file.

    Raises:
        EngineUnreachable: No object store is configured, or its address is malformed.
    """

    def __init__(
        self,
        settings: Settings,
        repeats: int = 4,
        before_put: Callable[[str], None] = lambda key: None,
    ) -> None:
        if not settings.s3:
            raise EngineUnreachable("No object store is configured: set SHIPDET_S3.")
        self.bucket = settings.s3_bucket
        self.before_put = before_put
        self.client = _client(settings.s3, settings, repeats)
        # Signing needs no connection, only the address that the browser uses.
        public = settings.s3_public or settings.s3
        self.signer = _client(public, settings, repeats)

    def prepare(self) -> None:
        """Create the bucket if it is missing."""
        with _client_errors():
            if not self.client.bucket_exists(bucket_name=self.bucket):
                try:
                    self.client.make_bucket(bucket_name=self.bucket)
                except S3Error as error:
                    if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                        raise

    def put_file(self, file: Path) -> str:
        """Store a file; return its key, which consists of SHA-256 and suffix."""
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        key = object_key(digest, file.suffix)
        self.before_put(key)
        with _client_errors():
            if self._size(key) != file.stat().st_size:
                self.client.fput_object(
                    bucket_name=self.bucket,
                    object_name=key,
                    file_path=str(file),
                    content_type=media_type(key),
                )
        return key

    def put(self, data: bytes, suffix: str) -> str:
        """Store bytes; return their key."""
        key = object_key(hashlib.sha256(data).hexdigest(), suffix)
        self.before_put(key)
        with _client_errors():
            if self._size(key) != len(data):
                self.write(key, data)
        return key

    def get(self, key: str) -> bytes:
        """Read an object; EngineUnreachable if the store does not return it."""
        with _client_errors():
            response = self.client.get_object(bucket_name=self.bucket, object_name=key)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

    def get_file(self, key: str, file: Path) -> None:
        """Download an object into a file."""
        with _client_errors():
            self.client.fget_object(bucket_name=self.bucket, object_name=key, file_path=str(file))

    def write(self, key: str, data: bytes) -> None:
        """Write an object under a given key."""
        self.client.put_object(
            bucket_name=self.bucket,
            object_name=key,
            data=io.BytesIO(data),
            length=len(data),
            content_type=media_type(key),
        )

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; missing ones are ignored."""
        with _client_errors():
            wanted = (DeleteObject(key) for key in keys)
            for error in self.client.remove_objects(self.bucket, wanted):
                raise EngineUnreachable(
                    f"The object store refused to remove an object ({error.code}): check the "
                    "permissions of SHIPDET_S3_ACCESS_KEY."
                )

    def remove_tiles(self, before: datetime) -> int:
        """Remove cached tiles older than a time; return how many."""
        removed = 0

        def old() -> Iterator[str]:
            nonlocal removed
            for tile in self.client.list_objects(self.bucket, f"{TILES}/", recursive=True):
                if tile.object_name and tile.last_modified and tile.last_modified < before:
                    removed += 1
                    yield tile.object_name

        self.remove(old())
        return removed

    def address(self, key: str, name: str = "") -> str:
        """Return a signed address that a browser can fetch for ``URL_HOURS``.

        Args:
            key: The object.
            name: File name for a download; empty to display the object instead.
        """
        extra: dict[str, str | list[str] | tuple[str]] = {}
        if name:
            extra["response-content-disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        return self.signer.presigned_get_object(
            bucket_name=self.bucket,
            object_name=key,
            expires=timedelta(hours=URL_HOURS),
            extra_query_params=extra,
        )

    def check(self) -> None:
        """Raise EngineUnreachable unless the bucket answers."""
        with _client_errors():
            if not self.client.bucket_exists(bucket_name=self.bucket):
                raise EngineUnreachable(
                    f"The object store has no bucket {self.bucket}: `shipdet jobs "
                    "prepare` creates it."
                )

    def size(self, key: str) -> int:
        """Return the size of an object in bytes; 0 if it is missing."""
        with _client_errors():
            return self._size(key) or 0

    def _size(self, key: str) -> int | None:
        try:
            return self.client.stat_object(bucket_name=self.bucket, object_name=key).size
        except S3Error as error:
            if error.code in MISSING:
                return None
            raise


def file_name(job: str, kind: str, key: str) -> str:
    """Return the name under which a browser saves a job's file of a kind, such as ``geojson``."""
    return f"{job}-{kind}{Path(key).suffix}"


def object_key(digest: str, suffix: str) -> str:
    """Return the key of content, such as ``objects/ab/abcd....tif``."""
    return f"{OBJECTS}/{digest[:2]}/{digest}{suffix}"


def media_type(key: str) -> str:
    """Return the media type of a key, by its suffix."""
    return MEDIA_TYPES.get(Path(key).suffix, "application/octet-stream")


def _client(address: str, settings: Settings, repeats: int) -> Minio:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineUnreachable("SHIPDET_S3 must be an address such as http://127.0.0.1:9000.")
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        retries=urllib3.Retry(total=repeats, backoff_factor=0.3, status_forcelist=(500, 502, 503)),
        maxsize=8,
    )
    return Minio(
        endpoint=parts.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        secure=parts.scheme == "https",
        region=settings.s3_region,
        http_client=pool,
    )


@contextmanager
def _client_errors() -> Iterator[None]:
    """Convert the client's errors to EngineUnreachable."""
    try:
        yield
    except S3Error as error:
        raise EngineUnreachable(
            f"The object store refused ({error.code}): check SHIPDET_S3, its keys and bucket."
        ) from error
    except (InvalidResponseError, MinioException, urllib3.exceptions.HTTPError) as error:
        raise EngineUnreachable(
            "The object store does not answer: check that it runs and that SHIPDET_S3 is right."
        ) from error
