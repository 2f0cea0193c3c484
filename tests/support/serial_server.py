"""A serial port put on the network as raw bytes, as cheap serial servers do it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
import os
import termios
from typing import ClassVar, override

from serialx.common import PortSettingsUpdate, register_uri_handler
from serialx.platforms.serial_socket import SocketSerial, SocketSerialTransport


class SerialServer:
    """Serves one terminal, at 115200 baud, to whoever connects; may be made to refuse."""

    def __init__(self, path: str, delay: float = 0.0) -> None:
        """Take the terminal, which `start` opens, and how many seconds bytes are on the network."""
        self.busy = False
        """Another program is connected: everybody else is sent away at once."""
        self.delay = delay
        self._path = path
        self._port = 0
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Return what is entered as the serial port."""
        return f"socket://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen, where it did before if it did."""
        self._receiving, reader, writer = await _open_terminal(self._path)
        self._local = reader, writer
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def set_rate(self, rate: int) -> None:
        """Use another rate from now on."""
        speed = getattr(termios, f"B{rate}")
        descriptor = self._local[1].get_extra_info("pipe").fileno()
        settings = termios.tcgetattr(descriptor)
        settings[4] = settings[5] = speed
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)

    def stop(self) -> None:
        """Go off the network."""
        self.drop()
        if self._server is not None:
            self._server.close()
            self._server = None
            self._receiving.close()
            self._local[1].close()

    def drop(self) -> None:
        """Close the connections that there are."""
        for client in self._clients:
            client.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._clients.add(writer)
        try:
            if not self.busy:
                await self._pass_on(reader, writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        local_reader, local_writer = self._local

        async def copy(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter
        ) -> None:
            coming: deque[bytes] = deque()
            while data := await source.read(4096):
                if not self.delay:
                    sink.write(data)
                    continue
                coming.append(data)
                asyncio.get_running_loop().call_later(
                    self.delay, lambda: sink.write(coming.popleft())
                )

        _, pending = await asyncio.wait(
            [
                asyncio.create_task(copy(reader, local_writer)),
                asyncio.create_task(copy(local_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in pending:
            task.cancel()


async def _open_terminal(
    path: str,
) -> tuple[asyncio.ReadTransport, asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    settings = termios.tcgetattr(descriptor)
    settings[4] = settings[5] = termios.B115200
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    reader = asyncio.StreamReader()
    receiving, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin,
        os.fdopen(os.dup(descriptor), "wb", 0),
    )
    return receiving, reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _ProxyTransport(SocketSerialTransport):
    """A connection to a server in this process that is told the rate beside the bytes."""

    transport_name = "proxy"
    servers: ClassVar[dict[int, SerialServer]] = {}

    @override
    async def _reconfigure_port(self, update: PortSettingsUpdate) -> None:
        assert isinstance(self._serial, SocketSerial)
        server = self.servers[self._serial._port]  # noqa: SLF001
        await asyncio.sleep(server.delay)
        server.set_rate(self._serial.baudrate)
        await asyncio.sleep(server.delay)


@contextmanager
def proxied(server: SerialServer) -> Iterator[str]:
    """Have a server take the rates that a client asks for; yield its address then.

    As over RFC 2217 and ESPHome's serial proxy, a client waits until a rate is confirmed.
    """
    host, _, port = server.address.removeprefix("socket://").partition(":")
    _ProxyTransport.servers[int(port)] = server
    forget = register_uri_handler(
        scheme="proxy://",
        unique_scheme="proxy://",
        sync_cls=SocketSerial,
        async_transport_cls=_ProxyTransport,
    )
    try:
        yield f"proxy://{host}:{port}"
    finally:
        forget()
        del _ProxyTransport.servers[int(port)]


@asynccontextmanager
async def served(path: str, delay: float = 0.0) -> AsyncIterator[SerialServer]:
    """Put a terminal on the network for the length of the block, so many seconds away."""
    server = SerialServer(path, delay)
    await server.start()
    try:
        yield server
    finally:
        server.stop()
