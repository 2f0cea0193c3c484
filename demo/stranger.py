"""A socket that somebody else set up, and how to see from outside to which broker it reports."""

import asyncio
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from custom_components.openbk.pyopenbk.beken.chips import BK7231N
from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from simulator.factory import FactorySocket
from simulator.images import flashed
from tests.support.broker import Broker

from .control import SimulatorControl

CLIENT_ID: Final = "hall"
PROGRAM: Final = "addChangeHandler Channel1 == 1 backlog echo on; echo really"
"""What its owner wants it to do at every start; no semicolon of it may be split at."""
# Another one than the socket that the demo flashes.
_SOCKET: Final = FactorySocket.numbered(1)
_PATIENCE: Final = 120.0


def write_dump(path: Path, broker: Broker, username: str, password: str) -> None:
    """Write its 2 MiB: OpenBeken as a guide would have it, on this broker."""
    config = ConfigSector(
        flags=1 << 10,
        wifi_ssid="Demo",
        wifi_password="only simulated",
        mqtt_host=broker.host,
        mqtt_port=broker.port,
        mqtt_client_id=CLIENT_ID,
        mqtt_username=username,
        mqtt_password=password,
        short_name=CLIENT_ID,
        long_name="Hall",
        startup_command=PROGRAM,
        # Or the firmware restarts a socket whose 192.168.0.1 does not answer.
        ping_host="",
    ).with_profile(KNOWN_DEVICES["blow_72_074"].profile)
    path.write_bytes(flashed(_SOCKET.dump(), config=config_sector.build(config)))


async def startup_command(control: SimulatorControl) -> str:
    """Return what it runs at its next start."""
    region = BK7231N.flash.openbeken_config
    stored = await control.read_flash(region.start, region.size)
    return config_sector.parse(stored).startup_command


async def reports_to(broker: Broker, username: str, password: str) -> bool:
    """Return whether the socket says something on a broker, within a minute."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        if not message.retain:
            loop.call_soon_threadsafe(heard.set)

    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(username, password)
    client.on_connect = lambda client, *_: client.subscribe(f"{CLIENT_ID}/#")
    client.on_message = note
    client.connect_async(broker.host, broker.port)
    client.loop_start()
    try:
        async with asyncio.timeout(_PATIENCE):
            await heard.wait()
    except TimeoutError:
        return False
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
    return True
