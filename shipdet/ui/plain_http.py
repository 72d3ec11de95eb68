"""Calls over plain HTTP, without gradio_client.

Such a client passes values by position. Trailing values that have a default may be omitted, and
null means the default.

Gradio ends the stream of ``/call/NAME/EVENT`` with ``event: error`` and ``data: null``; only its
own clients receive the error's sentence. This module replaces the null with the sentence.
"""

import inspect
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ERROR_WITHOUT_WORDS = b"event: error\ndata: null\n"
UNKNOWN = "The call failed: see the app's log."
STREAM = re.compile(r"/call/[^/]+/(?P<event>[^/]+)$")
KEPT = 1000
"""Largest number of sentences kept for streams that have not been read yet."""

_sentences: OrderedDict[str, str] = OrderedDict()
_lock = Lock()


class AppBlocks(gr.Blocks):
    """Blocks whose endpoints fill in omitted values and keep the sentences of errors."""

    async def process_api(  # type: ignore[override]
        self, block_fn: Any, inputs: list[Any], **how: Any
    ) -> dict[str, Any]:
        """Run a function for a call of the API or an event of the page.

        Gradio passes all but the first two arguments by name.
        """
        event = how.get("event_id")
        try:
            if event and block_fn.api_name:
                inputs = completed(block_fn.api_name, block_fn.fn, inputs)
            return await super().process_api(block_fn, inputs, **how)
        except gr.Error as error:
            if event:
                _remember(event, str(error.message))
            raise


def completed(name: str, function: Callable[..., Any], values: list[Any]) -> list[Any]:
    """Return values by position, with the defaults of those that are null or omitted.

    Raises gr.Error, with the names of all values, if one without a default is missing.

    Example:
        >>> completed("estimate", lambda zoom, provider="esri": None, [16])
        [16, 'esri']
    """
    parameters = inspect.signature(function).parameters.values()
    defaults = [parameter.default for parameter in parameters]
    missing = defaults[len(values) :]
    if inspect.Parameter.empty in missing:
        wanted = ", ".join(
            parameter.name + ("" if parameter.default is parameter.empty else "?")
            for parameter in parameters
        )
        raise gr.Error(
            f"/{name} expects these values in this order ({len(values)} were given; those with a "
            f"question mark are optional): {wanted}.",
            print_exception=False,
        )
    given = [
        default if value is None and default is not inspect.Parameter.empty else value
        for value, default in zip(values, defaults, strict=False)  # gradio ignores further values
    ]
    return [*given, *missing]


def unknown_endpoint(request: Request, _: Exception) -> Response:
    """Respond to a call of an unknown endpoint."""
    name = request.path_params.get("api_name")
    detail = f"There is no endpoint {str(name)[:40]!r}: /gradio_api/info lists them."
    return JSONResponse({"detail": detail}, 404)


def _remember(event: str, sentence: str) -> None:
    """Keep the error sentence of a call for the reader of its stream."""
    with _lock:
        _sentences[event] = sentence
        while len(_sentences) > KEPT:
            _sentences.popitem(last=False)


class SentencesOverHttp:
    """Middleware that ends the stream of a failed call with the error's sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, and insert the sentence into the response."""
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
