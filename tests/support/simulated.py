"""Simulated sockets that run OpenBeken and are plugged in for a test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.obk.provisioning import (
    Clock as SocketClock,
    provision,
)
from custom_components.openbk.pyopenbk.profile import SocketProfile
from simulator.clock import Clock
from simulator.flash import Flash
from simulator.meter import Bl0937, Load
from simulator.openbeken import OpenBeken, Publication, Release
from simulator.openbeken.settings import config_region
from tests.support.broker import Broker
from tests.support.sockets import BLOW, MAC


def configuration(
    broker: Broker, profile: SocketProfile = BLOW, mac: str = MAC, **changes: Any
) -> ConfigSector:
    """Return what we would write into a socket, pointed at a broker of the test."""
    told = provision(profile, mac, clock=SocketClock(utc_offset=timedelta()))
    starts = [0] * 64
    for channel, value in told.start_values.items():
        starts[channel] = value
    values = {
        "flags": told.flags,
        "wifi_ssid": "TestNet",
        "wifi_password": "secret word",
        "mqtt_host": broker.host,
        "mqtt_port": broker.port,
        "mqtt_client_id": told.client_id,
        "mqtt_username": "",
        "short_name": told.short_name,
        "long_name": told.long_name,
        "start_values": tuple(starts),
        "startup_command": told.startup_command,
        "ping_host": told.ping_host,
        "mqtt_group": told.group,
    }
    return ConfigSector(**{**values, **changes}).with_profile(profile)


def stranger(
    broker: Broker, profile: SocketProfile = BLOW, mac: str = MAC, **changes: Any
) -> ConfigSector:
    """Return the configuration of a socket that somebody else set up: factory flags, no commands."""
    factory = {"flags": 1 << 10, "startup_command": "", "start_values": (0,) * 64}
    config = configuration(broker, profile, mac, **{**factory, **changes})
    return replace(config, channel_types=changes.get("channel_types", (0,) * 64))


class PluggedSocket:
    """A socket in the wall; its flash and its load outlive a power cut."""

    def __init__(
        self,
        config: ConfigSector,
        mac: str = MAC,
        *,
        speed: float = 20.0,
        watts: float = 100.0,
        volts: float = 230.0,
        power_factor: float = 1.0,
        release: Release | None = None,
        on_publish: Callable[[Publication], None] | None = None,
    ) -> None:
        """Prepare the socket; it has no power yet. ``on_publish`` hears what it says."""
        release = release or Release()
        self.clock = Clock(speed)
        self.flash = Flash()
        self.flash.rewrite(config_region(release.chip).start, build(config))
        load = Load(volts=volts, watts=watts, power_factor=power_factor)
        self.meter = Bl0937(self.clock, load=load)
        self.firmware = OpenBeken(
            self.flash,
            self.clock,
            self.meter,
            mac,
            release=release,
            on_publish=on_publish,
        )
        self._power: asyncio.Task[None] | None = None

    def power_on(self) -> None:
        """Give the socket power; it boots again whenever its firmware restarts it."""
        self._power = asyncio.create_task(self._live())

    async def power_off(self) -> None:
        """Cut the power: what was not saved is lost."""
        if self._power is not None:
            self._power.cancel()
            with suppress(asyncio.CancelledError):
                await self._power
            self._power = None

    async def _live(self) -> None:
        while True:
            await self.firmware.run()


@asynccontextmanager
async def plugged_in(
    config: ConfigSector, mac: str = MAC, **options: Any
) -> AsyncIterator[PluggedSocket]:
    """Plug a socket in and give it power until the block ends."""
    socket = PluggedSocket(config, mac, **options)
    socket.power_on()
    try:
        yield socket
    finally:
        await socket.power_off()
