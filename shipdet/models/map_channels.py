"""Channels of the map head; imports no PyTorch, so that every module may import it."""

from shipdet.errors import BadModel

#: Network pixels along a side of one cell of the map.
MAP_STRIDE_PX = 4
#: What the map says of each cell, in the order of its channels: logits of a ship's center, of a
#: hull and of water (against land or built); the offset of the center from the cell's middle in
#: cells; natural logarithms of length and width in network pixels; cosine and sine of twice the
#: angle of the axis, from +x towards +y (down).
MAP_CHANNELS = (
    "center",
    "hull",
    "water",
    "dx",
    "dy",
    "log_length",
    "log_width",
    "cos2",
    "sin2",
)


def no_map_head() -> BadModel:
    """The error of a classifier that is asked to search."""
    return BadModel(
        "This model is a classifier of windows without a map head, so it cannot search an "
        "image: choose another model, or train a map head for it."
    )
