"""The zoom and the blocks of a job."""

from shipdet import pipeline
from shipdet.areas import Area
from shipdet.cluster.jobs.blocks import Block, WindowGrid, box_degrees, cut_area, largest_side
from shipdet.cluster.jobs.message import JobMessage
from shipdet.errors import BadJob, BadModel, UnknownModel
from shipdet.geometry import Grid, pixel_box
from shipdet.imagery import get_provider
from shipdet.imagery.tile_plan import check_zoom
from shipdet.models import ClassifierConfig, public_names, resolve_public
from shipdet.pipeline.choosing import model_zoom
from shipdet.settings import Settings

#: In network pixels: a multiple of every model's cell, so that the cells of a block coincide with
#: those of the whole image.
STEP_PX = 64


def plan_job(message: JobMessage, settings: Settings) -> tuple[int, list[Block]]:
    """Plan a job, without a download.

    Args:
        message: The request.
        settings: Defaults and limits.

    Returns:
        The zoom, and the blocks in order.

    Raises:
        AreaTooLarge: The area needs more than ``cluster_max_blocks`` blocks.
        BadJob: The provider needs an acquisition.
        UnknownModel: The model is not in the list.
        ShipdetError: The pipeline rejects the request.
    """
    # Anyone may send a message, so only listed models are accepted.
    for name in filter(None, (message.model, message.upscaler)):
        if name not in public_names(settings):
            raise UnknownModel(
                f"There is no model called '{name[:80]}' here: choose "
                f"{' or '.join(public_names(settings))}."
            )
    area = message.parsed_area
    provider = get_provider(message.provider or settings.provider, settings)
    if provider.kind == "stac" and not message.acquisition:
        raise BadJob(
            f"A job with {provider.id} needs the id of an acquisition (`shipdet acquisitions` "
            "lists them): otherwise each block could be of a different day."
        )
    config = _config(message, settings)
    zoom = message.zoom
    if zoom is None:
        latitude = area.box.center[1]
        zoom, _ = model_zoom(provider, latitude, config, message.passes)
    side = largest_side(settings.max_searched_pixels, message.passes)
    zoom = check_zoom(zoom, provider)
    window_grid = _window_grid(area, zoom, config)
    blocks = cut_area(area, zoom, settings.cluster_max_blocks, side, window_grid)
    pipeline.estimate(message.request(box_degrees(blocks[0].box, zoom).as_tuple(), zoom), settings)
    return zoom, blocks


def _config(message: JobMessage, settings: Settings) -> ClassifierConfig:
    config = resolve_public(message.model or settings.classifier, settings).config
    if not isinstance(config, ClassifierConfig):
        raise BadModel(f"{message.model or settings.classifier} is not a ship classifier.")
    return config


def _window_grid(area: Area, zoom: int, config: ClassifierConfig) -> WindowGrid:
    """Return the image pixels, in x and y, of a step of ``STEP_PX`` network pixels.

    The two differ slightly, because the detector resamples an image to whole network pixels.
    """
    whole = pixel_box(area.box, zoom)
    gsd_m = Grid.from_tiles(whole, zoom).gsd_m
    network_px = gsd_m / config.network_gsd_m(gsd_m)
    return (
        STEP_PX * whole.width / max(1, round(whole.width * network_px)),
        STEP_PX * whole.height / max(1, round(whole.height * network_px)),
    )
