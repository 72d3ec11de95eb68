"""Scenes are measured with weights that were never shown them.

The labelled satellite scenes are too few to keep any of them from the shipped weights, so these
have seen all. Beside them, `training/folds/<model>/` holds models of the same recipe, each trained
without some scenes, and `folds.json` says which:

    {"planet-scenes/scene_1.jpg": "a", "planet-scenes/scene_2.jpg": "b"}

What is said of a scene comes from the model that it was held out from.
"""

from __future__ import annotations

import json
from pathlib import Path

from shipdet.models import load_classifier
from shipdet.models.runtime import Classifier
from training.paths import FOLDS


class Judges:
    """Who scores which scene.

    Args:
        model: the folder of the shipped weights; scenes that none of its folds held out are
            scored by it, and so is every scene when it has no folds.
        folds: where models of folds are kept.
    """

    def __init__(self, model: Path, folds: Path = FOLDS) -> None:
        self.model = model
        self.root = folds / model.name
        index = self.root / "folds.json"
        self.held_out: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
        self.loaded: dict[Path, Classifier] = {}

    def folder(self, scene: str) -> Path:
        """The model folder that scores a scene of this name."""
        fold = self.held_out.get(scene)
        return self.model if fold is None else self.root / fold

    def folders(self) -> list[Path]:
        """The shipped model's folder and those of its folds."""
        return [self.model, *(self.root / fold for fold in sorted(set(self.held_out.values())))]

    def classifier(self, scene: str = "") -> Classifier:
        """The model that scores a scene of this name, loaded once; without a name, the shipped."""
        folder = self.folder(scene)
        if folder not in self.loaded:
            self.loaded[folder] = load_classifier(str(folder))
        return self.loaded[folder]
