"""The command ``shipdet``: detect, download, runs, providers, models, serve, jobs.

Progress goes to standard error (a bar on a terminal, plain lines otherwise), results to standard
output. Exit codes: 0 done, 1 something failed on the way, 2 bad input, 130 interrupted,
143 terminated.
"""

from shipdet.cli.main import main

__all__ = ["main"]
