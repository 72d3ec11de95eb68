"""Errors for clients that speak plain HTTP, without gradio_client.

Gradio ends the stream of ``/call/NAME/EVENT`` with ``event: error`` and ``data: null``: the
sentence goes to gradio's own clients only. Here it is put in the place of the null.
"""

import json
import re
from collections import OrderedDict
from threading import Lock

from gradio.context import LocalContext
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ERROR_WITHOUT_WORDS = b"event: error\ndata: null\n"
UNKNOWN = "The call failed: see the app's log."
STREAM = re.compile(r"/call/[^/]+/(?P<event>[^/]+)$")
KEPT = 1000
"""Sentences that are kept for streams that nobody has read yet."""

_sentences: OrderedDict[str, str] = OrderedDict()
_lock = Lock()


def remember(sentence: str) -> None:
    """Keep the sentence with which the current call ends, for whoever reads its stream."""
    event = LocalContext.event_id.get(None)
    if event is None:  # not called by gradio
        return
    with _lock:
        _sentences[event] = sentence
        while len(_sentences) > KEPT:
            _sentences.popitem(last=False)


class SentencesOverHttp:
    """Middleware that ends the stream of a failed call with the sentence of its error."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with the sentence in it."""
        stream = STREAM.search(scope["path"]) if scope["type"] == "http" else None
        if stream is None:
            await self.app(scope, receive, send)
            return

        async def send_with_sentence(message: Message) -> None:
            body = message.get("body", b"")
            if message["type"] == "http.response.body" and ERROR_WITHOUT_WORDS in body:
                with _lock:
                    sentence = _sentences.pop(stream["event"], UNKNOWN)
                reply = b"event: error\ndata: " + json.dumps(sentence).encode() + b"\n"
                message = {**message, "body": body.replace(ERROR_WITHOUT_WORDS, reply)}
            await send(message)

        await self.app(scope, receive, send_with_sentence)
