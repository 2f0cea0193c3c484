"""What answers at the address of a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web
from homeassistant.core import HomeAssistant

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.obk.console import Streams
from simulator.chip import SimulatedSocket
from tests.support.broker import free_port
from tests.support.simulated import PluggedSocket

type Answer = Callable[[web.Request], Awaitable[web.Response]]


async def open_page(address: str | None) -> Streams:
    """Connect to a simulated web server, if there is one now."""
    if address is None:
        raise ConnectionRefusedError
    host, _, port = address.partition(":")
    return await asyncio.open_connection(host, int(port))


async def refuse(_host: str, _port: int) -> Streams:
    """Stand for a web server that is closed."""
    raise ConnectionRefusedError


def lead_to(
    hass: HomeAssistant, socket: PluggedSocket | SimulatedSocket, **access: Any
) -> None:
    """Let every address lead to the web server of this socket, as long as it has one."""

    async def connect(_host: str, _port: int) -> Streams:
        return await open_page(getattr(socket.firmware, "http_address", None))

    hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=connect, **access)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """Run a web server that is no socket's; return its address."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"127.0.0.1:{port}"
    await runner.cleanup()


@asynccontextmanager
async def almost(socket: PluggedSocket, *, deaf_to: str) -> AsyncIterator[str]:
    """Answer as a socket does, without doing one thing."""
    async with ClientSession() as session:

        async def answer(request: web.Request) -> web.Response:
            if request.path == deaf_to:
                return web.Response(text="<html>Saved.</html>")
            url = f"http://{socket.firmware.http_address}{request.path_qs}"
            async with session.get(url) as said:
                return web.Response(
                    body=await said.read(), content_type=said.content_type
                )

        async with server(answer) as address:
            yield address
