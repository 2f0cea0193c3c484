"""What a simulated socket runs follows from its power, its reset and its flash."""

import asyncio

import pytest

from simulator import images
from simulator.boot import Running
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.commands import Command
from simulator.factory import FactorySocket, blank, without
from simulator.faults import Fault, FaultName
from simulator.flash import Flash
from tests.simulator.host import LINK_CHECK, LINK_REPLY, Host, write_4k

FACTORY = FactorySocket().dump()
OPENBEKEN = images.flashed(FACTORY)
QUICK = Timings(link_window=0.05)
REBOOT = bytes.fromhex("01E0FC020EA5")


class Stub:
    """A firmware that notes when it runs."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.running = asyncio.Event()
        self.ended = asyncio.Event()

    def __call__(self, socket: SimulatedSocket, version: str) -> Stub:
        self.versions.append(version)
        return self

    async def run(self) -> None:
        self.running.set()
        self.ended.clear()
        try:
            await asyncio.Event().wait()
        finally:
            self.running.clear()
            self.ended.set()


@pytest.mark.parametrize(
    ("content", "running"),
    [
        (FACTORY, Running.FACTORY),
        (OPENBEKEN, Running.OPENBEKEN),
        (blank(), Running.NOTHING),
        (without(OPENBEKEN, 0x11000), Running.NOTHING),
        (without(OPENBEKEN, 0), Running.NOTHING),
        (images.flashed(FACTORY, last=0x80000), Running.NOTHING),
    ],
    ids=["factory", "OpenBeken", "blank", "no first sector", "no bootloader", "half"],
)
async def test_a_socket_starts_what_its_flash_holds(
    content: bytes, running: Running
) -> None:
    async with simulated_chip(content, timings=QUICK, in_rom=False) as socket:
        assert socket.running is Running.ROM
        assert socket.verdict is None
        async with asyncio.timeout(5):
            while socket.verdict is None:
                await asyncio.sleep(0.01)
        assert socket.running is running
        async with Host(socket.path) as host:
            assert await host.ask(LINK_CHECK, 8, timeout=0.2) == b""


async def test_a_link_check_in_the_window_keeps_it_in_the_rom() -> None:
    timings = Timings(link_window=0.3)
    async with (
        simulated_chip(FACTORY, timings=timings, in_rom=False) as socket,
        Host(socket.path) as host,
    ):
        await host.link()
        await asyncio.sleep(0.5)
        assert socket.running is Running.ROM
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY
        host.write(REBOOT * 3)
        async with asyncio.timeout(5):
            await socket.wait_until(Running.FACTORY)
        assert await host.read(1, timeout=0.1) == b""
    assert socket.resets == 2


async def test_after_a_reboot_it_listens_at_115200_again() -> None:
    async with simulated_chip(FACTORY) as socket, Host(socket.path) as host:
        await host.link()
        socket.uart.baudrate = 2000000
        host.write(REBOOT)
        await host.link()
        assert socket.uart.baudrate == 115200


async def test_a_patient_person_resets_it_when_link_checks_come() -> None:
    async with simulated_chip(
        FACTORY, timings=QUICK, in_rom=False, auto_reset=0.1
    ) as socket:
        await socket.wait_until(Running.FACTORY)
        await asyncio.sleep(0.3)
        assert socket.resets == 1
        async with Host(socket.path) as host, asyncio.timeout(5):
            await host.link()
        assert socket.resets == 2
        assert socket.running is Running.ROM


async def test_openbeken_is_told_its_version_and_loses_power_at_once() -> None:
    stub = Stub()
    async with simulated_chip(
        OPENBEKEN, timings=QUICK, in_rom=False, firmware=stub
    ) as socket:
        async with asyncio.timeout(5):
            await stub.running.wait()
            assert stub.versions == ["1.18.300"]
            assert "1.18.300" in socket.uart2_log
            socket.power(on=False)
            await stub.ended.wait()
            assert socket.running is Running.NOTHING
            socket.power(on=True)
            await stub.running.wait()
    assert stub.ended.is_set()
    assert socket.failure is None


async def test_openbeken_ends_when_the_chip_is_reset_into_the_rom() -> None:
    stub = Stub()
    async with simulated_chip(
        OPENBEKEN, timings=QUICK, in_rom=False, firmware=stub, auto_reset=0.05
    ) as socket:
        async with asyncio.timeout(5):
            await stub.running.wait()
            async with Host(socket.path) as host:
                await host.link()
            await stub.ended.wait()
        assert socket.running is Running.ROM
        assert socket.firmware is None


async def test_a_firmware_that_fails_is_known() -> None:
    class Broken(Stub):
        async def run(self) -> None:
            raise ZeroDivisionError

    async with simulated_chip(
        OPENBEKEN, timings=QUICK, in_rom=False, firmware=Broken()
    ) as socket:
        async with asyncio.timeout(5):
            while socket.failure is None:
                await asyncio.sleep(0.01)
        assert isinstance(socket.failure, ZeroDivisionError)


async def test_the_mac_comes_from_the_rf_calibration() -> None:
    mac = "02:aa:bb:cc:dd:ee"
    async with simulated_chip(FactorySocket(mac=mac).dump()) as socket:
        assert socket.mac == mac
        socket.flash.erase(0x1D0000)
        assert socket.mac == "c8:47:8c:00:00:00"


async def test_a_chip_boots_only_with_the_key_of_its_code() -> None:
    key = (0, 0, 0, 0)
    content = FactorySocket(code_key=key).dump()
    async with simulated_chip(
        content, timings=QUICK, in_rom=False, code_key=key
    ) as socket:
        async with asyncio.timeout(5):
            await socket.wait_until(Running.FACTORY)


async def test_every_power_cut_of_a_write_leaves_the_rom_reachable() -> None:
    """Whatever a cut leaves in the flash, the next session can write it again."""
    sector = FACTORY[0x12000:0x13000]
    flash = Flash(FACTORY)
    async with simulated_chip(flash) as socket, Host(socket.path) as host:
        for byte in range(0, 4108, 411):
            await host.link()
            socket.inject(
                Fault(
                    name=FaultName.POWER_LOST,
                    command=Command.WRITE_4K,
                    byte=byte,
                    seconds=0.01,
                )
            )
            flash.erase(0x12000)
            await host.ask(write_4k(0x12000, sector), 15, timeout=0.05)
            assert socket.flash.read(0x13000, 16) == FACTORY[0x13000:0x13010]
        await host.link()
        flash.erase(0x12000)
        await host.ask(write_4k(0x12000, sector), 15)
        assert flash.content == FACTORY
