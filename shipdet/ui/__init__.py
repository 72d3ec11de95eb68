"""The web app: Gradio Blocks page, its API, and the server around them."""

import os

# Before gradio is imported anywhere: it looks up versions and reports launches otherwise.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from shipdet.extras import require

require("gradio", "gradio_folium", "folium", extra="app")

from shipdet.ui.gradio_app import build_blocks  # noqa: E402
from shipdet.ui.server import serve  # noqa: E402

__all__ = ["build_blocks", "serve"]
