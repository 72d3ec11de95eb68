"""Folders that training reads from and writes to."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LABELS = REPOSITORY / "training" / "labels"
CONFIGS = REPOSITORY / "training" / "configs"
WEIGHTS = REPOSITORY / "weights"
FOLDS = REPOSITORY / "training" / "folds"


def data_root() -> Path:
    """Return the folder of image sets: SHIPDET_DATA, or ../shared/data beside the repository."""
    named = os.environ.get("SHIPDET_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"
