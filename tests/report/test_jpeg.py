"""A JPEG that is written in strips."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from shipdet.report.jpeg import STRIP_PX, JpegStrips
from shipdet.report.raster import write_picture
from tests.helpers.painted import sea


def in_strips(pixels, quality):
    stream = io.BytesIO()
    jpeg = JpegStrips(stream, len(pixels), quality)
    for top in range(0, len(pixels), STRIP_PX):
        jpeg.write(pixels[top : top + STRIP_PX])
    return stream.getvalue()


@pytest.mark.parametrize("quality", [75, 95])  # colour at half and at full resolution
@pytest.mark.parametrize("height", [1, 7, STRIP_PX, STRIP_PX + 1, 2 * STRIP_PX, 1300])
@pytest.mark.parametrize("width", [1, 333])
def test_strips_add_up_to_the_picture_that_pillow_writes(tmp_path, width, height, quality):
    pixels = sea(width, height, noise=40)
    pixels[:, width // 2 :, 0] = 200  # an edge in colour
    written = np.asarray(Image.open(io.BytesIO(in_strips(pixels, quality))))
    write_picture(tmp_path / "whole.jpg", pixels, quality)
    whole = np.asarray(Image.open(tmp_path / "whole.jpg"))
    assert written.shape == (height, width, 3)
    # The rows on both sides of a strip's edge may share their colours' smoothing.
    inner = [y for y in range(height) if 0 < y % STRIP_PX < STRIP_PX - 1 or height <= STRIP_PX]
    np.testing.assert_array_equal(written[inner], whole[inner])
    assert np.abs(written.astype(int) - whole).mean() < 0.1


def test_another_decoder_reads_the_same():
    data = in_strips(sea(300, 1100, noise=20), 90)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB).astype(int)
    assert np.abs(read - np.asarray(Image.open(io.BytesIO(data)))).mean() < 0.5
