"""A process that computes, and then forks, as multiprocessing does on Linux up to Python 3.13."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipdet.models import resolve
from shipdet.models.graphs import graph_file
from shipdet.settings import Settings

PROGRAM = """
import os
import numpy as np
from shipdet.models.loading import load_classifier

def scores():
    classifier = load_classifier(backend="{backend}", device="cpu")
    windows = np.random.default_rng(1).integers(0, 255, (4, classifier.window_px,
                                                          classifier.window_px, 3))
    return classifier.scores(windows.astype(np.uint8))

before = scores()
child = os.fork()
if child == 0:
    os._exit(0 if np.allclose(scores(), before, atol=1e-3) else 3)
assert os.waitpid(child, 0)[1] == 0
assert np.allclose(scores(), before)  # the parent goes on as before
"""


@pytest.fixture(scope="module")
def filled_cache(graph_cache):
    """One that has the graph of the classifier, so that the processes only read it."""
    settings = Settings(cache_dir=graph_cache)
    graph_file(resolve(settings.classifier, settings), "fp32", settings)
    return graph_cache


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("backend", ["torch", "onnx", "openvino"])
def test_a_forked_process_computes_too(filled_cache, tmp_path, backend):
    # Several threads, since it is the lost ones that a child would wait for.
    environment = os.environ | {
        "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).parents[2]),
        "SHIPDET_CACHE_DIR": str(filled_cache),
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(backend=backend)], env=environment, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
