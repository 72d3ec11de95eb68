"""The folder of gradio's uploads and temporary results."""

import logging
import os
import tempfile
from pathlib import Path

import platformdirs

from shipdet.errors import StorageFull
from shipdet.settings import user_folder

VARIABLE = "GRADIO_TEMP_DIR"

log = logging.getLogger(__name__)


def choose_temporary_folder() -> None:
    """Set GRADIO_TEMP_DIR to the user's cache folder if gradio's own choice is not writable.

    Gradio's choice is GRADIO_TEMP_DIR or ``gradio`` in the system's temporary folder, which
    belongs to the user who started a gradio app first. Gradio reads the variable at its import.

    Raises:
        StorageFull: Neither folder is writable.
    """
    chosen = os.environ.get(VARIABLE) or Path(tempfile.gettempdir(), "gradio")
    reason = _obstacle(Path(chosen))
    if not reason:
        return
    own = user_folder(platformdirs.user_cache_path) / "gradio"
    if _obstacle(own):
        raise StorageFull(
            f"The app's temporary folder {chosen} cannot be written ({reason}): set {VARIABLE} to "
            "a folder that this user can write to."
        )
    log.warning("%s cannot be written (%s): temporary files are kept in %s", chosen, reason, own)
    os.environ[VARIABLE] = str(own)


def _obstacle(folder: Path) -> str:
    """Return why a folder cannot be written; "" if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
