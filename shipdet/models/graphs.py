"""The ONNX file of a model: shipped with it, or exported once to the cache folder.

All runtimes except PyTorch read it; :mod:`shipdet.models.onnx_graph` describes its contents.
"""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from shipdet.errors import StorageFull
from shipdet.extras import require
from shipdet.models.config import ClassifierConfig
from shipdet.models.graph_format import FILES, GRAPH, INT8_FILES, OPSET, Format
from shipdet.models.hub import ModelFolder, file_sha256
from shipdet.settings import Settings


def graph_file(folder: ModelFolder, precision: Format, settings: Settings) -> Path:
    """Return the ONNX file of a model; it is exported to the cache folder if none is shipped.

    A shipped file is used only if config.json has its sha256 and those of the exported weights, and
    its graph has the version of this code.

    Raises:
        MissingExtra: The file must be exported, and the package onnx is not installed.
        StorageFull: The cache folder is not writable.
    """
    config = folder.config
    shipped = folder.path / FILES[precision]
    entry = config.shipdet.onnx.get(FILES[precision])
    if entry is not None:
        ours = (entry.weights_sha256, entry.map_sha256, entry.graph)
        if (
            ours == (folder.sha256, folder.map_sha256, GRAPH)
            and shipped.is_file()
            and file_sha256(shipped) == entry.sha256
        ):
            return shipped
    # The graph also depends on the architecture and the normalization or parameters.
    rest: object
    if isinstance(config, ClassifierConfig):
        rest = (config.pretrained_cfg, config.cell_px, config.margin_cells, folder.map_sha256)
    else:
        rest = config.params
    key = f"{folder.sha256} {config.architecture} {rest!r} {GRAPH} {OPSET}"
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    made = settings.cache_dir / "onnx" / name / Path(FILES[precision]).name
    if made.is_file():
        with suppress(OSError):
            os.utime(made)  # so that _drop_unused keeps it
    else:
        _drop_unused(settings)
        require("onnx", extra="onnx")  # PyTorch's exporter imports it
        from shipdet.models.onnx_graph import write_graph

        try:
            write_graph(folder.config, folder.weights, made, precision, folder.map_weights)
        except OSError as error:
            raise StorageFull(
                f"The ONNX file of {folder.name} cannot be written to {made.parent} "
                f"({error.strerror}): free disk space or set SHIPDET_CACHE_DIR."
            ) from None
    return made


def int8_file(folder: ModelFolder) -> Path | None:
    """Return the 8-bit graph of a model; None unless config.json has the digests of its files."""
    config = folder.config
    if not isinstance(config, ClassifierConfig) or config.shipdet.map is None:
        return None
    entry = config.shipdet.int8
    if entry is None or entry.weights_sha256 != (folder.sha256, config.shipdet.map.sha256):
        return None
    files = [folder.path / name for name in INT8_FILES]
    sound = all(
        file.is_file() and file_sha256(file) == entry.sha256.get(name)
        for name, file in zip(INT8_FILES, files, strict=True)
    )
    return files[0] if sound else None


def _drop_unused(settings: Settings) -> None:
    """Remove exported files that have been unused for as long as tiles are kept."""
    oldest = time.time() - settings.cache_days * 86400
    for file in settings.cache_dir.glob("onnx/*/*.onnx"):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
