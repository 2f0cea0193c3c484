"""``python -m simulator`` is a world of its own."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from simulator import images
from simulator.factory import FactorySocket, without
from simulator.process import SimulatorEndedError, simulator_process
from tests.simulator.host import LINK_CHECK, LINK_REPLY, Host
from tests.simulator.test_world import post, until
from tests.support.broker import Broker

pytestmark = pytest.mark.real_time

PINS = SocketProfile.of(
    (
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
    )
)


async def test_it_says_where_everything_is(tmp_path: Path) -> None:
    link = tmp_path / "serial"
    async with (
        simulator_process(
            *("--sockets", "2", "--serial-link", str(link)),
            *("--auto-reset", "0.1", "--baud-pacing", "--latency-ms", "16"),
        ) as world,
        aiohttp.ClientSession() as session,
    ):
        assert world.serials == (str(link), f"{link}.2")
        assert world.macs == ("02:0b:e4:72:07:41", "02:0b:e4:72:07:42")
        async with session.get(world.releases) as response:
            assert (await response.json())[0]["tag_name"] == "1.18.300"
        async with Host(world.serials[1]) as host, asyncio.timeout(60):
            await host.link()
            assert await host.ask(LINK_CHECK, 8) == LINK_REPLY
        await until(session, f"{world.control}/sockets/2/state", running="rom")
    assert not link.exists()


@pytest.mark.e2e
async def test_a_flashed_socket_takes_its_configuration_and_obeys_its_button(
    mosquitto: Broker, tmp_path: Path
) -> None:
    """From the dump given, OpenBeken boots with the configuration that lies in it."""
    dump = tmp_path / "dump.bin"
    config = ConfigSector(
        wifi_ssid="TestNet",
        mqtt_host=mosquitto.host,
        mqtt_port=mosquitto.port,
        mqtt_client_id="obkProcess",
    ).with_profile(PINS)
    factory = without(FactorySocket().dump(), 0x1D1000)
    dump.write_bytes(images.flashed(factory, config=build(config)))
    async with (
        simulator_process("--dump", str(dump), "--speed", "20") as world,
        aiohttp.ClientSession() as session,
    ):
        url = f"{world.control}/state"
        state = await until(session, url, running="openbeken")
        assert state["version"] == "1.18.300"
        await post(session, f"{world.control}/load", watts=100)
        await until(session, url, relay={"1": False})
        await post(session, f"{world.control}/button", pin=11, seconds=0.2)
        state = await until(session, url, relay={"1": True})
        assert state["load"]["watts"] == 100
        async with asyncio.timeout(60):
            while not (state := await until(session, url))["http"]:
                await asyncio.sleep(0.1)
        async with session.get(f"http://{state['http']}/api/info") as response:
            info = await response.json(content_type=None)
        assert info["mac"] == state["mac"]
        assert info["mqtttopic"] == "obkProcess"


async def test_a_dump_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(b"\xff" * 1000)
    with pytest.raises(SimulatorEndedError, match="did not start"):
        async with simulator_process("--dump", str(short)):
            pass
