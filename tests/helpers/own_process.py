"""Memory is measured in processes of their own, where nothing else has taken or kept any."""

import json
import os
import subprocess
import sys

from tests.helpers import PROJECT

#: What is freed goes back to the system at once, so that what stays is held and not kept by glibc.
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}


def last_said(code, *arguments, **environment):
    """The JSON in the last line that Python prints for ``-m module`` or ``-c statements``."""
    command = [sys.executable, *code, *map(str, arguments)]
    ran = subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, check=True, capture_output=True
    )
    return json.loads(ran.stdout.splitlines()[-1])
