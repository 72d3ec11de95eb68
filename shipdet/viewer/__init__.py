"""The pages of runs: viewer, history and comparison, as routes for any Starlette app.

The pages are static files in ``static/``. They read and change runs through the JSON endpoints of
``routes.py``, which other programs can also call.
"""

from shipdet.extras import require

require("starlette", "uvicorn", extra="app")

from shipdet.viewer.live_searches import Running, running_runs  # noqa: E402
from shipdet.viewer.routes import viewer_routes  # noqa: E402
from shipdet.viewer.standalone import review  # noqa: E402

__all__ = ["Running", "review", "running_runs", "viewer_routes"]
