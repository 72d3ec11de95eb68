"""Kafka: messages and topics."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from shipdet.errors import EngineUnreachable
from shipdet.settings import Settings

WAIT_S = 10.0
PARTITIONS = 4
LETTER_BYTES = 64 * 1024  # longest part of a message that a dead letter repeats

_UNREACHABLE = (
    "The Kafka broker does not answer: check that it runs and that SHIPDET_KAFKA is right."
)


def send(settings: Settings, topic: str, messages: Iterable[tuple[str, bytes]]) -> None:
    """Send (key, value) pairs and wait until the broker confirms all of them.

    Args:
        settings: Address of the broker.
        topic: The topic.
        messages: Keys and values.

    Raises:
        EngineUnreachable: The broker does not confirm all messages.
    """
    producer = Producer(
        {
            **_address(settings),
            "enable.idempotence": True,
            "delivery.timeout.ms": round(WAIT_S * 1000),
            "linger.ms": 5,
        }
    )
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            failures.append(error)

    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key.encode(), on_delivery=delivered)
                break
            except BufferError:  # the client's queue is full: wait until it sends some
                producer.poll(1.0)
    left = producer.flush(WAIT_S + 1)
    if failures or left:
        raise EngineUnreachable(_UNREACHABLE)


def send_letters(settings: Settings, letters: Iterable[dict[str, Any]]) -> None:
    """Publish rows of the dead-letter outbox as JSON."""
    send(
        settings,
        settings.kafka_dead_letters,
        ((letter["key"], _letter(letter)) for letter in letters),
    )


def make_topics(settings: Settings) -> None:
    """Create the missing topics; EngineUnreachable if the broker does not answer."""
    client = AdminClient(_address(settings))
    wanted = {settings.kafka_topic, settings.kafka_dead_letters}
    try:
        missing = wanted - client.list_topics(timeout=WAIT_S).topics.keys()
        new = [NewTopic(topic, PARTITIONS, 1) for topic in sorted(missing)]
        for future in client.create_topics(new).values() if new else ():
            try:
                future.result(WAIT_S)
            except KafkaException as error:
                if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                    raise
    except KafkaException as error:
        raise EngineUnreachable(_UNREACHABLE) from error


def check_broker(settings: Settings, wait_s: float = 3.0) -> None:
    """Raise EngineUnreachable unless the broker answers and has the job topic."""
    try:
        known = AdminClient(_address(settings)).list_topics(timeout=wait_s).topics
    except KafkaException as error:
        raise EngineUnreachable(_UNREACHABLE) from error
    if settings.kafka_topic not in known:
        raise EngineUnreachable(
            f"The broker has no topic {settings.kafka_topic}: `shipdet jobs prepare` creates it."
        )


def _address(settings: Settings) -> dict[str, Any]:
    if not settings.kafka:
        raise EngineUnreachable("No broker is configured: set SHIPDET_KAFKA.")
    # With the default log_level, the client prints each failed connection to standard error.
    return {"bootstrap.servers": settings.kafka, "log_level": 0}


def _letter(letter: dict[str, Any]) -> bytes:
    value = bytes(letter["value"])
    text: dict[str, str]
    try:
        text = {"value": value[:LETTER_BYTES].decode()}
    except UnicodeDecodeError:
        text = {"value_base64": base64.b64encode(value[:LETTER_BYTES]).decode()}
    about = {"kind": letter["kind"], "job": letter["job_id"], "reason": letter["reason"]}
    return json.dumps({**about, "bytes": len(value), **text}).encode()
