"""``python -m shipdet``."""

import sys

from shipdet.cli import main

sys.exit(main())
