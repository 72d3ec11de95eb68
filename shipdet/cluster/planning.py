"""From a job's message to the blocks that it needs, or the reason why it cannot be done."""

from shipdet import pipeline
from shipdet.cluster.blocks import Block, box_degrees, cut_area, largest_side
from shipdet.cluster.messages import JobMessage
from shipdet.errors import UnknownModel
from shipdet.imagery import get_provider, recommended_zoom
from shipdet.models import public_names
from shipdet.settings import Settings


def plan_job(message: JobMessage, settings: Settings) -> tuple[int, list[Block]]:
    """The zoom and the blocks of a job; fetches nothing.

    Raises what the pipeline would raise for the same area, but for its size: AreaTooLarge comes
    with the limit of blocks (``cluster_max_blocks``).
    """
    # A message comes from anybody: its model must be on the list before anything looks for it.
    for name in filter(None, (message.model, message.upscaler)):
        if name not in public_names(settings):
            raise UnknownModel(
                f"There is no model called '{name[:80]}' here: choose "
                f"{' or '.join(public_names(settings))}."
            )
    area = message.parsed_area
    provider = get_provider(message.provider or settings.provider, settings)
    zoom = message.zoom
    if zoom is None:
        zoom, _ = recommended_zoom(provider, area.box.center[1], message.passes)
    side = largest_side(settings.max_searched_pixels, message.passes)
    blocks = cut_area(area, zoom, settings.cluster_max_blocks, side)
    pipeline.estimate(message.request(box_degrees(blocks[0].box, zoom).as_tuple(), zoom), settings)
    return zoom, blocks
