"""Ten thousand messages that nobody should have sent, and one that somebody should.

The last of the tests that need the stream: it is stopped, and another one drains the topic.
"""

import base64
import hashlib
import io
import json
import time
import zipfile

import httpx
import pytest

pytest.importorskip("pyspark")

from pyspark.sql.streaming.datasource import ReadAllAvailable

from shipdet.cluster.engines.broker import LETTER_BYTES, send
from shipdet.cluster.engines.kafka_source import KafkaReader, Range
from shipdet.cluster.jobs.message import MAX_MESSAGE_BYTES
from shipdet.cluster.store.prometheus import metrics
from shipdet.settings import Settings
from tests.helpers.cluster_jobs import job
from tests.helpers.hostile_messages import hostile_messages

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

COUNT = 10_000


def test_hostile_messages_end_as_dead_letters_and_stop_nothing(stream, tiles, settings, store):
    bad = hostile_messages(COUNT, seed=20)
    assert len(set(bad)) == COUNT
    good = job(tiles, "among-the-bad", 2480, 1850, 300, 300)
    values = [*bad[: COUNT // 2], good.encode(), *bad[COUNT // 2 :]]
    stream.processes.stop("stream")
    started = time.monotonic()
    send(settings, settings.kafka_topic, ((str(n), value) for n, value in enumerate(values)))
    sent = time.monotonic()
    stream.run("-m", "shipdet", "jobs", "stream", "--drain")
    print(f"{COUNT:,} messages: {sent - started:.0f} s to send, {time.monotonic() - sent:.0f} s "
          "to drain, Spark's start included")  # fmt: skip

    row = store.job(good.id)
    assert row["status"] == "completed", row["error"]
    letters = store.database.rows("SELECT key, reason, sent_at FROM dead_letters")
    by_key = {letter["key"]: letter for letter in letters}
    kept = [value[: MAX_MESSAGE_BYTES + 1] for value in bad]
    missing = [value[:80] for value in kept if hashlib.sha256(value).hexdigest() not in by_key]
    assert missing == [], "every bad message is a dead letter"
    assert all(letter["sent_at"] for letter in letters)
    assert all(letter["reason"].endswith(".") for letter in letters)
    assert {value[:LETTER_BYTES] for value in kept} <= read_letters(settings)
    queued = store.database.rows(
        "SELECT name FROM jobs WHERE name ~ '^(hostile|old)-' AND status <> 'failed'"
    )
    assert queued == []
    assert 'shipdet_dead_letters_total{kind="rejected"}' in metrics(store)


def read_letters(settings: Settings) -> set[bytes]:
    """What the messages in the dead letters' topic are about, shortened as they are there."""
    reader = KafkaReader(
        {"subscribe": settings.kafka_dead_letters, "startingoffsets": "earliest",
         "kafka.bootstrap.servers": settings.kafka}
    )  # fmt: skip
    start = reader.initialOffset()
    found = set()
    for part in reader.partitions(start, reader.latestOffset(start, ReadAllAvailable())):
        assert isinstance(part, Range)
        for row in reader.read(part):
            letter = json.loads(row[1])
            text = letter.get("value")
            raw = base64.b64decode(letter["value_base64"]) if text is None else text.encode()
            found.add(raw)
    return found


def test_the_history_server_has_the_record_of_every_stream(engines, settings):
    api = f"{settings.spark_history}/api/v1/applications"
    end = time.monotonic() + 120
    while not any(a["attempts"][0]["completed"] for a in httpx.get(api).json()):
        assert time.monotonic() < end, "the event log of the last stream was not read"
        time.sleep(1)
    for app in httpx.get(api).json():
        assert app["name"] == "shipdet"
        ran = httpx.get(f"{api}/{app['id']}/jobs", timeout=60).json()
        assert any(job["status"] == "SUCCEEDED" for job in ran), app
        logs = httpx.get(f"{api}/{app['id']}/logs", timeout=60).content
        with zipfile.ZipFile(io.BytesIO(logs)) as archive:
            assert sum(file.file_size for file in archive.infolist()) > 0
