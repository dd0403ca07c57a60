"""What goes over the control socket about clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue, SecretStr, TypeAdapter

from engine.api.cluster_snapshots import ClusterDetail, ClusterList, ConnectionTest, TopicRow
from engine.service.codec import Body, chunks

LIST = TypeAdapter(ClusterList)
DETAIL = TypeAdapter(ClusterDetail)
TEST = TypeAdapter(ConnectionTest)
TOPICS = TypeAdapter(tuple[TopicRow, ...])


class TestBody(Body):
    """What POST /v1/clusters/CLUSTER/test takes; nothing means the cluster as configured."""

    __test__ = False  # pytest's: this is no test

    section: dict[str, JsonValue] | None = None
    secrets: dict[str, SecretStr] = {}  # noqa: RUF012  (pydantic copies it)


def test_body(
    section: Mapping[str, JsonValue] | None, secrets: Mapping[str, SecretStr] | None
) -> dict[str, Any]:
    """Write a TestBody, secrets in the clear: the socket is its user's alone."""
    if section is None:
        return {}
    plain = {reference: value.get_secret_value() for reference, value in (secrets or {}).items()}
    return {"section": dict(section), "secrets": plain}


def detail_chunks(detail: ClusterDetail) -> Iterator[bytes]:
    """Write a cluster in pieces: it may have 10,000 topics."""
    return chunks(DETAIL.dump_json(detail, exclude={"topics"}), "topics", TOPICS, detail.topics)
