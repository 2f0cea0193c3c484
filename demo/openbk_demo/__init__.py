"""Tells Home Assistant how fast simulated sockets' time passes and where they are found.

Only the demo loads it: a real socket has seconds as long as anybody's, and serves port 80.
"""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType
import probatio

from custom_components.openbk.flows.wizard.arrival import WAITING, Waiting
from custom_components.openbk.flows.wizard.link import SEARCHING, Searching
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk.console import PORT

DOMAIN = "openbk_demo"

CONFIG_SCHEMA = probatio.Schema(
    {
        DOMAIN: probatio.Schema(
            {
                probatio.Required("control"): cv.url,
                probatio.Required("speed"): probatio.Coerce(float),
                probatio.Required("patience"): probatio.Coerce(float),
                probatio.Required("search_patience"): probatio.Coerce(float),
            }
        )
    },
    extra=probatio.ALLOW_EXTRA,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Reach the first simulated socket where port 80 of any address is asked for."""
    url = f"{config[DOMAIN]['control']}/state"
    speed: float = config[DOMAIN]["speed"]
    leases: dict[str, str] = {}

    async def state() -> dict[str, Any]:
        async with async_get_clientsession(hass).get(url) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def connect(
        host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if port != PORT:
            # So that there may be a second one.
            return await asyncio.open_connection(host, port)
        address = (await state())["http"]
        if address is None:
            raise ConnectionRefusedError("the simulated socket serves nothing")
        at, _, its_port = address.partition(":")
        return await asyncio.open_connection(at, int(its_port))

    async def look_up(host_name: str) -> list[str]:
        """Answer as a router does, which knows a socket longer than it is there."""
        socket = await state()
        if socket["http"] and host_name.endswith(_end_of_name(socket["mac"])):
            leases[host_name] = socket["http"].partition(":")[0]
        if host_name not in leases:
            raise OSError("no such name")
        return [leases[host_name]]

    hass.data[SOCKET_ACCESS] = SocketAccess(
        simulated=True, connect=connect, speed=speed
    )
    hass.data[SEARCHING] = Searching(patience=config[DOMAIN]["search_patience"])
    hass.data[WAITING] = Waiting(turn=config[DOMAIN]["patience"], look_up=look_up)
    return True


def _end_of_name(mac: str) -> str:
    return mac.replace(":", "").upper()[-8:]
