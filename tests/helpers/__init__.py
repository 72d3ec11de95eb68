"""What tests share: painted seas, small models, local servers."""

from pathlib import Path

#: The repository's top folder.
PROJECT = Path(__file__).resolve().parents[2]
