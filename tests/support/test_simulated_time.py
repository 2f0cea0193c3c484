"""Tests go by a clock that stands still while there is work and jumps when all is quiet."""

import asyncio
from datetime import datetime
import os
import pty
import threading
import time
import tty

from homeassistant.util import dt as dt_util
import pytest

from tests.support.broker import Broker
from tests.support.simulated_time import NOW, STEP, SimulatedTimeLoop, real_monotonic
from tests.support.waiting import until

# CONNECT and PINGREQ of MQTT 3.1.1, and the lengths of their answers.
CONNECT = bytes.fromhex("101300044d5154540402003c0007") + b"support"
PING = bytes.fromhex("c000")
# Less than any process needs for anything; some turns of the loop fit in.
MOMENT = 100 * STEP


def told() -> list[float]:
    """Return the time by everyone who tells it, in seconds of their own."""
    return [
        asyncio.get_running_loop().time(),
        time.monotonic(),
        time.time(),
        dt_util.utcnow().timestamp(),
        dt_util.now().timestamp(),
    ]


async def test_an_hour_passes_at_once_for_everybody() -> None:
    real, before = real_monotonic(), told()
    await asyncio.sleep(3600)
    after = told()
    assert real_monotonic() - real < 60
    passed = [end - start for start, end in zip(before, after, strict=True)]
    assert passed == pytest.approx([3600] * 5, abs=1)
    assert abs(datetime.now().timestamp() - before[2]) < 60


async def test_a_clock_that_is_set_moves_no_timer() -> None:
    before = told()
    NOW.set_clock(86400)
    passed = [end - start for start, end in zip(before, told(), strict=True)]
    assert passed == pytest.approx([0, 0, 86400, 86400, 86400], abs=1)
    NOW.set_clock(-86400)


async def test_it_begins_with_the_time_of_the_machine() -> None:
    assert abs(dt_util.utcnow().timestamp() - datetime.now().timestamp()) < 60


async def test_timers_ring_in_their_order_and_at_their_moment() -> None:
    loop = asyncio.get_running_loop()
    start, rung = loop.time(), list[float]()
    for seconds in (86400, 0.001, 7, 0.0005):
        loop.call_later(seconds, lambda: rung.append(loop.time() - start))
    await asyncio.sleep(90000)
    assert rung == pytest.approx([0.0005, 0.001, 7, 86400], abs=MOMENT)


async def test_it_stands_still_while_a_thread_works() -> None:
    loop = asyncio.get_running_loop()

    def count() -> int:
        end, turns = real_monotonic() + 0.2, 0
        while real_monotonic() < end:
            turns += 1
        return turns

    async with asyncio.timeout(MOMENT):
        assert await loop.run_in_executor(None, count)


async def test_a_thread_that_waits_for_a_time_is_not_waited_for_in_vain() -> None:
    def wait() -> float:
        start = time.monotonic()
        while time.monotonic() < start + 5:
            time.sleep(0.01)
        return time.monotonic() - start

    real = real_monotonic()
    assert await asyncio.to_thread(wait) >= 5
    assert real_monotonic() - real < 4


async def test_a_thread_may_wait_for_somebody_who_waits_for_a_timer() -> None:
    rung = threading.Event()
    asyncio.get_running_loop().call_later(6, rung.set)
    assert await asyncio.to_thread(rung.wait)


async def test_bytes_to_a_process_and_back_take_no_time(mosquitto: Broker) -> None:
    reader, writer = await asyncio.open_connection(mosquitto.host, mosquitto.port)
    writer.write(CONNECT)
    for _ in range(200):
        async with asyncio.timeout(MOMENT):
            await reader.readexactly(4 if _ == 0 else 2)
        writer.write(PING)
    writer.close()


async def test_bytes_that_nobody_takes_hold_up_nothing() -> None:
    taken, much = asyncio.get_running_loop().create_future(), bytes(20_000_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)
        async with asyncio.timeout(2):
            taken.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(
            *server.sockets[0].getsockname(), limit=1000
        )
        writer.write(much)
        writer.write_eof()
        assert await taken == much
        assert await reader.read() == b""
        writer.close()


async def test_bytes_in_a_pseudo_terminal_take_no_time() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    for end in (ours, theirs):
        os.set_blocking(end, False)
    loop.add_reader(ours, lambda: os.write(ours, os.read(ours, 9)))
    received: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(theirs, lambda: received.put_nowait(os.read(theirs, 9)))
    for _ in range(200):
        async with asyncio.timeout(MOMENT):
            os.write(theirs, b"echo")
            assert await received.get() == b"echo"
    for end in (ours, theirs):
        loop.remove_reader(end)
        os.close(end)


async def test_a_condition_is_met_when_it_is() -> None:
    loop = asyncio.get_running_loop()
    start, things = loop.time(), list[int]()
    loop.call_later(1800, things.append, 1)
    await until(lambda: things)
    assert loop.time() - start == pytest.approx(1800, abs=MOMENT)
    with pytest.raises(AssertionError, match="in vain"):
        await until(lambda: len(things) > 1)
    loop.call_later(1800, lambda: None)
    with pytest.raises(ZeroDivisionError):
        await until(lambda: len(things) > 1 / (loop.time() < start + 6000))


def test_who_waits_for_ever_is_told() -> None:
    async def tick() -> None:
        while True:
            await asyncio.sleep(86400)

    with (
        asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner,
        pytest.raises(RuntimeError, match="still waits"),
    ):
        runner.run(tick())


async def test_a_process_is_refused() -> None:
    with pytest.raises(RuntimeError, match="real time"):
        await asyncio.create_subprocess_exec("true")


async def test_other_threads_may_not_schedule() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(RuntimeError, match="thread"):
        await asyncio.to_thread(loop.call_soon, print)
    with pytest.raises(RuntimeError, match="thread"):
        await asyncio.to_thread(loop.call_later, 1, print)


@pytest.mark.real_time
async def test_real_time_is_left_alone() -> None:
    real, told = real_monotonic(), time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - told == pytest.approx(real_monotonic() - real, abs=0.1)
