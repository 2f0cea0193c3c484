"""A host that speaks to the simulated chip in plain bytes."""

import asyncio
import contextlib
import os
import termios
import tty
from typing import Self

LINK_CHECK = bytes.fromhex("01E0FC0100")
LINK_REPLY = bytes.fromhex("040E0501E0FC0100")


class Host:
    """Open a serial port; keep what comes in."""

    def __init__(self, path: str, baudrate: int = 115200) -> None:
        self._path = path
        self._baudrate = baudrate
        self._news = asyncio.Event()
        self.received = b""
        self.error: OSError | None = None

    async def __aenter__(self) -> Self:
        self._port = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._port)
        self.set_baudrate(self._baudrate)
        asyncio.get_running_loop().add_reader(self._port, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._port)
        os.close(self._port)

    def set_baudrate(self, baudrate: int) -> None:
        settings = termios.tcgetattr(self._port)
        settings[4] = settings[5] = getattr(termios, f"B{baudrate}")
        termios.tcsetattr(self._port, termios.TCSANOW, settings)

    def write(self, data: bytes) -> None:
        os.write(self._port, data)

    async def read(self, count: int, *, timeout: float = 5) -> bytes:
        """Return so many bytes, or what there is when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while len(self.received) < count and self.error is None:
                    self._news.clear()
                    await self._news.wait()
        data, self.received = self.received[:count], self.received[count:]
        return data

    async def ask(self, data: bytes, count: int, *, timeout: float = 5) -> bytes:
        self.write(data)
        return await self.read(count, timeout=timeout)

    async def link(self) -> None:
        """Send link checks until one is answered, then drain."""
        answer = b""
        while not answer.endswith(LINK_REPLY):
            answer = await self.ask(LINK_CHECK, 1 << 20, timeout=0.05)

    def _read(self) -> None:
        try:
            data = os.read(self._port, 1 << 16)
        except OSError as error:
            data, self.error = b"", error
        if not data:
            self.error = self.error or OSError("the port is gone")
            asyncio.get_running_loop().remove_reader(self._port)
        self.received += data
        self._news.set()


def read_4k(address: int) -> bytes:
    return bytes.fromhex("01E0FCFFF4050009") + address.to_bytes(4, "little")


def write_4k(address: int, data: bytes) -> bytes:
    return bytes.fromhex("01E0FCFFF4051007") + address.to_bytes(4, "little") + data


def erase(address: int, size: int = 0x20) -> bytes:
    head = bytes.fromhex("01E0FCFFF406000F") + bytes((size,))
    return head + address.to_bytes(4, "little")


def crc(start: int, end: int) -> bytes:
    span = start.to_bytes(4, "little") + end.to_bytes(4, "little")
    return bytes.fromhex("01E0FC0910") + span


def set_baudrate(baudrate: int, delay: int = 20) -> bytes:
    return (
        bytes.fromhex("01E0FC060F") + baudrate.to_bytes(4, "little") + bytes((delay,))
    )
