"""Snapshots and errors come off the wire as they went on it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.api import snapshots
from engine.api.snapshots import PartitionsPage
from engine.errors import (
    CcrError,
    ConfigError,
    ConnectError,
    KafkaError,
    RefusedError,
    SandboxError,
)
from engine.service import codec

finite = st.floats(allow_nan=False, allow_infinity=False)
# What is told is text that can be encoded; lone surrogates are no characters.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
st.register_type_strategy(float, finite)
st.register_type_strategy(str, text)


@pytest.mark.parametrize(
    ("adapter", "type_"),
    [
        (codec.SNAPSHOT, snapshots.EngineSnapshot),
        (codec.PAGE, snapshots.PartitionsPage),
        (codec.RESULT, snapshots.CommandResult),
        (codec.EVENTS, tuple[snapshots.Event, ...]),
    ],
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_snapshot_comes_back_equal(
    adapter: TypeAdapter[object], type_: type, data: st.DataObject
) -> None:
    value = data.draw(st.from_type(type_))
    assert adapter.validate_json(adapter.dump_json(value)) == value


@settings(max_examples=40, deadline=None)
@given(page=st.from_type(PartitionsPage), repeat=st.integers(0, 3))
def test_a_page_in_chunks_is_the_same_page(page: PartitionsPage, repeat: int) -> None:
    rows = page.partitions * (codec.ROWS_A_CHUNK * repeat + 1)
    whole = snapshots.PartitionsPage(page.flow, page.version, page.total, rows, page.removed)
    assert codec.PAGE.validate_json(b"".join(codec.page_chunks(whole))) == whole


@pytest.mark.parametrize(
    "class_", [CcrError, ConfigError, ConnectError, KafkaError, RefusedError, SandboxError]
)
def test_an_error_keeps_its_class_and_words(class_: type[CcrError]) -> None:
    error = codec.load_error(
        codec.dump_error(class_("doing", "it", "ünlucky", "Try harder", retriable=True))
    )
    assert type(error) is class_
    assert (error.operation, error.object, error.cause, error.next_step, error.retriable) == (
        "doing",
        "it",
        "ünlucky",
        "Try harder",
        True,
    )


def test_a_field_of_a_newer_version_is_no_break() -> None:
    newer = b'{"changed": true, "text": "done", "took_seconds": 3}'
    assert codec.RESULT.validate_json(newer) == snapshots.CommandResult(True, "done")
