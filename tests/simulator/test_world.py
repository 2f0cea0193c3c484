"""The handles of the simulated world do what they say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from simulator import images
from simulator.boot import Running
from simulator.factory import FactorySocket, without
from simulator.openbeken import OpenBeken
from simulator.world import World, lay_out, simulated_world
from tests.simulator.host import LINK_CHECK, LINK_REPLY, Host


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Run two sockets out of their boxes."""
    benches = [
        lay_out(number, link=tmp_path / f"serial{number}", auto_reset=0.1)
        for number in range(2)
    ]
    async with simulated_world(benches) as world:
        yield world


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until(
    session: aiohttp.ClientSession, url: str, **wanted: Any
) -> dict[str, Any]:
    """Wait until the state has these values."""
    async with asyncio.timeout(20):
        while True:
            async with session.get(url) as response:
                state: dict[str, Any] = await response.json()
            if all(state[name] == value for name, value in wanted.items()):
                return state
            await asyncio.sleep(0.05)


async def post(session: aiohttp.ClientSession, url: str, **values: Any) -> int:
    async with session.post(url, json=values) as response:
        return response.status


async def test_each_socket_has_its_own_state(
    world: World, session: aiohttp.ClientSession
) -> None:
    state = await until(session, f"{world.control.url}/state", running="factory")
    assert state["serial"] == world.benches[0].socket.path
    assert state["mac"] == "02:0b:e4:72:07:41"
    assert state["relay"] == {}
    assert state["http"] is None
    second = await until(
        session, f"{world.control.url}/sockets/2/state", running="factory"
    )
    assert second["mac"] == "02:0b:e4:72:07:42"
    async with session.get(f"{world.control.url}/sockets/3/state") as response:
        assert response.status == 404


async def test_a_person_resets_the_socket_that_is_searched_for(
    world: World, session: aiohttp.ClientSession
) -> None:
    state = f"{world.control.url}/sockets/2/state"
    await until(session, state, running="factory")
    async with Host(world.benches[1].socket.path) as host, asyncio.timeout(10):
        await host.link()
        await until(session, state, running="rom", resets=2)
        await post(session, f"{world.control.url}/sockets/2/reset")
        await until(session, state, running="factory", resets=3)
    await until(session, f"{world.control.url}/state", resets=1)


async def test_its_handles_work_and_refuse_nonsense(
    world: World, session: aiohttp.ClientSession
) -> None:
    control = world.control.url
    assert await post(session, f"{control}/load", watts=60, volts=231.5) == 200
    state = await until(session, f"{control}/state")
    assert state["load"]["volts"] == 231.5
    assert state["load"]["connected_watts"] == 60
    assert state["load"]["watts"] == 0
    assert await post(session, f"{control}/load", grams=60) == 400
    assert await post(session, f"{control}/power", on=False) == 200
    await until(session, f"{control}/state", running="nothing", powered=False)
    assert await post(session, f"{control}/power") == 400
    assert await post(session, f"{control}/power", on=True) == 200
    fault = {"name": "reply_dropped", "command": "link_check", "times": 2}
    assert await post(session, f"{control}/fault", **fault) == 200
    state = await until(session, f"{control}/state")
    assert state["pending_faults"] == ["reply_dropped"]
    assert await post(session, f"{control}/mend") == 200
    await until(session, f"{control}/state", pending_faults=[])
    assert await post(session, f"{control}/fault", name="rain") == 400
    assert await post(session, f"{control}/button", pin=11) == 200
    assert await post(session, f"{control}/releases", rain=1) == 400
    assert await post(session, f"{control}/releases", status=503) == 200
    async with session.get(world.releases.index) as response:
        assert response.status == 503


async def test_its_adapter_can_be_pulled_and_put_back(
    world: World, session: aiohttp.ClientSession
) -> None:
    await post(session, f"{world.control.url}/plug", **{"in": False})
    assert not Path(world.benches[0].socket.path).exists()
    await post(session, f"{world.control.url}/plug")
    async with Host(world.benches[0].socket.path) as host, asyncio.timeout(10):
        await host.link()
        assert await host.ask(LINK_CHECK, 8) == LINK_REPLY


async def test_its_flash_can_be_looked_at(
    world: World, session: aiohttp.ClientSession
) -> None:
    url = f"{world.control.url}/flash"
    async with session.get(url) as response:
        whole = await response.read()
    assert whole == FactorySocket.numbered(0).dump()
    async with session.get(
        url, params={"start": "0x1D0000", "length": "4"}
    ) as response:
        assert await response.read() == b"TLV\0"
    async with session.get(url, params={"start": "x"}) as response:
        assert response.status == 400


async def test_openbeken_restarts_through_the_rom_and_keeps_its_address() -> None:
    config = ConfigSector(wifi_ssid="TestNet")
    content = images.flashed(
        without(FactorySocket().dump(), 0x1D1000), config=build(config)
    )
    bench = lay_out(content=content, speed=50)
    async with simulated_world([bench]), asyncio.timeout(20):
        addresses = []
        for resets in (1, 2):
            await bench.socket.wait_until(Running.OPENBEKEN)
            assert bench.socket.resets == resets
            firmware = bench.socket.firmware
            assert isinstance(firmware, OpenBeken)
            assert firmware.release.version == "1.18.300"
            while firmware.http_address is None:
                await asyncio.sleep(0.05)
            addresses.append(firmware.http_address)
            firmware.restart_in(2)
            await bench.socket.wait_until(Running.ROM)
        assert addresses[0] == addresses[1]
        assert bench.socket.failure is None
