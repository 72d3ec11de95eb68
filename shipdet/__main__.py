"""``python -m shipdet``, the same as the command ``shipdet``."""

import sys

from shipdet.cli import main

sys.exit(main())
