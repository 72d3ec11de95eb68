"""What all runtimes of ONNX graphs share."""

import numpy as np

from shipdet.models.graph_runtime import Graph
from shipdet.models.runtime import BackendInfo


class Overflowing(Graph):
    """A graph whose mean is not finite in float16; records its inputs."""

    def __init__(self, device="cpu"):
        self.opened, self.batch_sizes = [], []
        super().__init__(device, "fp16")

    @property
    def backend(self):
        return BackendInfo("onnx", self.device, "none", self.precision)

    def open(self):
        self.opened.append(self.precision)

    def compute(self, pixels):
        self.batch_sizes.append(len(pixels))
        mean = np.float32(np.nan if self.precision == "fp16" else pixels.mean())
        return [pixels[:, ::2], mean]


def test_half_precision_that_overflows_is_done_again_in_float32(picture):
    graph = Overflowing()
    pixels = picture(1, 8, 8)
    half, mean = graph.run(pixels)
    assert graph.opened == ["fp16", "fp32"]
    assert graph.backend.precision == "fp32"
    np.testing.assert_array_equal(half, pixels[:, ::2])
    assert mean == np.float32(pixels.mean())
    graph.run(pixels)
    assert graph.opened == ["fp16", "fp32"], "it stays in float32"


def test_a_last_batch_is_filled_up_on_cuda_only(picture):
    pixels = picture(5, 8, 8)
    for device, sizes in (("cpu", [2, 2, 1]), ("cuda", [2, 2, 2])):
        graph = Overflowing(device)
        graph.precision = "fp32"
        outputs = graph.batches(pixels, 2)
        assert graph.batch_sizes == sizes
        np.testing.assert_array_equal(np.concatenate([out[0] for out in outputs]), pixels[:, ::2])
