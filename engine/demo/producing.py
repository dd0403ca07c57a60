"""The producer that the demo's traffic and its bulk loader share."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from engine.demo.topics import CLIENT_ID


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
    restarted under it.
    """
    return AIOKafkaProducer(
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
