"""The simulated line: its pace, its rate and its adapter."""

import asyncio
from pathlib import Path
import random
import time

import pytest

from simulator.bootrom import Timings
from simulator.chip import simulated_chip
from simulator.flash import SIZE, Flash
from simulator.uart import LineOptions
from tests.simulator.host import (
    LINK_CHECK,
    LINK_REPLY,
    Host,
    erase,
    read_4k,
    set_baudrate,
    write_4k,
)

CONTENT = random.Random(1).randbytes(SIZE)


async def test_as_made_the_line_is_fast_and_faithful() -> None:
    async with simulated_chip(CONTENT) as chip, Host(chip.path) as host:
        await host.link()
        answer = await host.ask(read_4k(0x11000), 4111)
        assert answer[15:] == CONTENT[0x11000:0x12000]


@pytest.mark.parametrize(
    ("baudrate", "latency"), [(115200, 0.001), (921600, 0.001), (921600, 0.016)]
)
async def test_a_paced_answer_takes_the_time_of_its_bytes(
    baudrate: int, latency: float
) -> None:
    line = LineOptions(pacing=True, latency=latency)
    async with (
        simulated_chip(CONTENT, line=line) as chip,
        Host(chip.path, baudrate) as host,
    ):
        chip.uart.baudrate = baudrate
        await host.link()
        started = time.monotonic()
        await host.ask(read_4k(0), 4111)
        took = time.monotonic() - started
    # The last packet waits from its first byte on. Never early; how late depends on
    # the machine.
    due = (12 + 4111 - 62) * 10 / baudrate + latency
    assert due <= took < due + 0.5


async def test_a_second_read_in_flight_saves_the_latency() -> None:
    line = LineOptions(pacing=True, latency=0.05)
    async with (
        simulated_chip(CONTENT, line=line) as chip,
        Host(chip.path, 921600) as host,
    ):
        chip.uart.baudrate = 921600
        await host.link()
        started = time.monotonic()
        answer = await host.ask(read_4k(0) + read_4k(0x1000) + read_4k(0x2000), 12333)
        took = time.monotonic() - started
    assert answer[8237:] == CONTENT[0x2000:0x3000]
    due = (12 + 3 * 4111 - 62) * 10 / 921600 + 0.05
    assert due <= took < due + 0.5


async def test_one_full_packet_does_not_wait_for_the_latency_timer() -> None:
    line = LineOptions(pacing=True, latency=10.0)
    async with (
        simulated_chip(CONTENT, line=line) as chip,
        Host(chip.path, 921600) as host,
    ):
        chip.uart.baudrate = 921600
        # Eight answers of eight bytes: one packet of 62 and two bytes that wait.
        assert len(await host.ask(LINK_CHECK * 8, 64, timeout=1)) == 62


async def test_another_rate_makes_garbage_both_ways() -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as chip, Host(chip.path, 921600) as host:
        assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""
        host.set_baudrate(115200)
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY
        host.write(LINK_CHECK)
        chip.uart.baudrate = 2000000
        answer = await host.ask(LINK_CHECK, 8, timeout=0.5)
        assert LINK_REPLY not in answer


async def test_a_change_of_rate_takes_effect_before_its_answer() -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as chip, Host(chip.path) as host:
        await host.link()
        host.write(set_baudrate(2000000, delay=200))
        # As a host does that the system let wait: sent and switched in one go.
        host.set_baudrate(2000000)
        answer = await host.read(12)
        assert answer.hex() == "040e0901e0fc0f80841e00c8"
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_a_host_that_stays_behind_hears_garbage() -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as chip, Host(chip.path) as host:
        await host.link()
        answer = await host.ask(set_baudrate(921600), 12)
        assert len(answer) == 12
        assert not answer.startswith(b"\x04\x0e\x09")


async def test_a_busy_chip_loses_what_its_fifo_does_not_hold() -> None:
    line = LineOptions(pacing=True, receive_fifo=256)
    timings = Timings(erase_4k=0.1, silence=0.2)
    async with (
        simulated_chip(CONTENT, line=line, timings=timings) as chip,
        Host(chip.path, 921600) as host,
    ):
        chip.uart.baudrate = 921600
        await host.link()
        host.write(erase(0x1000) + write_4k(0x1000, bytes(4096)))
        assert len(await host.read(16)) == 16
        # 244 bytes of data came through: no whole page. The frame is given up.
        assert (await host.read(15)).hex().endswith("060007" + "05" + "00100000")
    assert chip.flash.read(0x1000, 4096) == b"\xff" * 4096


async def test_reads_in_flight_fit_into_the_fifo() -> None:
    line = LineOptions(pacing=True, receive_fifo=256)
    async with (
        simulated_chip(CONTENT, line=line) as chip,
        Host(chip.path, 921600) as host,
    ):
        chip.uart.baudrate = 921600
        await host.link()
        answer = await host.ask(b"".join(read_4k(0x1000 * n) for n in range(8)), 32888)
        assert len(answer) == 32888


async def test_pulling_the_adapter_is_an_error_and_the_chip_stays_linked(
    tmp_path: Path,
) -> None:
    async with simulated_chip(CONTENT) as chip:
        path = chip.path
        async with Host(path) as host:
            await host.link()
            chip.unplug(0)
            await host.read(1)
            assert host.error is not None
        assert not Path(path).exists()
        chip.plug()
        async with Host(path) as host:
            answer = await host.ask(bytes.fromhex("01E0FC050300008000"), 15)
            assert answer[11:13] == bytes.fromhex("1C23")


async def test_what_comes_while_nobody_listens_is_lost() -> None:
    async with simulated_chip(CONTENT) as chip:
        async with Host(chip.path) as host:
            await host.link()
        await asyncio.sleep(0.1)
        chip.uart.send(b"unheard", time.monotonic())
        async with Host(chip.path) as host:
            assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_one_chip_costs_next_to_nothing_while_idle() -> None:
    async with simulated_chip(Flash()) as chip, Host(chip.path) as host:
        await host.link()
        before = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - before < 0.1
