"""Load nothing from other hosts, so that they learn nothing about visitors."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = b"script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:"
#: Tags of gradio's page that load from other hosts: a script that resizes frames, and fonts.
_EXTERNAL = re.compile(
    rb'<(script|link)\b[^>]*\s(?:src|href)="https?://[^"]*"[^>]*>(?:\s*</script>)?', re.IGNORECASE
)


class OwnScriptsOnly:
    """Middleware that forbids scripts of other hosts and removes the tags that load them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, and add the policy to the response."""
        start: Message | None = None
        page: list[bytes] = []

        async def send_own(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY)
                message = {**message, "headers": [*message.get("headers", ()), policy]}
                if _is_page(message):
                    start = message  # sent once its length is known
                    return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            page.append(message.get("body", b""))
            if not message.get("more_body", False):
                body = without_others(b"".join(page))
                length = (b"content-length", str(len(body)).encode())
                kept = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                await send({**start, "headers": [*kept, length]})
                await send({**message, "body": body})

        await self.app(scope, receive, send_own)


def without_others(page: bytes) -> bytes:
    """Remove scripts and links of other hosts from HTML."""
    return _EXTERNAL.sub(b"", page)


def _is_page(message: Message) -> bool:
    kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
    return any(kind.startswith(b"text/html") for kind in kinds)
