"""An upload over Wi-Fi, the restart after it, and what the chip runs then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
import json
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import build
from simulator import images
from simulator.boot import Running
from simulator.bootrom import Timings
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip
from simulator.clock import Clock
from simulator.factory import FactorySocket
from simulator.firmware import OpenBekenOnSocket
from simulator.flash import Flash
from simulator.meter import Bl0937
from simulator.openbeken import OpenBeken
from tests.simulator.openbeken.rig import CLIENT, Listener, body, configuration
from tests.support.broker import Broker

QUICK = Timings(link_window=0.05)
ROOM = 0xA6000


@asynccontextmanager
async def updatable_socket(
    port: int = 1, chip: Chip = Chip.BK7231N
) -> AsyncIterator[SimulatedSocket]:
    """Run a chip with an older OpenBeken that knows its network and its broker."""
    clock = Clock(50)
    content = images.flashed(
        FactorySocket(chip=chip).dump(),
        replace(images.OF_THE_GUIDE, chip=chip),
        build(configuration(port)),
    )
    async with simulated_chip(
        Flash(content, status=0x4004),
        timings=QUICK,
        chip=chip,
        in_rom=False,
        firmware=OpenBekenOnSocket(Bl0937(clock)),
    ) as socket:
        socket.clock = clock
        await until(lambda: serving(socket))
        yield socket


def serving(socket: SimulatedSocket) -> bool:
    return isinstance(socket.firmware, OpenBeken) and bool(socket.firmware.http_address)


async def until(satisfied: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not satisfied():
            await asyncio.sleep(0.01)


async def ask(socket: SimulatedSocket, method: str, target: str, data: bytes) -> bytes:
    assert isinstance(socket.firmware, OpenBeken)
    host, port = str(socket.firmware.http_address).split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        head = f"{method} {target} HTTP/1.1\r\nContent-Length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


async def update(socket: SimulatedSocket, image: bytes) -> None:
    """Upload an image and ask for a restart, which goes through the bootloader."""
    answer = await ask(socket, "POST", "/api/ota", image)
    assert json.loads(body(answer)) == {"size": len(image)}
    before = socket.firmware
    await ask(socket, "POST", "/api/reboot", b"")
    await until(lambda: socket.firmware is not before)


async def build_of(socket: SimulatedSocket) -> str:
    await until(lambda: serving(socket))
    info = json.loads(body(await ask(socket, "GET", "/api/info", b"")))
    return str(info["build"])


@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
async def test_a_complete_update_is_what_the_socket_says_it_runs(
    mosquitto: Broker, chip: Chip
) -> None:
    async with (
        Listener(mosquitto) as listener,
        updatable_socket(mosquitto.port, chip) as socket,
    ):
        topic = f"{CLIENT}/build"
        said = await listener.message(topic)
        assert said.payload.endswith(" version 1.17.360")
        await update(socket, images.ota(images.Build(chip=chip)))
        await listener.message(topic, f"Open{chip} 1.18.300 Nov 22 2026 16:44:43")
        assert await build_of(socket) == (
            "Built on Nov 22 2026 16:44:43 version 1.18.300"
        )
        info = json.loads(body(await ask(socket, "GET", "/api/info", b"")))
        assert info["chipset"] == chip


@pytest.mark.parametrize(
    "image",
    [b"abcd", images.ota()[:-100], images.ota()[:5000] + b"\0" + images.ota()[5001:]],
    ids=["no firmware", "cut off", "damaged"],
)
async def test_what_the_bootloader_refuses_leaves_the_old_one(image: bytes) -> None:
    async with updatable_socket() as socket:
        await update(socket, image)
        assert "1.17.360" in await build_of(socket)


async def test_an_update_for_another_chip_is_the_end() -> None:
    async with updatable_socket() as socket:
        await update(socket, images.ota(images.Build(chip="BK7231T")))
        await until(lambda: socket.running is Running.NOTHING)
        assert socket.powered


async def test_what_is_too_long_takes_the_address_away() -> None:
    async with updatable_socket() as socket:
        assert socket.mac != "c8:47:8c:00:00:00"
        await update(socket, images.ota().ljust(ROOM + 1, b"\xff"))
        assert "1.18.300" in await build_of(socket)
        assert socket.mac == "c8:47:8c:00:00:00"
