"""Super-resolution of a mosaic, in overlapping blocks."""

from shipdet.upscale.steps import UpscaleOptions, upscale

__all__ = ["UpscaleOptions", "upscale"]
