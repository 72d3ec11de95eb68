"""The web app: Gradio Blocks page, its API, and the server around them."""

import os

# Before gradio is imported anywhere: it looks up versions and reports launches otherwise.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from shipdet.extras import require

require("gradio", "gradio_folium", "folium", extra="app")

from shipdet.imagery.network import own_requests  # noqa: E402
from shipdet.ui.temporary_files import choose_temporary_folder  # noqa: E402

choose_temporary_folder()
with own_requests():  # gradio makes clients while it is imported
    from shipdet.ui.gradio_app import build_blocks
    from shipdet.ui.server import serve

__all__ = ["build_blocks", "serve"]
