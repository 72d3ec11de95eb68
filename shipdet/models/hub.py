"""Resolve a model's name to a checked local folder.

A name is a folder under ``settings.weights_dir``, a local folder, or ``owner/name[@revision]`` on
the Hugging Face hub. :func:`resolve` is for names from an operator or a shell user;
:func:`resolve_public` is for names from web visitors, who can choose listed models only.
"""

import hashlib
import math
import os
import re
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shipdet.errors import BadModel, ShipdetError, StorageFull, UnknownModel
from shipdet.models.config import ClassifierBlock, ModelConfig, Task, read_config
from shipdet.models.graph_format import INT8_FILES
from shipdet.settings import Settings

WEIGHTS = "model.safetensors"
MAP_WEIGHTS = "map_head.safetensors"
HUB_FILES = ("config.json", WEIGHTS, MAP_WEIGHTS, "README.md", "onnx/*.onnx", *INT8_FILES)

_BUNDLED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[A-Za-z0-9][\w./-]*))?",
    re.ASCII,
)
_PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".pkl")

HUB_FRESH_S = 600.0  # least time between lookups of a repository's newest commit
_looked_up: dict[tuple[str | None, ...], float] = {}  # monotonic time of the last lookup


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder in hub layout whose weights match its config.json.

    ``revision`` is the commit on the hub; None for a local folder. ``sha256`` is the digest of
    model.safetensors.
    """

    path: Path
    name: str
    revision: str | None
    config: ModelConfig
    sha256: str

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.path / WEIGHTS

    @property
    def map_weights(self) -> Path | None:
        """The safetensors file of the map head; None without a map head."""
        return self.path / MAP_WEIGHTS if self.map_sha256 else None

    @property
    def map_sha256(self) -> str | None:
        """The digest of the map head's file; None without a map head."""
        block = self.config.shipdet
        if isinstance(block, ClassifierBlock) and block.map is not None:
            return block.map.sha256
        return None

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.config.shipdet.task


def resolve(name: str, settings: Settings, *, fetch: bool = True) -> ModelFolder:
    """Find a model by a name from an operator or a shell user.

    ``fetch`` allows a download from the hub.

    Raises:
        UnknownModel: No model of this name is bundled, on this machine or on the hub.
        BadModel: The folder is incomplete or corrupt, has only a pickle, or does not match its
            config.
    """
    name = name.strip()
    if _BUNDLED.fullmatch(name) and (settings.weights_dir / name).is_dir():
        return _checked(settings.weights_dir / name, name, None)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return _checked(folder.resolve(), name, None)
    if folder.suffix.lower() in _PICKLES:
        raise _pickle(f"{name} is")
    found = _HUB.fullmatch(name)
    if found is None:
        raise UnknownModel(
            f"There is no model called '{name[:80]}': choose {_choice(settings)}, give a folder, "
            "or owner/name of the Hugging Face hub."
        )
    path, revision = _download(found["repo"], found["revision"], settings, fetch)
    return _checked(path, name, revision)


def public_names(settings: Settings) -> tuple[str, ...]:
    """Return the names that a visitor may choose: the bundled and the configured models."""
    names = dict.fromkeys((*_bundled(settings), settings.classifier, settings.upscaler))
    return tuple(names)


def resolve_public(name: str, settings: Settings) -> ModelFolder:
    """Like :func:`resolve` for a visitor's string, which never becomes a path or a URL.

    Raises:
        UnknownModel: The name is not one of :func:`public_names`.
        BadModel: As for :func:`resolve`.
    """
    if name not in public_names(settings):
        raise UnknownModel(
            f"There is no model called '{name[:80]}' here: choose {_choice(settings)}."
        )
    return resolve(name, settings)


def list_models(settings: Settings, task: Task | None = None) -> list[ModelFolder]:
    """List the bundled and the configured models that are usable on this machine.

    Downloads nothing. Damaged folders are omitted; :func:`resolve` reports what is wrong.
    """
    models = []
    for name in public_names(settings):
        try:
            models.append(resolve(name, settings, fetch=False))
        except ShipdetError:
            continue
    return [model for model in models if task is None or model.task == task]


def _bundled(settings: Settings) -> list[str]:
    """Return the names of the folders in weights_dir that have a config.json."""
    found = settings.weights_dir.glob("*/config.json")
    return sorted(file.parent.name for file in found if _BUNDLED.fullmatch(file.parent.name))


def _choice(settings: Settings) -> str:
    return " or ".join(public_names(settings))


def _checked(path: Path, name: str, revision: str | None) -> ModelFolder:
    """Check the config and the files of a folder against their checksums, and return it."""
    weights = path / WEIGHTS
    if not weights.is_file():
        raise _without_weights(path, name)
    config = read_config(path)
    folder = ModelFolder(path, name, revision, config, config.shipdet.sha256)
    _check(weights, config.shipdet.sha256, name)
    if folder.map_weights is not None and folder.map_sha256 is not None:
        if not folder.map_weights.is_file():
            raise BadModel(f"{name} has no {MAP_WEIGHTS}: fetch or export the model again.")
        _check(folder.map_weights, folder.map_sha256, name)
    return folder


def _check(file: Path, expected: str, name: str) -> None:
    """Compare a file's checksum with that of config.json."""
    digest = file_sha256(file)
    if digest != expected:
        raise BadModel(
            f"{file.name} of {name} is damaged or was replaced (its sha256 begins {digest[:12]}, "
            f"config.json says {expected[:12]}): fetch or export the model again."
        )


def _without_weights(path: Path, name: str) -> BadModel:
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLES)
    if pickles:
        return _pickle(f"{name} contains {pickles[0]},")
    return BadModel(f"{name} has no {WEIGHTS}, so it is not a usable model folder.")


def _pickle(what: str) -> BadModel:
    return BadModel(
        f"{what} a pickle, which can run code and is never loaded: convert it to a folder with "
        f"config.json and {WEIGHTS} first."
    )


def file_sha256(file: Path) -> str:
    """Return the hex digest of a file, cached until its size or modification time changes."""
    state = file.stat()
    return _sha256(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(file: Path, size: int, changed_ns: int) -> str:
    """Return the hex digest of a file; size and modification time are keys of the cache."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(repo: str, revision: str | None, settings: Settings, fetch: bool) -> tuple[Path, str]:
    """Return the snapshot of a hub repository and its commit.

    The cache is used if the hub does not answer, or if it is fresh, since every estimate calls
    this function.
    """
    # The import takes half a second, which bundled models do not need.
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = f"{repo}@{revision}" if revision else repo
    endpoint = os.environ.get("HF_ENDPOINT")
    cache = settings.cache_dir / "hub"
    key = (repo, revision, endpoint, str(cache))
    fresh = time.monotonic() - _looked_up.get(key, -math.inf) < HUB_FRESH_S
    try:
        folder = snapshot_download(
            repo,
            revision=revision,
            cache_dir=cache,
            allow_patterns=list(HUB_FILES),
            local_files_only=fresh or not fetch,
            etag_timeout=settings.timeout_s,
            user_agent=settings.user_agent,
            # The library reads HF_ENDPOINT when it is imported; it may be set later.
            endpoint=endpoint,
        )
    except GatedRepoError:
        raise UnknownModel(
            f"{repo} requires accepting its terms: do so on its page on the hub and set HF_TOKEN."
        ) from None
    except RevisionNotFoundError:
        raise UnknownModel(f"{repo} has no revision called '{revision}' on the hub.") from None
    except RepositoryNotFoundError:
        raise UnknownModel(
            f"The hub has no model {repo}, or it is private: check the name, or set HF_TOKEN."
        ) from None
    except HFValidationError:
        raise UnknownModel(f"'{repo[:80]}' is not a valid name on the hub.") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError):
        if fresh and fetch:  # the cache was emptied
            _looked_up.pop(key, None)
            return _download(repo, revision, settings, fetch)
        raise UnknownModel(
            f"{wanted} is not on this machine and the Hugging Face hub does not answer: check "
            f"the network, give a local folder, or choose {_choice(settings)}."
        ) from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        raise UnknownModel(
            f"The hub answered {code} for {wanted}: try again later, or choose {_choice(settings)}."
        ) from None
    except OSError as error:
        variable = next((n for n in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(n)), "")
        unreadable = isinstance(error, ssl.SSLError)
        if variable and (unreadable or not Path(os.environ[variable]).exists()):
            raise UnknownModel(
                f"{wanted} cannot be downloaded because {variable} names certificates that cannot "
                "be read: correct the variable or remove it."
            ) from None
        raise StorageFull(
            f"{wanted} cannot be kept in {settings.cache_dir} ({error.strerror or error}): "
            "free disk space, or set SHIPDET_CACHE_DIR."
        ) from None
    if fetch and not fresh:
        _looked_up[key] = time.monotonic()
    path = Path(folder)
    return path, path.name
