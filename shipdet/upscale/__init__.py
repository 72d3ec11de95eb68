"""Super-resolution of a mosaic, in overlapping blocks."""

from shipdet.upscale.focus import Focus
from shipdet.upscale.steps import UpscaleOptions, count_enlarged, upscale

__all__ = ["Focus", "UpscaleOptions", "count_enlarged", "upscale"]
