"""What gradio's page asks about an upload has an answer."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from shipdet.ui.upload_progress import NoProgressOfUnnamed


@pytest.mark.parametrize(("asked", "status"), [("undefined", 200), ("k3j9d0", 404)])
def test_an_upload_without_an_id_has_no_progress(asked, status):
    web = TestClient(Starlette(middleware=[Middleware(NoProgressOfUnnamed)]))
    answer = web.get(f"/gradio_api/upload_progress?upload_id={asked}")
    assert answer.status_code == status
    if status == 200:
        assert answer.content == b""
        assert answer.headers["content-type"].startswith("text/event-stream")
