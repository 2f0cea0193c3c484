"""A simulated socket whose web server is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.console import Console
from simulator.openbeken.release import Release
from tests.support.simulated import PluggedSocket
from tests.support.waiting import until


@asynccontextmanager
async def served(
    config: ConfigSector, release: Release | None = None
) -> AsyncIterator[PluggedSocket]:
    """Yield a simulated socket whose web server can be reached."""
    plugged = PluggedSocket(config, speed=50, release=release)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        yield plugged
    finally:
        await plugged.power_off()


def console_of(plugged: PluggedSocket, password: str | None = None) -> Console:
    """Return a client for a simulated socket."""
    assert plugged.firmware.http_address
    host, _, port = plugged.firmware.http_address.partition(":")
    return Console(host, int(port), password=password)
