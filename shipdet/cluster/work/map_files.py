"""One map file from the GeoTIFFs of the blocks: a VRT that lists them, or a COG."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np

from shipdet.cluster.engines.objects import OBJECTS, ObjectStore
from shipdet.cluster.jobs.blocks import Block
from shipdet.geometry import Grid, PixelBox
from shipdet.progress import Progress, Steps
from shipdet.report.folder import storage_errors
from shipdet.report.raster import COG, check_complete, copy_raster, gdal_writing, raster_profile

Keys = Sequence[tuple[Block, str]]


def write_vrt(path: Path, grid: Grid, whole: PixelBox, keys: Keys) -> None:
    """Write a GDAL virtual raster whose sources are objects of the store.

    Open it as ``/vsis3/BUCKET/objects/...vrt`` or from a copy of the bucket.
    """
    root = ElementTree.Element(
        "VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height)
    )
    ElementTree.SubElement(root, "SRS").text = grid.crs
    a, b, c, d, e, f = grid.transform
    ElementTree.SubElement(root, "GeoTransform").text = ", ".join(
        repr(value) for value in (c, a, b, f, d, e)
    )
    for number, color in enumerate(("Red", "Green", "Blue"), start=1):
        band = ElementTree.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        ElementTree.SubElement(band, "ColorInterp").text = color
        _add_sources(band, str(number), whole, keys)
    mask = ElementTree.SubElement(root, "MaskBand")
    band = ElementTree.SubElement(mask, "VRTRasterBand", dataType="Byte")
    _add_sources(band, "mask,1", whole, keys)
    ElementTree.ElementTree(root).write(path)


def _add_sources(band: ElementTree.Element, name: str, whole: PixelBox, keys: Keys) -> None:
    for block, key in keys:
        source = ElementTree.SubElement(band, "SimpleSource")
        file = ElementTree.SubElement(source, "SourceFilename", relativeToVRT="1")
        # The VRT is in a subfolder named by two digits, like all objects.
        file.text = str(PurePosixPath("..") / PurePosixPath(key).relative_to(OBJECTS))
        ElementTree.SubElement(source, "SourceBand").text = name
        core, box = block.core, block.box
        for tag, origin in (("SrcRect", box), ("DstRect", whole)):
            ElementTree.SubElement(
                source,
                tag,
                xOff=str(core.x0 - origin.x0),
                yOff=str(core.y0 - origin.y0),
                xSize=str(core.width),
                ySize=str(core.height),
            )


def write_joined_geotiff(
    path: Path, grid: Grid, whole: PixelBox, keys: Keys, objects: ObjectStore, copyright_text: str
) -> Steps[None]:
    """Write the cores of all blocks as one COG, one block in memory at a time."""
    import rasterio
    from rasterio.windows import Window

    raw, part = path.with_suffix(".raw.tif"), path.with_suffix(".part.tif")
    profile = raster_profile(grid) | {"tiled": True, "sparse_ok": True, "bigtiff": "IF_SAFER"}
    with storage_errors(path.parent), gdal_writing(path, grid):
        with rasterio.open(raw, "w", **profile) as joined:
            joined.update_tags(TIFFTAG_COPYRIGHT=copyright_text)
            for number, (block, key) in enumerate(keys, start=1):
                objects.get_file(key, part)
                core, box = block.core, block.box
                size = (core.width, core.height)
                here = Window(core.x0 - box.x0, core.y0 - box.y0, *size)
                there = Window(core.x0 - whole.x0, core.y0 - whole.y0, *size)
                with rasterio.open(part) as source:
                    joined.write(source.read(window=here), window=there)
                    mask = source.dataset_mask(window=here)
                joined.write_mask(np.asarray(mask, np.bool_), window=there)
                yield Progress("report", number, len(keys), "blocks", "joining GeoTIFFs")
        check_complete(raw)
        copy_raster(raw, path, **COG)
    raw.unlink()
    part.unlink()
