"""Tells Home Assistant how fast the simulated sockets' time passes and where they serve pages.

Only the demo loads it: a real socket has seconds as long as anybody's, and serves port 80.
"""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType
import probatio

from custom_components.openbk.meter_access import METER_ACCESS, MeterAccess

DOMAIN = "openbk_demo"

CONFIG_SCHEMA = probatio.Schema(
    {
        DOMAIN: probatio.Schema(
            {
                probatio.Required("control"): cv.url,
                probatio.Required("speed"): probatio.Coerce(float),
            }
        )
    },
    extra=probatio.ALLOW_EXTRA,
)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Reach the first simulated socket instead of whatever address is asked for."""
    state = f"{config[DOMAIN]['control']}/state"

    async def connect(
        _host: str, _port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with async_get_clientsession(hass).get(state) as answer:
            address = (await answer.json())["http"]
        if address is None:
            raise ConnectionRefusedError("the simulated socket serves nothing")
        host, _, port = address.partition(":")
        return await asyncio.open_connection(host, int(port))

    speed: float = config[DOMAIN]["speed"]
    hass.data[METER_ACCESS] = MeterAccess(connect=connect, speed=speed)
    return True
