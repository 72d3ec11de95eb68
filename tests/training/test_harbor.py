"""The harbor that the package serves is the one that the renderer draws."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from shipdet.imagery import sample
from training.harbor.__main__ import truth, write
from training.harbor.scene import render

SERVED = Path(sample.__file__).parent


def test_the_served_truth_is_that_of_the_renderer():
    served, drawn = json.loads((SERVED / "harbor.json").read_text()), truth()
    ships = served.pop("ships"), drawn.pop("ships")
    assert served == drawn
    for one, other in zip(*ships, strict=True):
        assert one == pytest.approx(other), "but for the last bit of a processor's arithmetic"


def test_the_served_picture_is_that_of_the_renderer(tmp_path):
    scene = render()
    write(scene, tmp_path)
    served = cv2.imread(str(SERVED / "harbor.jpg"))[..., ::-1]
    assert served.shape == scene.shape
    difference = np.abs(served.astype(np.int16) - scene)
    assert difference.mean() < 2  # the noise of the drawn sensor is 2
    assert (tmp_path / "harbor.jpg").stat().st_size < 4e6
