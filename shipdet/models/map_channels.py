"""Channels of the map head; imports no PyTorch, so that every module may import it."""

from shipdet.errors import BadModel

#: Side of a cell of the map, in network pixels.
MAP_STRIDE_PX = 4
#: Channels of the map, in order: logits of a ship's center, of a hull and of water (versus land
#: or structures); offset of the center from the middle of the cell, in cells; natural logarithms
#: of length and width in network pixels; cosine and sine of twice the angle of the axis, from +x
#: towards +y (down).
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
    """Return the error for a search with a classifier that has no map head."""
    return BadModel(
        "This model is a classifier without a map head, so it cannot search an image: choose "
        "another model, or train a map head for it."
    )
