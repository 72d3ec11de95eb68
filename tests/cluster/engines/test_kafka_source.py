"""Offsets of the streaming source, without a broker."""

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxRows

from shipdet.cluster.engines.kafka_source import KafkaReader, KafkaSource, Range

BOUNDS = {"a": {"0": (5, 105), "1": (0, 10), "2": (0, 0)}}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> KafkaReader:
    monkeypatch.setattr(KafkaReader, "_bounds", lambda self: BOUNDS)
    options = {"subscribe": "a", "startingOffsets": "earliest", "maxOffsetsPerTrigger": "20",
               "kafka.bootstrap.servers": "x:1"}  # fmt: skip
    return KafkaSource(options).streamReader(None)


def test_it_begins_at_the_given_offsets(reader):
    assert reader.initialOffset() == {"a": {"0": 5, "1": 0, "2": 0}}
    reader.starting = "latest"
    assert reader.initialOffset() == {"a": {"0": 105, "1": 10, "2": 0}}
    reader.starting = '{"a": {"0": 50, "1": -1, "2": -2}}'
    assert reader.initialOffset() == {"a": {"0": 50, "1": 10, "2": 0}}


def test_batches_are_bounded_fair_and_reach_the_end(reader):
    at, limit, sizes = reader.initialOffset(), reader.getDefaultReadLimit(), []
    assert limit == ReadMaxRows(20)
    while True:
        end = reader.latestOffset(at, limit)
        size = sum(end["a"][p] - at["a"][p] for p in end["a"])
        if not size:
            break
        if not sizes:
            assert end["a"] == {"0": 15, "1": 10, "2": 0}, "both partitions get their share"
        sizes.append(size)
        at = end
    assert max(sizes) <= 20 and sum(sizes) == 110
    assert at == {"a": {"0": 105, "1": 10, "2": 0}}


def test_without_a_limit_all_is_taken(reader):
    assert reader.latestOffset(reader.initialOffset(), ReadAllAvailable())["a"]["0"] == 105


def test_available_now_ends_where_it_began(reader, monkeypatch):
    reader.prepareForTriggerAvailableNow()
    monkeypatch.setattr(KafkaReader, "_bounds", lambda self: {"a": {"0": (5, 999)}})
    assert reader.latestOffset(reader.initialOffset(), ReadAllAvailable())["a"]["0"] == 105


def test_only_partitions_with_news_are_read(reader):
    start, end = {"a": {"0": 5, "1": 3}}, {"a": {"0": 5, "1": 7, "2": 2}}
    assert reader.partitions(start, end) == [Range("a", 1, 3, 7), Range("a", 2, 0, 2)]
    assert reader.partitions(end, end) == []


def test_the_client_gets_the_options_that_are_its_own(reader):
    assert reader.config == {"bootstrap.servers": "x:1"}
    assert KafkaSource.name() != "kafka", "Spark keeps that name for its own source"
