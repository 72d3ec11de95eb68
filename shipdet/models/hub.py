"""Resolve a model's name to a checked local folder.

A name is a folder under ``settings.weights_dir``, a local folder, or ``owner/name[@revision]`` on
the Hugging Face hub. :func:`resolve` is for names from an operator or a shell user;
:func:`resolve_public` is for names from web visitors, who can choose listed models only.
"""

import hashlib
import math
import os
import re
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

HUB_FRESH_S = 600.0  # the newest commit of a repository is looked up no more often than this
_asked: dict[tuple[str | None, ...], float] = {}  # when (monotonic) each was requested last


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder in hub layout whose weights are those that its config.json describes.

    ``revision`` is the commit on the hub, None for a folder of this machine. ``sha256`` is that of
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
        """The safetensors file of the map head; None where the model has none."""
        block = self.config.shipdet
        has_map = isinstance(block, ClassifierBlock) and block.map is not None
        return self.path / MAP_WEIGHTS if has_map else None

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.config.shipdet.task


def resolve(name: str, settings: Settings, *, fetch: bool = True) -> ModelFolder:
    """Find a model by the name an operator or a shell user gave.

    ``fetch`` lets it be fetched from the hub when it is not on this machine.

    Raises:
        UnknownModel: nothing of that name is bundled, on this machine or to be had from the hub.
        BadModel: the folder is incomplete, corrupt, a pickle, or not what its config says.
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
    """Names that a visitor may choose: the bundled models and those the operator configured."""
    names = dict.fromkeys((*_bundled(settings), settings.classifier, settings.upscaler))
    return tuple(names)


def resolve_public(name: str, settings: Settings) -> ModelFolder:
    """Like :func:`resolve` for a visitor's string, which never becomes a path or a URL.

    Raises:
        UnknownModel: the name is not one of :func:`public_names`.
        BadModel: as for :func:`resolve`.
    """
    if name not in public_names(settings):
        raise UnknownModel(
            f"There is no model called '{name[:80]}' here: choose {_choice(settings)}."
        )
    return resolve(name, settings)


def list_models(settings: Settings, task: Task | None = None) -> list[ModelFolder]:
    """The sound bundled models, and the configured ones that are on this machine, by name.

    Nothing is fetched; a damaged folder is left out (:func:`resolve` says what is wrong with it).
    """
    models = []
    for name in public_names(settings):
        try:
            models.append(resolve(name, settings, fetch=False))
        except ShipdetError:
            continue
    return [model for model in models if task is None or model.task == task]


def _bundled(settings: Settings) -> list[str]:
    """Names of the folders under weights_dir that have a config.json."""
    found = settings.weights_dir.glob("*/config.json")
    return sorted(file.parent.name for file in found if _BUNDLED.fullmatch(file.parent.name))


def _choice(settings: Settings) -> str:
    return " or ".join(public_names(settings))


def _checked(path: Path, name: str, revision: str | None) -> ModelFolder:
    """The folder as a value, after its config, its file and the file's checksum were looked at."""
    weights = path / WEIGHTS
    if not weights.is_file():
        raise _without_weights(path, name)
    config = read_config(path)
    folder = ModelFolder(path, name, revision, config, config.shipdet.sha256)
    _check(weights, config.shipdet.sha256, name)
    block = config.shipdet
    if folder.map_weights is not None and isinstance(block, ClassifierBlock) and block.map:
        if not folder.map_weights.is_file():
            raise BadModel(f"{name} has no {MAP_WEIGHTS}: fetch or export the model again.")
        _check(folder.map_weights, block.map.sha256, name)
    return folder


def _check(file: Path, expected: str, name: str) -> None:
    """Compare a file's checksum with that of config.json."""
    digest = file_sha256(file)
    if digest != expected:
        raise BadModel(
            f"{file.name} of {name} is damaged or was exchanged (its sha256 begins {digest[:12]}, "
            f"config.json says {expected[:12]}): fetch or export the model again."
        )


def _without_weights(path: Path, name: str) -> BadModel:
    pickles = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLES)
    if pickles:
        return _pickle(f"{name} holds {pickles[0]},")
    return BadModel(f"{name} has no {WEIGHTS}, so it is not a usable model folder.")


def _pickle(what: str) -> BadModel:
    return BadModel(
        f"{what} a format that can carry code and is never loaded: convert it to a folder with "
        f"config.json and {WEIGHTS} first."
    )


def file_sha256(file: Path) -> str:
    """Hex digest of a file, remembered until its size or time of change is another."""
    state = file.stat()
    return _sha256(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(file: Path, size: int, changed_ns: int) -> str:
    """Hex digest of a file; size and time of change are there to notice another content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(repo: str, revision: str | None, settings: Settings, fetch: bool) -> tuple[Path, str]:
    """Snapshot of a hub repository (from the cache when the hub is away) and its commit.

    Every estimate on the page comes by here, so the cache answers as well while it is fresh.
    """
    # Imported here: it costs half a second that a bundled model does not need.
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
    fresh = time.monotonic() - _asked.get(key, -math.inf) < HUB_FRESH_S
    try:
        folder = snapshot_download(
            repo,
            revision=revision,
            cache_dir=cache,
            allow_patterns=list(HUB_FILES),
            local_files_only=fresh or not fetch,
            etag_timeout=settings.timeout_s,
            user_agent=settings.user_agent,
            # The library reads it when it is imported; a mirror may be set later than that.
            endpoint=endpoint,
        )
    except GatedRepoError:
        raise UnknownModel(
            f"{repo} wants its terms accepted: do so on its page on the hub and set HF_TOKEN."
        ) from None
    except RevisionNotFoundError:
        raise UnknownModel(f"{repo} has no revision called '{revision}' on the hub.") from None
    except RepositoryNotFoundError:
        raise UnknownModel(
            f"The hub has no model {repo}, or it is private: check the name, or set HF_TOKEN."
        ) from None
    except HFValidationError:
        raise UnknownModel(f"'{repo[:80]}' is not a name that the hub allows.") from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError):
        if fresh and fetch:  # somebody has emptied the cache meanwhile
            _asked.pop(key, None)
            return _download(repo, revision, settings, fetch)
        raise UnknownModel(
            f"{wanted} is not on this machine and the Hugging Face hub does not answer: try again "
            f"with a network, give a local folder, or choose {_choice(settings)}."
        ) from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        raise UnknownModel(
            f"The hub answered {code} for {wanted}: try again later, or choose {_choice(settings)}."
        ) from None
    except OSError as error:
        raise StorageFull(
            f"{wanted} cannot be kept in {settings.cache_dir} ({error.strerror or error}): "
            "make room, or choose another SHIPDET_CACHE_DIR."
        ) from None
    if fetch and not fresh:
        _asked[key] = time.monotonic()
    path = Path(folder)
    return path, path.name
