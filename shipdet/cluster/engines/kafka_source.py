"""Kafka as a streaming source for Spark's Python Data Source API.

Columns, options and offsets are those of Spark's own ``kafka`` source, so queries work with both.
Spark reserves that name, so this source is called ``kafka_python``.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadLimit,
    ReadMaxRows,
    SupportsTriggerAvailableNow,
)

NAME = "kafka_python"
SCHEMA = (
    "key BINARY, value BINARY, topic STRING, partition INT, offset BIGINT, "
    "timestamp TIMESTAMP, timestampType INT"
)
WAIT_S = 10.0  # longest wait for the broker's answer
SILENCE_S = 60.0  # longest wait for an expected record before the task fails

log = logging.getLogger(__name__)

Offsets = dict[str, dict[str, int]]  # topic -> partition -> next offset, as Spark writes them


class KafkaSource(DataSource):
    """``spark.readStream.format("kafka_python")`` with ``subscribe`` and ``kafka.*`` options."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return NAME

    def schema(self) -> str:
        """Return the columns of Spark's kafka source, without headers."""
        return SCHEMA

    def streamReader(self, schema: Any) -> DataSourceStreamReader:
        """Return the reader of one query."""
        return KafkaReader({str(k).lower(): str(v) for k, v in self.options.items()})


@dataclass
class Range(InputPartition):
    """A range of offsets of one partition; the end is exclusive."""

    topic: str
    partition: int
    start: int
    end: int


class KafkaReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads offsets on the driver and records on the executors; commits nothing to the broker."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.topics = [topic.strip() for topic in options["subscribe"].split(",")]
        self.starting = options.get("startingoffsets", "latest")
        limit = options.get("maxoffsetspertrigger")
        self.limit = None if limit is None else int(limit)
        self.fails_on_loss = options.get("failondataloss", "true").lower() == "true"
        self.config = {
            name.removeprefix("kafka."): value
            for name, value in options.items()
            if name.startswith("kafka.")
        }
        self.target: Offsets | None = None

    def initialOffset(self) -> Offsets:
        """Return ``startingOffsets``: earliest, latest, or JSON in the format of Spark's source."""
        if self.starting.strip().startswith("{"):
            given: Offsets = json.loads(self.starting)
            bounds = self._bounds()
            # -2 and -1 mean earliest and latest.
            return {
                topic: {
                    p: (low if at == -2 else high if at == -1 else at)
                    for p, at in parts.items()
                    for low, high in [bounds[topic][p]]
                }
                for topic, parts in given.items()
            }
        which = 0 if self.starting == "earliest" else 1
        return {
            topic: {p: both[which] for p, both in parts.items()}
            for topic, parts in self._bounds().items()
        }

    def getDefaultReadLimit(self) -> ReadLimit:
        """Return ``maxOffsetsPerTrigger``, if it is set."""
        return ReadAllAvailable() if self.limit is None else ReadMaxRows(self.limit)

    def prepareForTriggerAvailableNow(self) -> None:
        """End the query at the current end of the topics."""
        self.target = self._latest()

    def latestOffset(self, start: Offsets, limit: ReadLimit) -> Offsets:
        """Return the end of the next batch; a limit is split evenly among the partitions."""
        latest = self.target or self._latest()
        end = {t: {p: start.get(t, {}).get(p, 0) for p in parts} for t, parts in latest.items()}
        left = limit.max_rows if isinstance(limit, ReadMaxRows) else None
        open_ = [(t, p) for t, parts in latest.items() for p in parts if parts[p] > end[t][p]]
        while open_:
            share = None if left is None else max(1, left // len(open_))
            for topic, partition in list(open_):
                if left == 0:
                    return end
                there = latest[topic][partition] - end[topic][partition]
                taken = there if share is None else min(there, share)
                end[topic][partition] += taken
                left = None if left is None else left - taken
                if end[topic][partition] == latest[topic][partition]:
                    open_.remove((topic, partition))
        return end

    def partitions(self, start: Offsets, end: Offsets) -> list[InputPartition]:
        """Return one task per partition with new records."""
        return [
            Range(topic, int(partition), start.get(topic, {}).get(partition, 0), last)
            for topic, parts in end.items()
            for partition, last in parts.items()
            if last > start.get(topic, {}).get(partition, 0)
        ]

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the records of a range; RuntimeError if the broker has deleted some of them."""
        assert isinstance(partition, Range)
        consumer = self._consumer()
        try:
            place = TopicPartition(partition.topic, partition.partition, partition.start)
            low, _ = consumer.get_watermark_offsets(place, WAIT_S)
            if low > partition.start:
                self._lost(partition, low)
                place.offset = OFFSET_BEGINNING
            consumer.assign([place])
            yield from _records(consumer, partition)
        finally:
            consumer.close()

    def _lost(self, partition: Range, low: int) -> None:
        lost = f"{partition.topic} lacks the records from {partition.start} to {low}"
        if self.fails_on_loss:
            raise RuntimeError(f"{lost}: set failOnDataLoss to false to continue without them.")
        log.warning("%s: they were removed before they were read", lost)

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "group.id": "shipdet",  # required by the client, unused without commits
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                **self.config,
            }
        )

    def _bounds(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Return the first and the next offset of each partition."""
        consumer = self._consumer()
        try:
            found: dict[str, dict[str, tuple[int, int]]] = {}
            for topic in self.topics:
                known = consumer.list_topics(topic, WAIT_S).topics[topic]
                if known.error is not None:
                    raise KafkaException(known.error)
                found[topic] = {
                    str(p): consumer.get_watermark_offsets(TopicPartition(topic, p), WAIT_S)
                    for p in sorted(known.partitions)
                }
            return found
        finally:
            consumer.close()

    def _latest(self) -> Offsets:
        return {t: {p: high for p, (_, high) in ps.items()} for t, ps in self._bounds().items()}


def _records(consumer: Consumer, wanted: Range) -> Iterator[tuple[Any, ...]]:
    """Yield the records of a range; compaction and aborts leave gaps in the offsets."""
    silent_s = 0.0
    while True:
        messages = consumer.consume(500, timeout=1.0)
        silent_s = 0.0 if messages else silent_s + 1.0
        if silent_s >= SILENCE_S:
            raise RuntimeError(
                f"the broker does not return offset {wanted.end - 1} of {wanted.topic}"
            )
        for message in messages:
            error, offset = message.error(), message.offset() or 0
            if error is None:
                if offset < wanted.end:
                    yield _row(message)
                if offset >= wanted.end - 1:
                    return
            elif error.name() == "_PARTITION_EOF":
                if offset >= wanted.end:
                    return
            elif not error.retriable():
                raise KafkaException(error)


def _row(message: Any) -> tuple[Any, ...]:
    kind, milliseconds = message.timestamp()
    return (
        message.key(),
        message.value(),
        message.topic(),
        message.partition(),
        message.offset(),
        datetime.fromtimestamp(milliseconds / 1000, UTC),
        kind - 1,  # the client counts from 1 (create time), Spark from 0
    )
