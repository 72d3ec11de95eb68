"""The map of water, land and hulls lies on the image."""

import numpy as np
import rasterio
from PIL import Image

from shipdet.geometry import Grid
from shipdet.report import write_map

#: Size of an image in network pixels, of which 8 make up a cell.
WIDTH, HEIGHT, CELL = 1001, 165, 8
UTM = Grid(2002, 330, 1.5, 1.5, "EPSG:32631", (1.5, 0, 5e5, 0, -1.5, 5.7e6), lambda xy: xy)


def test_a_map_ends_where_its_image_ends(tmp_path):
    layers = np.zeros((21, 126, 3), np.uint8)
    layers[..., 0] = 255
    layers[18:20, 120:122] = (0, 0, 255)  # network pixels 960 to 976, and 144 to 160
    write_map(tmp_path, layers, (WIDTH / CELL, HEIGHT / CELL), UTM)
    with rasterio.open(tmp_path / "map.tif") as file:
        west, south, east, north = file.bounds
        (_, _, hull) = next(file.sample([(5e5 + 3 * 968, 5.7e6 - 3 * 152)]))
    assert np.allclose([west, south, east, north], [5e5, 5.7e6 - 495, 5e5 + 3003, 5.7e6])
    assert hull == 255
    _, columns = np.nonzero(np.asarray(Image.open(tmp_path / "map.png"))[..., 0] > 200)
    assert abs((columns.mean() + 0.5) * WIDTH / 126 - 968) <= CELL / 2


def test_a_probability_of_zero_is_data(tmp_path):
    layers = np.zeros((4, 6, 3), np.uint8)
    layers[:, :3] = (255, 0, 0)
    write_map(tmp_path, layers, (6.0, 4.0), UTM)
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.nodata is None
        for band in (1, 2, 3):
            assert (file.read_masks(band) > 0).tolist() == [[True] * 3 + [False] * 3] * 4
