"""What the three commands share: errors as one sentence, config.json kept as it was written."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shipdet.errors import ShipdetError


def run(main: Callable[[], None]) -> None:
    """Run a command; exit with 2 and one sentence when the user can do something about it."""
    try:
        main()
    except ShipdetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def write_config(folder: Path, raw: dict[str, Any]) -> None:
    """Write a folder's config.json as people read it."""
    (folder / "config.json").write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
