"""Helpers of the export commands: error reporting and writing config.json."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shipdet.errors import ShipdetError


def run(main: Callable[[], None]) -> None:
    """Run a command; on a `ShipdetError`, print its message and exit with status 2."""
    try:
        main()
    except ShipdetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def write_config(folder: Path, raw: dict[str, Any]) -> None:
    """Write a folder's config.json with indentation."""
    (folder / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
