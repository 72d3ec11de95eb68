"""Gradio's page asks for the progress of every upload under the id ``undefined``.

Gradio answers that with 404 after three seconds, which browsers write to their console as an error.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ASKED = "/upload_progress"
WITHOUT_ID = b"upload_id=undefined"


class NoProgressOfUnnamed:
    """Middleware that answers with a stream without events instead."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        unnamed = (
            scope["type"] == "http"
            and scope["path"].endswith(ASKED)
            and scope["query_string"] == WITHOUT_ID
        )
        answer: ASGIApp = Response(media_type="text/event-stream") if unnamed else self.app
        await answer(scope, receive, send)
