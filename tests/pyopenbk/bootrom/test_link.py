"""Opening, searching, baud rates and recovery of the link."""

import asyncio
import fcntl
import os
from pathlib import Path
import sys
import time
import tracemalloc

import pytest
import serialx

from custom_components.openbk.pyopenbk.beken.flash_map import (
    SECTOR_SIZE,
    OutsideAllowanceError,
)
from custom_components.openbk.pyopenbk.bootrom import frames
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    BaudRateLostError,
    LinkLostError,
    PortTrouble,
    PortUnavailableError,
)
from custom_components.openbk.pyopenbk.bootrom.frames import EraseSize
from custom_components.openbk.pyopenbk.bootrom.link import Link, open_link
from custom_components.openbk.pyopenbk.bootrom.search import Observation, observe
from custom_components.openbk.pyopenbk.checksums import crc32_jamcrc
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Flash
from simulator.uart import LineOptions
from tests.support.flash_map import FLASH_JOB
from tests.support.serial_server import proxied, served

from .rig import Counted, factory_like, linked_chip


def open_ports() -> set[str]:
    """Return the terminals that this process has open."""
    names = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            names.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    return {name for name in names if name.startswith("/dev/pts/")}


# Opening and closing


async def test_what_goes_over_the_line_reaches_no_log(
    socket: SimulatedSocket, faults: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even a debug log, which Home Assistant's default level may be."""
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", "serialx.descriptor_transport")
    secret = b"correct horse battery"
    config = (secret * 20).ljust(0x1000, b"\0")
    # What is said of a request that goes wrong is logged as well.
    faults.add(Fault(name=FaultName.REPLY_DROPPED, command=Command.WRITE_4K))
    async with linked_chip(socket) as chip:
        await chip.program(0x1D1000, config, allowance=FLASH_JOB)
        assert await chip.read(0x1D1000, 0x1000) == config
    assert "Writing goes on after: no answer to write sector" in caplog.text
    assert secret.decode() not in caplog.text
    assert secret[:4].hex(" ") not in caplog.text
    # Others who use the library get their debug log back.
    caplog.clear()
    async with simulated_chip(Flash(factory_like())) as other:
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(), asyncio.Protocol, other.path, baudrate=115200
        )
        transport.write(secret)
        transport.abort()
        await transport.wait_closed()
    assert secret.decode() in caplog.text


async def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PortUnavailableError) as caught:
        async with open_link(str(tmp_path / "ttyUSB0")):
            pass
    assert caught.value.reason is PortTrouble.MISSING


async def test_a_port_that_somebody_else_has(socket: SimulatedSocket) -> None:
    descriptor = os.open(socket.path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(PortUnavailableError) as caught:
            async with open_link(socket.path):
                pass
    finally:
        os.close(descriptor)
    assert caught.value.reason is PortTrouble.BUSY


@pytest.mark.parametrize("address", ["socket://127.0.0.1", "nonsense://a:1", __file__])
async def test_an_address_that_is_no_serial_port(address: str) -> None:
    with pytest.raises(PortUnavailableError) as caught:
        async with open_link(address):
            pass
    assert caught.value.reason is PortTrouble.UNSUPPORTED


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_server_that_is_not_there(unused_tcp_port: int, scheme: str) -> None:
    with pytest.raises(PortUnavailableError) as caught:
        async with open_link(f"{scheme}://127.0.0.1:{unused_tcp_port}"):
            pass
    assert caught.value.reason is PortTrouble.UNREACHABLE


async def test_the_port_is_released(socket: SimulatedSocket) -> None:
    async with open_link(socket.path):
        assert os.path.realpath(socket.path) in open_ports()
    assert os.path.realpath(socket.path) not in open_ports()


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02, 0.06, 0.11, 0.2, 0.35])
async def test_the_port_is_released_when_cancelled_at_any_time(
    socket: SimulatedSocket, seconds: float
) -> None:
    async def job() -> None:
        async with linked_chip(socket) as chip:
            while True:
                await chip.read(0, 0x200000)

    task = asyncio.create_task(job())
    await asyncio.sleep(seconds)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.path.realpath(socket.path) not in open_ports()


async def test_a_job_that_was_cancelled_can_be_taken_up_on_the_same_link(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    for turn in range(20):
        task = asyncio.create_task(chip.read(0, 0x200000))
        await asyncio.sleep(0.002 * turn)
        task.cancel()
        await asyncio.wait([task])
        assert await chip.read(0x10000, 0x4000) == socket.flash.read(0x10000, 0x4000)


# Searching


async def test_a_chip_is_found_after_its_reset() -> None:
    async with simulated_chip(in_rom=False) as socket, open_link(socket.path) as link:
        await asyncio.sleep(0.4)
        assert not (await link.search(0.2)).linked
        asyncio.get_running_loop().call_later(0.3, socket.reset)
        report = await link.search(10)
        assert report.linked
        assert report.baudrate == 115200
        assert report.observation is Observation.LINKED


async def test_no_answer_of_the_search_is_left_for_later(
    socket: SimulatedSocket,
) -> None:
    async with open_link(socket.path) as link:
        socket.inject(
            Fault(
                name=FaultName.STALE_LINK_REPLIES, command=Command.LINK_CHECK, count=5
            )
        )
        assert (await link.search(3)).linked
        await LinkedChip.identify(link)
        assert link.failures == 0


@pytest.mark.parametrize("baudrate", [921_600, 2_000_000])
async def test_a_chip_is_found_at_the_rate_where_it_was_left(
    baudrate: int,
) -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as socket:
        async with linked_chip(socket, highest=baudrate) as chip:
            assert chip.identity.baudrate == baudrate
        async with open_link(socket.path) as link:
            report = await link.search(10)
            assert report.linked
            assert report.baudrate == baudrate


@pytest.mark.parametrize(
    ("fault", "observation"),
    [
        (Fault(name=FaultName.DISCONNECTED), Observation.NOTHING),
        (Fault(name=FaultName.ECHO), Observation.ECHO),
        (Fault(name=FaultName.BOOT_LOG), Observation.BOOT_LOG),
        (Fault(name=FaultName.NOISE, count=500), Observation.NOISE),
    ],
)
async def test_what_is_heard_instead_of_a_chip_is_told(
    fault: Fault, observation: Observation
) -> None:
    async with simulated_chip(in_rom=False) as socket, open_link(socket.path) as link:
        await asyncio.sleep(0.4)
        socket.inject(fault)
        report = await link.search(0.5)
        assert not report.linked
        assert report.observation is observation
        assert bool(report.sample) == (observation is not Observation.NOTHING)


async def test_answers_that_make_no_sense_are_told_from_noise() -> None:
    async with simulated_chip() as socket, open_link(socket.path) as link:
        socket.inject(
            Fault(
                name=FaultName.REPLY_FLIPPED,
                command=Command.LINK_CHECK,
                times=0,
                count=8,
            )
        )
        report = await link.search(0.3)
        assert report.observation is Observation.OTHER_BAUD


@pytest.mark.parametrize(
    "fault",
    [
        Fault(name=FaultName.NOISE, count=200),
        Fault(name=FaultName.BOOT_LOG, seconds=1.5),
    ],
)
async def test_a_chip_is_found_among_other_bytes(
    socket: SimulatedSocket, fault: Fault
) -> None:
    socket.inject(fault)
    async with open_link(socket.path) as link:
        assert (await link.search(3)).linked


@pytest.mark.parametrize(
    ("sample", "unasked", "observation"),
    [
        (b"", False, Observation.NOTHING),
        (b"\x01\xe0\xfc\x01\x00" * 3, False, Observation.ECHO),
        (b"V:BK7231N_1.0.1\r\nCPSR:000000D3\r\n", True, Observation.BOOT_LOG),
        (b"\x00\xf8\x80\x00\x1c\xe0", False, Observation.OTHER_BAUD),
        (b"\x00\xf8\x80\x00\x1c\xe0", True, Observation.NOISE),
    ],
)
def test_samples_are_told_apart(
    sample: bytes, unasked: bool, observation: Observation
) -> None:
    assert observe(sample, unasked=unasked) is observation


# Baud rates


async def test_the_best_rate_is_taken(socket: SimulatedSocket) -> None:
    async with open_link(socket.path) as link:
        await link.search(3)
        assert await link.set_baudrate() == 2_000_000
        assert socket.uart.baudrate == 2_000_000
        assert await link.set_baudrate(460_800) == 460_800
        assert socket.uart.baudrate == 460_800


async def test_after_a_rate_at_which_nothing_arrives_a_much_lower_one_is_tried() -> (
    None
):
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as socket:
        socket.inject(Fault(name=FaultName.BAUDRATE_LIMIT, baudrate=921_600))
        async with open_link(socket.path, patience=0.1) as link:
            await link.search(3)
            with pytest.raises(BaudRateLostError) as caught:
                await link.set_baudrate()
            assert caught.value.rate > 921_600
            socket.reset()
            assert (await link.search(3)).linked
            assert await link.set_baudrate() == 460_800


async def test_a_rate_at_which_bytes_get_damaged_is_left_for_a_lower_one() -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as socket:
        socket.inject(Fault(name=FaultName.BIT_ERRORS, baudrate=921_600, count=1500))
        async with open_link(socket.path, patience=0.1) as link:
            await link.search(3)
            assert await link.set_baudrate() == 921_600
            # What was found wanting is not tried again.
            assert await link.set_baudrate() == 921_600


@pytest.mark.parametrize(
    "fault",
    [
        Fault(name=FaultName.REPLY_DROPPED, command=Command.SET_BAUDRATE),
        Fault(name=FaultName.REPLY_LATE, command=Command.SET_BAUDRATE, seconds=0.5),
        Fault(name=FaultName.REPLY_FLIPPED, command=Command.SET_BAUDRATE, byte=8),
        Fault(name=FaultName.REPLY_TWICE, command=Command.SET_BAUDRATE),
        Fault(name=FaultName.STALE_LINK_REPLIES, command=Command.SET_BAUDRATE, count=3),
        Fault(name=FaultName.REQUEST_DROPPED, command=Command.SET_BAUDRATE),
        Fault(name=FaultName.REQUEST_LOST, command=Command.SET_BAUDRATE, byte=7),
    ],
)
async def test_a_baud_change_survives(fault: Fault) -> None:
    line = LineOptions(baudrate_matters=True)
    async with simulated_chip(line=line) as socket:
        socket.inject(fault)
        async with open_link(socket.path) as link:
            await link.search(3)
            assert await link.set_baudrate() == 2_000_000
            await LinkedChip.identify(link)


# Turn by turn of the event loop, next to no simulated time passes.
@pytest.mark.real_time
async def test_bytes_that_come_while_the_rate_changes_do_no_harm(
    socket: SimulatedSocket,
) -> None:
    async def chatter() -> None:
        while True:
            socket.uart.port.write(b"never silent")
            await asyncio.sleep(0)

    async with open_link(socket.path, patience=0.02) as link:
        await link.search(3)
        await link.set_baudrate(921_600)
        socket.hang()
        noise = asyncio.create_task(chatter())
        for _ in range(18):
            with pytest.raises(LinkLostError):
                await link.relink()
        noise.cancel()


# Addresses of other hosts


async def test_a_port_on_the_network_keeps_its_rate(socket: SimulatedSocket) -> None:
    async with (
        served(socket.path) as server,
        open_link(server.address) as link,
    ):
        assert (await link.search(3)).linked
        assert await link.set_baudrate() == 115_200
        assert socket.uart.baudrate == 115_200
        chip = await LinkedChip.identify(link)
        assert await chip.read(0, 0x20000) == socket.flash.read(0, 0x20000)


async def test_a_port_some_way_off_that_can_be_told_its_rate_takes_the_best(
    socket: SimulatedSocket,
) -> None:
    async with served(socket.path, delay=0.02) as server:
        with proxied(server) as address:
            async with open_link(address) as link:
                assert (await link.search(5)).linked
                assert await link.set_baudrate() == 2_000_000
                assert socket.uart.port.host_baudrate == 2_000_000
                chip = await LinkedChip.identify(link)
                assert await chip.read(0, 0x20000) == socket.flash.read(0, 0x20000)


@pytest.mark.real_time
async def test_a_port_on_the_network_that_can_be_told_its_rate_changes_it(
    socket: SimulatedSocket,
) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.pyopenbk.bootrom.rfc2217_server"),
        socket.path,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        port = int(await server.stdout.readline())
        async with open_link(f"rfc2217://127.0.0.1:{port}") as link:
            assert (await link.search(5)).linked
            assert await link.set_baudrate(921_600) == 921_600
            assert socket.uart.port.host_baudrate == 921_600
            chip = await LinkedChip.identify(link)
            assert await chip.read(0, 0x20000) == socket.flash.read(0, 0x20000)
        await server.wait()
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


# Requests


async def test_nothing_is_erased_or_written_without_allowance(
    socket: SimulatedSocket, link: Link
) -> None:
    sector = frames.write_sector(0x1D0000, bytes(4096))
    for request in (
        sector,
        frames.erase(0x10000, EraseSize.SECTOR),
        frames.erase(0x10000, EraseSize.BLOCK),
        frames.erase(0x120000, EraseSize.BLOCK),
        frames.erase(0x1D0000, EraseSize.BLOCK),
    ):
        with pytest.raises(OutsideAllowanceError):
            link.send(request, FLASH_JOB)
        with pytest.raises(OutsideAllowanceError):
            await link.exchange(request, allowance=FLASH_JOB)
    with pytest.raises(OutsideAllowanceError):
        await link.exchange(frames.erase(0x11000, EraseSize.SECTOR))
    assert socket.flash.counts.operations == socket.flash.counts.refused == 0


async def test_waiting_for_an_answer_takes_no_more_memory_than_the_answer(
    link: Link,
) -> None:
    """Mapping memory for many times as much at each read is a fourth of all processor time."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await link.exchange(frames.read_sector(0))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert SECTOR_SIZE < most - before < 32 * SECTOR_SIZE


async def test_a_silent_chip_is_lost_after_a_while(
    socket: SimulatedSocket, link: Link
) -> None:
    socket.inject(Fault(name=FaultName.HANG, command=Command.CRC))
    started = time.monotonic()
    with pytest.raises(LinkLostError):
        await link.crc(0, 0x1000)
    assert time.monotonic() - started < 5
    with pytest.raises(LinkLostError):
        await link.relink()


async def test_an_adapter_that_is_pulled(socket: SimulatedSocket, link: Link) -> None:
    socket.inject(Fault(name=FaultName.UNPLUGGED, command=Command.READ_4K, byte=5))
    with pytest.raises(PortUnavailableError) as caught:
        await link.exchange(frames.read_sector(0))
    assert caught.value.reason is PortTrouble.UNPLUGGED
    with pytest.raises(PortUnavailableError):
        await link.search(1)


async def test_a_chip_that_takes_nothing_ahead_is_asked_one_by_one() -> None:
    line = LineOptions(receive_fifo=0)
    timings = Timings(read_4k=0.002, crc_bytes_per_second=10_000_000)
    flash = Flash(factory_like())
    async with (
        simulated_chip(flash, line=line, timings=timings) as socket,
        linked_chip(socket, patience=0.1) as chip,
    ):
        assert await chip.read(0, 0x30000) == flash.read(0, 0x30000)
        assert not chip.link.sends_ahead
        failures = chip.link.failures
        assert await chip.read(0, 0x30000) == flash.read(0, 0x30000)
        assert chip.link.failures == failures


async def test_the_crc_of_one_question_is_not_taken_for_the_next(
    socket: SimulatedSocket, link: Link
) -> None:
    expected = [await link.crc(start, 0x1000) for start in range(0, 0x8000, 0x1000)]
    for fault in (FaultName.REPLY_TWICE, FaultName.REPLY_DROPPED):
        for nth in (1, 3, 4):
            socket.inject(Fault(name=fault, command=Command.CRC, nth=nth))
        socket.inject(Fault(name=fault, command=Command.LINK_CHECK, nth=5))
    found = [await link.crc(start, 0x1000) for start in range(0, 0x8000, 0x1000)]
    assert found == expected


async def test_no_crc_is_taken_for_the_next_where_nothing_is_sent_ahead() -> None:
    line = LineOptions(receive_fifo=0)
    timings = Timings(read_4k=0.002, crc_bytes_per_second=10_000_000)
    flash = Flash(factory_like())
    async with (
        simulated_chip(flash, line=line, timings=timings) as socket,
        linked_chip(socket, patience=0.1) as chip,
    ):
        await chip.read(0, 0x30000)
        link = chip.link
        assert not link.sends_ahead
        for nth in (1, 3, 4):
            socket.inject(
                Fault(name=FaultName.REPLY_TWICE, command=Command.CRC, nth=nth)
            )
        for start in range(0, 0x8000, 0x1000):
            assert await link.crc(start, 0x1000) == crc32_jamcrc(
                flash.read(start, 0x1000)
            )


async def test_a_request_that_hit_other_flash_is_noticed(
    socket: SimulatedSocket, link: Link
) -> None:
    await (await LinkedChip.identify(link)).unprotect()
    socket.inject(Fault(name=FaultName.REQUEST_FLIPPED, command=Command.ERASE, byte=11))
    await link.exchange(frames.erase(0x11000, EraseSize.SECTOR), allowance=FLASH_JOB)
    assert socket.flash.read(0x11000, 0x1000) == b"\xff" * 0x1000
    ((start, length),) = link.stray_changes
    assert length == 0x1000
    assert socket.flash.read(start % 0x200000, length) == b"\xff" * 0x1000
