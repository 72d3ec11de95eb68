"""The stream: read messages and distribute blocks to Spark's workers.

All state is in the database: a message counts as read once its job is registered, and a block
belongs to the holder of its lease. So the driver may die at any time and be restarted.
"""

import logging
import threading
import time
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import substring
from pyspark.sql.streaming.query import StreamingQuery

from shipdet.cluster.engines.broker import make_topics, send_letters
from shipdet.cluster.engines.database import Database
from shipdet.cluster.jobs.message import MAX_MESSAGE_BYTES
from shipdet.cluster.store.job_store import Store
from shipdet.cluster.store.queries import free_blocks, mark_sent, open_jobs, unsent_letters
from shipdet.cluster.store.retention import keep_clean
from shipdet.cluster.work.block_worker import take_turn
from shipdet.cluster.work.intake import accept
from shipdet.errors import ShipdetError
from shipdet.settings import Settings

POLL_S = 0.5  # between two checks for work, messages and dead letters
PAUSE_S = 3.0  # after the failure of an engine

log = logging.getLogger(__name__)


def run_stream(
    settings: Settings, *, drain: bool = False, stop: threading.Event | None = None
) -> None:
    """Read messages and run their jobs; wait for engines that do not answer.

    Args:
        settings: Addresses of the engines, lanes and limits.
        drain: Read only the current messages, and return when no job is open.
        stop: Ends the stream when set.
    """
    stop = stop or threading.Event()
    store = Store(Database(settings.postgres))
    spark = make_session(settings)
    lanes = [_Lane(spark, settings, number, stop) for number in range(settings.cluster_lanes)]
    try:
        for lane in lanes:
            lane.start()
        # The thread is not joined, since it may be interrupted at any point.
        threading.Thread(target=keep_clean, args=(settings, stop), daemon=True).start()
        _keep_reading(spark, store, settings, drain, stop)
    finally:
        stop.set()
        for lane in lanes:
            lane.join()
        spark.stop()


def make_session(settings: Settings) -> SparkSession:
    """Return a Spark session; further options come from spark-defaults.conf."""
    builder = (
        SparkSession.builder.appName("shipdet")
        .master(settings.spark_master)
        # Reading must not wait for blocks that are queued earlier.
        .config("spark.scheduler.mode", "FAIR")
        .config("spark.sql.streaming.stopTimeout", "20s")
        # The default of 15 s is too short on a busy machine.
        .config("spark.python.authenticate.socketTimeout", "60s")
        .config("spark.log.level", "WARN")
        .config("spark.ui.showConsoleProgress", "false")
    )
    if settings.spark_events_dir:
        builder = builder.config("spark.eventLog.enabled", "true").config(
            "spark.eventLog.dir", settings.spark_events_dir
        )
    return builder.getOrCreate()


def _keep_reading(
    spark: SparkSession, store: Store, settings: Settings, drain: bool, stop: threading.Event
) -> None:
    """Run a query, restart it after errors, and publish dead letters until the stream ends."""
    query = None
    try:
        while not stop.is_set():
            try:
                if query is None:
                    make_topics(settings)
                    query = start_query(spark, store, settings, drain)
                publish_letters(store, settings)
                if not query.isActive:
                    query.awaitTermination()  # raises the query's error
                    if drain and not open_jobs(store):
                        publish_letters(store, settings)
                        return
            except (ShipdetError, PySparkException) as error:
                log.warning("the stream pauses: %s", str(error).splitlines()[0])
                _stop_query(query)
                query = None
                stop.wait(PAUSE_S)
            stop.wait(POLL_S)
    finally:
        _stop_query(query)


def start_query(
    spark: SparkSession, store: Store, settings: Settings, drain: bool
) -> StreamingQuery:
    """Start the query that reads messages, from the end of its checkpoint."""
    if settings.kafka_source == "python":
        from shipdet.cluster.engines.kafka_source import NAME, KafkaSource

        spark.dataSource.register(KafkaSource)
    else:
        NAME = "kafka"  # Spark's own connector, which the operator adds to the class path

    # One byte above the limit, so that longer messages are refused and batches stay small.
    value = substring("value", 1, MAX_MESSAGE_BYTES + 1).alias("value")

    def take(batch: DataFrame, _: int) -> None:
        for row in batch.select(value).collect():
            accept(bytes(row["value"] or b""), store, settings)

    writer = (
        spark.readStream.format(NAME)
        .option("kafka.bootstrap.servers", settings.kafka)
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", str(settings.kafka_batch))
        # The stream may have been down for longer than the topic keeps its messages.
        .option("failOnDataLoss", "false")
        .load()
        .writeStream.queryName("jobs")
        .foreachBatch(take)
        .option("checkpointLocation", str(settings.spark_checkpoint_dir))
    )
    trigger: dict[str, Any] = {"availableNow": True} if drain else {"processingTime": "1 second"}
    return writer.trigger(**trigger).start()


def publish_letters(store: Store, settings: Settings) -> None:
    """Publish the dead letters of the outbox; after a crash, some are sent twice."""
    while letters := unsent_letters(store):
        send_letters(settings, letters)
        mark_sent(store, [letter["key"] for letter in letters])


def _stop_query(query: StreamingQuery | None) -> None:
    if query is not None and query.isActive:
        try:
            query.stop()
        except PySparkException as error:
            log.warning("the query did not stop in time: %s", str(error).splitlines()[0])


class _Lane(threading.Thread):
    """A lane: runs one Spark job after another, each of which is a turn of blocks."""

    def __init__(
        self, spark: SparkSession, settings: Settings, number: int, stop: threading.Event
    ) -> None:
        super().__init__(name=f"shipdet-lane-{number}", daemon=True)
        self.spark, self.settings, self.ending = spark, settings, stop
        self.store = Store(Database(settings.postgres))

    def run(self) -> None:
        """Start turns while blocks are free."""
        context, settings = self.spark.sparkContext, self.settings
        context.setLocalProperty("spark.scheduler.pool", "blocks")
        context.setLocalProperty("spark.job.description", "blocks")
        while not self.ending.is_set():
            try:
                if free_blocks(self.store):
                    context.parallelize([0], 1).map(lambda _: take_turn(settings)).collect()
                    continue
            except ShipdetError as error:
                log.warning("a lane pauses: %s", error)
                self.ending.wait(PAUSE_S)
            except Exception as error:  # a worker died more often than Spark retries
                if not self.ending.is_set():
                    log.warning("a turn failed (%s)", type(error).__name__)
                self.ending.wait(PAUSE_S)
            self.ending.wait(POLL_S)
        self.store.database.close()


def main(settings: Settings, drain: bool) -> None:
    """Run the stream until SIGTERM or an interrupt."""
    import signal

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.ERROR)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    started = time.monotonic()
    run_stream(settings, drain=drain, stop=stop)
    log.info("the stream ended after %.0f s", time.monotonic() - started)
