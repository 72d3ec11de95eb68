"""Entry point of the Hugging Face Space, and of ``python app.py``."""

import sys

from shipdet.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
