"""The data connection over a real socket: frames, order, time limits, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.conn import create_conn
from aiokafka.protocol.api import RequestHeader_v1

from engine.kafka import connection as module
from engine.kafka.connection import ConnectionLostError, DataConnection, adopt
from tests.unit.loopback import Peer, frame, listening, say_versions

VERSIONS = [(0, 0, 11), (1, 4, 17), (18, 0, 3)]
PATIENCE_S = 20.0


@asynccontextmanager
async def adopted(serve: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[DataConnection]:
    """Connect with aiokafka and adopt the connection, against a peer that serves like this."""

    async def whole(peer: Peer) -> None:
        await say_versions(peer, VERSIONS)
        await serve(peer)

    async with listening(whole) as port, asyncio.timeout(PATIENCE_S):
        data = adopt(await create_conn("127.0.0.1", port, client_id="ccr"))
        try:
            yield data
        finally:
            data.abort("the test is over")


async def hang(peer: Peer) -> None:
    """Read all and answer nothing."""
    while True:
        await peer.request()


def ask(data: DataConnection, body: bytes = b"", seconds: float = 9) -> asyncio.Future[memoryview]:
    """Send some request."""
    return data.send(1, 11, [body], seconds)


async def test_aiokafka_still_has_what_is_taken_over() -> None:
    """The private names that `adopt` relies on, with what it takes them for."""

    async def greet(peer: Peer) -> None:
        await say_versions(peer, VERSIONS)
        await hang(peer)

    async with listening(greet) as port, asyncio.timeout(PATIENCE_S):
        connection = await create_conn("127.0.0.1", port, max_idle_ms=60_000)
        assert isinstance(connection._writer, asyncio.StreamWriter)
        assert isinstance(connection._writer.transport, asyncio.Transport)
        assert isinstance(connection._read_task, asyncio.Task)
        assert isinstance(connection._idle_handle, asyncio.TimerHandle)
        assert isinstance(connection._reader, asyncio.StreamReader)
        assert connection._versions == {key: (low, high) for key, low, high in VERSIONS}
        assert connection.connected()
        read_task, idle = connection._read_task, connection._idle_handle

        data = adopt(connection)
        await asyncio.wait([read_task])
        assert read_task.cancelled()
        assert idle.cancelled()
        assert not connection.connected(), "it must neither close nor complain when collected"
        assert data.address == f"127.0.0.1:{port}"
        assert data.versions == {0: (0, 11), 1: (4, 17), 18: (0, 3)}
        data.abort("done")


async def test_what_set_it_up_may_be_collected_without_closing_it() -> None:
    async def echo(peer: Peer) -> None:
        request = await peer.request()
        await peer.answer(request, b"alive")

    async with adopted(echo) as data:
        gc.collect()
        assert bytes(await ask(data))[4:] == b"alive"


async def test_a_request_arrives_framed_as_aiokafka_frames_it() -> None:
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def keep(peer: Peer) -> None:
        (size,) = struct.unpack(">i", await peer.reader.readexactly(4))
        arrived.set_result(await peer.reader.readexactly(size))
        await hang(peer)

    class Fetch:
        API_KEY, API_VERSION = 1, 11

    async with adopted(keep) as data:
        body = [b"one", bytearray(b"two"), memoryview(b"-three-")[1:6]]
        data.send(1, 11, body, 9).add_done_callback(asyncio.Future.exception)
        expected = RequestHeader_v1(Fetch, 1, "ccr").encode() + b"onetwothree"
        assert await arrived == expected


async def test_many_requests_on_the_way_are_answered_each_with_its_own() -> None:
    async def later(peer: Peer) -> None:
        requests = [await peer.request() for _ in range(50)]
        for request in requests:
            await peer.answer(request, b"to " + request.body)

    async with adopted(later) as data:
        futures = [ask(data, str(number).encode()) for number in range(50)]
        frames = await asyncio.gather(*futures)
        assert [bytes(f[4:]) for f in frames] == [f"to {number}".encode() for number in range(50)]
        assert [struct.unpack_from(">i", f)[0] for f in frames] == list(range(1, 51))


ANSWERS = b"".join(frame(number, b"x" * (number - 1)) for number in range(1, 6))
SPLITS = [
    tuple(range(1, len(ANSWERS))),  # byte by byte
    (3, 5, 11, 12),  # inside sizes and ids
    (4,),
    (8, 16),
    (len(ANSWERS) - 1,),
    (),
]


@pytest.mark.parametrize("split", SPLITS)
async def test_frames_are_put_together_however_they_arrive(split: tuple[int, ...]) -> None:
    async def in_pieces(peer: Peer) -> None:
        for _ in range(5):
            await peer.request()
        await peer.send(ANSWERS, split_at=split)
        await hang(peer)

    async with adopted(in_pieces) as data:
        frames = await asyncio.gather(*(ask(data) for _ in range(5)))
        assert [bytes(f[4:]) for f in frames] == [b"x" * number for number in range(5)]


async def test_a_large_frame_is_handed_over_as_it_was_received() -> None:
    content = bytes(range(256)) * 20_000

    async def large(peer: Peer) -> None:
        await peer.answer(await peer.request(), content)

    async with adopted(large) as data:
        received = await ask(data)
        assert not received.readonly, "batches are stamped in place"
        assert received[4:] == content


async def ends_with(serve: Callable[[Peer], Awaitable[None]], words: str) -> None:
    """Check that everything that waits fails with these words, and everything after, too."""
    async with adopted(serve) as data:
        waiting = [ask(data), ask(data)]
        for future in waiting:
            with pytest.raises(ConnectionLostError, match=words):
                await future
        assert words in await data.closed
        assert words in data.why_closed()
        with pytest.raises(ConnectionLostError, match=words):
            await ask(data)
        await data.writable()


async def test_an_answer_out_of_turn_ends_it() -> None:
    async def swapped(peer: Peer) -> None:
        first, second = await peer.request(), await peer.request()
        await peer.answer(second, b"")
        await peer.answer(first, b"")

    await ends_with(swapped, "answered request 2 out of turn")


async def test_an_answer_that_nobody_asked_for_ends_it() -> None:
    async def unasked(peer: Peer) -> None:
        await peer.answer(await peer.request(), b"")
        await peer.send(frame(77, b"surprise"))
        await hang(peer)

    async with adopted(unasked) as data:
        await ask(data)
        assert "answered request 77 out of turn" in await data.closed


@pytest.mark.parametrize("size", [-1, 0, 3, module.MAX_FRAME_BYTES + 1, 2**31 - 1])
async def test_a_frame_of_an_impossible_size_ends_it_before_memory_is_taken(size: int) -> None:
    async def absurd(peer: Peer) -> None:
        await peer.request()
        await peer.send(struct.pack(">i", size) + b"and more")
        await hang(peer)

    await ends_with(absurd, f"announced a frame of {size} bytes")


async def test_the_broker_closes() -> None:
    async def close(peer: Peer) -> None:
        await peer.request()
        await peer.request()
        peer.writer.close()

    await ends_with(close, "the broker closed the connection")


async def test_the_broker_closes_in_the_middle_of_a_frame() -> None:
    async def half(peer: Peer) -> None:
        request = await peer.request()
        await peer.request()
        await peer.send(frame(request.correlation_id, b"x" * 100)[:50])
        peer.writer.close()

    await ends_with(half, "the broker closed the connection")


async def test_the_connection_is_reset() -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        await peer.request()
        sock = peer.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: close with RST
        peer.cut()

    await ends_with(reset, "ConnectionResetError")


async def test_ending_it_ourselves_says_our_reason() -> None:
    async with adopted(hang) as data:
        future = ask(data)
        data.abort("the flow was paused")
        data.abort("something later")
        with pytest.raises(ConnectionLostError, match=r"127.0.0.1:\d+: the flow was paused"):
            await future
        assert data.why_closed() == "the flow was paused"


async def test_no_answer_in_time_ends_it() -> None:
    """All that waits fails: a late answer must not be taken for another's."""
    async with adopted(hang) as data:
        began = time.monotonic()
        first, second = ask(data, seconds=0.2), ask(data, seconds=9)
        for future in (first, second):
            with pytest.raises(ConnectionLostError, match="no answer within 9 s"):
                await future
        assert 0.2 <= time.monotonic() - began < 5


async def test_an_answered_requests_time_limit_is_over() -> None:
    """The watchdog looks at the oldest unanswered request, not at those before it."""
    go_on = asyncio.Event()

    async def slowly(peer: Peer) -> None:
        await peer.answer(await peer.request(), b"")
        request = await peer.request()
        await go_on.wait()
        await peer.answer(request, b"late, but in time")

    async with adopted(slowly) as data:
        await ask(data, seconds=0.1)
        second = ask(data, seconds=9)
        asyncio.get_running_loop().call_later(0.3, go_on.set)
        assert bytes((await second)[4:]) == b"late, but in time"
        assert not data.closed.done()


async def test_a_shorter_limit_behind_a_longer_one_holds_once_it_is_the_oldest() -> None:
    async def only_the_first(peer: Peer) -> None:
        await peer.answer(await peer.request(), b"")
        await hang(peer)

    async with adopted(only_the_first) as data:
        began = time.monotonic()
        first, second = ask(data, seconds=15), ask(data, seconds=0.2)
        await first
        with pytest.raises(ConnectionLostError, match="no answer within"):
            await second
        assert time.monotonic() - began < 5


async def test_a_cancelled_wait_does_not_shift_the_answers() -> None:
    got: list[bytes] = []

    async def both(peer: Peer) -> None:
        for _ in range(2):
            request = await peer.request()
            got.append(request.body)
        await peer.send(frame(1, b"first") + frame(2, b"second"))

    async with adopted(both) as data:
        first, second = ask(data), ask(data)
        first.cancel()
        assert bytes((await second)[4:]) == b"second"


async def test_senders_are_held_back_while_the_socket_is_full() -> None:
    read_on = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await read_on.wait()
        for _ in range(40):
            await peer.answer(await peer.request(), b"")

    async with adopted(slow) as data:
        futures = []
        while data._writable.is_set():
            futures.append(ask(data, bytes(2 * 1024 * 1024)))
            assert len(futures) < 40
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(data.writable())
        await asyncio.sleep(0)
        assert not waiting.done()
        read_on.set()
        await waiting
        await asyncio.gather(*futures)


async def test_a_connection_that_ended_before_it_was_adopted_is_refused() -> None:
    """As when a broker that shuts down still answers ApiVersions."""
    async with (
        listening(lambda peer: say_versions(peer, VERSIONS)) as port,
        asyncio.timeout(PATIENCE_S),
    ):
        connection = await create_conn("127.0.0.1", port)
        await asyncio.wait([connection._read_task])
        with pytest.raises(ConnectionLostError, match="closed the connection during the set-up"):
            adopt(connection)


async def test_versions_decide_what_is_supported() -> None:
    async with adopted(hang) as data:
        assert data.supports(1, 11)
        assert data.supports(0, 11)
        assert not data.supports(0, 12)
        assert not data.supports(1, 3)
        assert not data.supports(61, 0)


async def test_before_it_has_a_transport_it_refuses() -> None:
    data = DataConnection("broker:9092", {})
    with pytest.raises(ConnectionLostError, match="broker:9092: not connected"):
        await ask(data)


async def test_a_slow_answer_may_take_longer_than_the_time_limit() -> None:
    """As long as bytes come in; when they stop within the frame, the limit runs from the last."""

    async def drip(peer: Peer) -> None:
        request = await peer.request()
        answer = frame(request.correlation_id, b"x" * 12)
        for byte in answer:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.05)  # the slow network
        request = await peer.request()
        await peer.send(frame(request.correlation_id, b"x" * 12)[:10])
        await hang(peer)

    async with adopted(drip) as data:
        assert bytes(await ask(data, seconds=0.3))[4:] == b"x" * 12
        began = time.monotonic()
        with pytest.raises(ConnectionLostError, match=r"no answer within 0\.3 s"):
            await ask(data, seconds=0.3)
        assert time.monotonic() - began < 2


async def test_a_large_request_may_take_longer_than_the_time_limit() -> None:
    """As long as the network takes some of it; when it takes no more, the connection ends."""
    size = 64 * 1024 * 1024
    enough = asyncio.Event()

    async def sip(peer: Peer) -> None:
        left = size // 2
        while left > 0:
            left -= len(await peer.reader.read(256 * 1024))
            await asyncio.sleep(0.01)  # the slow network
        enough.set()
        await asyncio.Event().wait()

    async with adopted(sip) as data:
        answer = ask(data, b"x" * size, seconds=0.3)
        await enough.wait()
        assert not answer.done()
        with pytest.raises(ConnectionLostError, match=r"no answer within 0\.3 s"):
            await answer


async def test_silence_counts_from_the_request_or_the_last_byte_and_only_while_one_is_due() -> None:
    go_on = asyncio.Event()

    async def late(peer: Peer) -> None:
        request = await peer.request()
        await go_on.wait()
        answer = frame(request.correlation_id, b"x" * 12)
        await peer.send(answer[:10])
        await peer.send(answer[10:])
        await hang(peer)

    async with adopted(late) as data:
        assert data.silent_for == 0.0, "nothing was asked"
        answer = ask(data, seconds=20)
        before = time.monotonic()
        while data.silent_for < 0.1:  # noqa: ASYNC110  (time passes, nobody tells)
            await asyncio.sleep(0.01)
        assert data.silent_for <= time.monotonic() - before + 0.05
        go_on.set()
        await answer
        assert data.silent_for == 0.0, "nothing is due"
        data.throttled(60_000)
        ask(data, seconds=20).cancel()
        await asyncio.sleep(0)
        assert data.silent_for == 0.0, "a quota's delay is announced"
