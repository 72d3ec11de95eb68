"""The pages of runs: viewer, history and comparison, as routes of any Starlette app.

A page is a static file of ``static/``; what it shows and what is done on it goes through the JSON
endpoints of ``routes.py``, which other programs may call as well.
"""

from shipdet.extras import require

require("starlette", "uvicorn", extra="app")

from shipdet.viewer.live_searches import Running, running_runs  # noqa: E402
from shipdet.viewer.routes import viewer_routes  # noqa: E402
from shipdet.viewer.standalone import review  # noqa: E402

__all__ = ["Running", "review", "running_runs", "viewer_routes"]
