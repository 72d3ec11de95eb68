"""The page asks no other host for anything."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from shipdet.ui.own_scripts import OwnScriptsOnly, without_others

PAGE = """<html><head>
<link
  rel="preconnect"
  href="https://fonts.example.org"
/>
<script src="https://cdn.example.org/resizer.js" async
></script>
<script src="./own.js"></script><link rel="stylesheet" href="theme.css">
<script>config = "<script src=\\"https://x.example.org\\">"</script>
</head><body><a href="https://example.org">kept</a></body></html>"""


@pytest.fixture
def web():
    pieces = [PAGE[:90].encode(), PAGE[90:].encode()]
    app = Starlette(
        routes=[
            Route("/", lambda _: HTMLResponse(PAGE)),
            Route("/streamed", lambda _: StreamingResponse(iter(pieces), media_type="text/html")),
            Route("/text", lambda _: PlainTextResponse(PAGE)),
        ],
        middleware=[Middleware(OwnScriptsOnly)],
    )
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/streamed"])
def test_tags_of_other_hosts_are_taken_out(web, path):
    answer = web.get(path)
    assert "cdn.example.org" not in answer.text and "fonts.example.org" not in answer.text
    for kept in ("./own.js", "theme.css", "https://x.example.org", 'href="https://example.org"'):
        assert kept in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_what_is_no_page_stays_as_it_is(web):
    answer = web.get("/text")
    assert answer.text == PAGE and "content-security-policy" in answer.headers


def test_a_page_of_our_own_is_not_changed():
    own = b'<script src="a.js"></script><link href="b.css">'
    assert without_others(own) == own
