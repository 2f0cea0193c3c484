"""A simulated socket with a meter of known faults, and Home Assistant's way to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import errno
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from simulator.meter import Bl0937, Response
from tests.support.addresses import lead_to, refuse
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration
from tests.support.sockets import BUILD, add_socket, socket_entry
from tests.support.waiting import until

SPEED = 30.0
# The socket of the first issue: it shows 8 % too little and 1.2 W less than that.
OFF = Response(gain=1 / 1.08, offset=-1.2 / 1.08, noise=0.001, cutoff=0.3)


class Calibrated:
    """A plugged-in socket, its entry, and the ways to act on both."""

    def __init__(
        self, hass: HomeAssistant, plugged: PluggedSocket, entry: MockConfigEntry
    ) -> None:
        self.hass = hass
        self.plugged = plugged
        self.entry = entry

    @property
    def meter(self) -> Bl0937:
        return self.plugged.meter

    @property
    def device_id(self) -> str:
        registry = dr.async_get(self.hass)
        (device,) = dr.async_entries_for_config_entry(registry, self.entry.entry_id)
        return device.id

    async def call(self, action: str, **data: Any) -> dict[str, Any]:
        """Call an action and return its response."""
        said = await self.hass.services.async_call(
            "openbk",
            action,
            {"device_id": self.device_id, **data},
            blocking=True,
            return_response=True,
        )
        assert isinstance(said, dict)
        return said

    async def settle(self, seconds: float = 3.0) -> None:
        """Let so many of the socket's seconds pass, so that no window straddles a change."""
        await self.plugged.clock.sleep(seconds)

    async def load(self, watts: float, **changes: float) -> None:
        """Plug something else in and wait until no window knows of the load before."""
        self.meter.set_load(watts, **changes)
        await self.settle()

    def shown(self, key: str) -> float:
        """Return what a sensor shows, minus one without a number."""
        state = self.hass.states.get(f"sensor.washing_machine_{key}")
        try:
            return float(state.state) if state else -1.0
        except ValueError:
            return -1.0


def _ignore_clients_that_left(hass: HomeAssistant) -> None:
    """Let the socket's server, which runs in the same loop, meet clients that are gone already."""
    report = hass.loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno == errno.ENOTCONN:
            return
        if report is not None:
            report(loop, context)

    hass.loop.set_exception_handler(handle)


@asynccontextmanager
async def calibrated(
    hass: HomeAssistant,
    broker: Broker,
    *,
    http: bool = True,
    speed: float = SPEED,
    watts: float = 2000.0,
    **responses: Any,
) -> AsyncIterator[Calibrated]:
    """Plug a socket in, set it up, switch its relay on and wait for its meter."""
    plugged = PluggedSocket(configuration(broker), speed=speed, watts=watts)
    for name, response in responses.items():
        setattr(plugged.meter, name, response)

    _ignore_clients_that_left(hass)
    if http:
        lead_to(hass, plugged, speed=speed)
    else:
        hass.data[SOCKET_ACCESS] = SocketAccess(
            simulated=True, connect=refuse, speed=speed
        )
    entry = socket_entry(address="127.0.0.1", firmware=BUILD)
    await add_socket(hass, entry)
    plugged.power_on()
    try:
        await until(lambda: entry.runtime_data.online)
        await entry.runtime_data.async_set_channel(1, 1)
        await until(lambda: entry.runtime_data.value("channel_1") == 1)
        socket = Calibrated(hass, plugged, entry)
        await socket.settle()
        yield socket
    finally:
        await plugged.power_off()
