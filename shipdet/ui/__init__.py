"""The web app: a Gradio Blocks page, its API and its server."""

import os

# Set before the first import of gradio, which otherwise looks up versions and reports launches.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from shipdet.extras import require

require("gradio", "gradio_folium", "folium", extra="app")

from shipdet.imagery.network import own_requests  # noqa: E402
from shipdet.ui.temporary_files import choose_temporary_folder  # noqa: E402

choose_temporary_folder()
with own_requests():  # gradio creates HTTP clients during its import
    from shipdet.ui.gradio_app import build_blocks
    from shipdet.ui.server import serve

__all__ = ["build_blocks", "serve"]
