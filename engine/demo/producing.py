"""The producer that the demo's traffic and its bulk loader share."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from engine.demo.topics import CLIENT_ID

ANSWER_S = 15.0


def exact_producer(
    bootstrap_servers: str,
    *,
    compression: str | None,
    batch_bytes: int,
    linger_ms: int = 0,
    patience_seconds: float,
) -> AIOKafkaProducer:
    """Return a producer, not started, that neither loses nor doubles nor reorders records.

    It tries for `patience_seconds` to have a batch acknowledged: long enough for brokers that are
    restarted under it. What a broker has not answered within ANSWER_S is asked again.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id=CLIENT_ID,
        acks="all",
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=batch_bytes,
        max_request_size=max(1_048_576, 8 * batch_bytes),
        linger_ms=linger_ms,
        request_timeout_ms=int(patience_seconds * 1000),
    )
    # aiokafka has one setting for how long to try and how long to wait for an answer. One answer
    # that never came would stop everything for as long as the patience lasts: metadata is asked
    # for on the same connection.
    producer.client._request_timeout_ms = int(ANSWER_S * 1000)  # noqa: SLF001
    return producer
