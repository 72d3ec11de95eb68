"""Gradio's page requests the progress of every upload under the id ``undefined``.

Gradio responds with 404 after three seconds, which browsers log as an error.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ASKED = "/upload_progress"
WITHOUT_ID = b"upload_id=undefined"


class NoProgressOfUnnamed:
    """Middleware that responds with an empty stream instead."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to the request, or forward it."""
        unnamed = (
            scope["type"] == "http"
            and scope["path"].endswith(ASKED)
            and scope["query_string"] == WITHOUT_ID
        )
        answer: ASGIApp = Response(media_type="text/event-stream") if unnamed else self.app
        await answer(scope, receive, send)
