"""A block through the pipeline: whose connections it holds."""

from contextlib import contextmanager

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("minio")

from types import SimpleNamespace

from shipdet.cluster.jobs.job_plan import plan_job
from shipdet.cluster.jobs.message import JobMessage
from shipdet.cluster.store.statements import Claim
from shipdet.cluster.work import block_search
from shipdet.errors import NoImagery
from shipdet.progress import finish
from shipdet.settings import Settings


@pytest.mark.parametrize(
    ("provider", "instance", "key"),
    [("sentinelhub", "", "eox"), ("sentinelhub", "0000", "sentinelhub"), ("eox", "", "eox")],
)
def test_connections_are_those_of_the_provider_in_use(
    provider, instance, key, monkeypatch, tmp_path
):
    held = []

    @contextmanager
    def slots(_, name, limit):
        held.append(name)
        yield SimpleNamespace(take=lambda most: iter(()), give_back=lambda: None)

    def nothing(*_, **__):
        raise NoImagery("no image.")
        yield

    monkeypatch.setattr(block_search, "slots", slots)
    monkeypatch.setattr(block_search.pipeline, "iter_area", nothing)
    message = JobMessage.of(
        {"version": 2, "name": "asked", "area": [4.0, 51.9, 4.01, 51.91], "provider": provider,
         "passes": 1}
    )  # fmt: skip
    settings = Settings(sentinelhub_instance_id=instance)
    zoom, blocks = plan_job(message, settings)
    claim = Claim("id", "token", 1, blocks[0], message, zoom)
    store = SimpleNamespace(database=None, complete_block=lambda *_: True)
    finish(block_search.search_block(claim, store, None, tmp_path, settings))
    assert held == [key]
