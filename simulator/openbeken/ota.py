"""Firmware and file systems that come over the air: written as they come, checked by nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from simulator.chips import BK7231N, MODELS, Chip
from simulator.flash import SECTOR, SIZE

from .http_server import BINARY, Answer, Request
from .state import DeviceState

_FILES_BEHIND: Final = 0x1000
_FILES_SIZE: Final = 0x8000
"""Unless the configuration says another."""
_LOWEST: Final = 0xFF000
_RECEIVE_SECONDS: Final = 0.01
"""What a piece takes that does not fill a sector."""
_PULL_BUFFER: Final = 2047
_PULL_SECONDS: Final = 10
"""How long the socket waits for the server, in real seconds."""
_PULL_RESTART_SECONDS: Final = 1
_LONGEST_URL: Final = 255

type Hang = Callable[[], Awaitable[None]]
"""Never returns: no request is answered any more."""


class FlashRangeError(Exception):
    """The firmware refuses an upload before it has written anything."""


class _SectorBuffer:
    """The one buffer that every upload fills; what is begun while it is in use goes on in it."""

    def __init__(self, device: DeviceState) -> None:
        self._device = device
        self._address = 0
        self._data: bytearray | None = None

    def open(self, address: int) -> None:
        """Begin at an address, unless something was begun and never closed."""
        if self._data is None and address > _LOWEST:
            self._data, self._address = bytearray(), address

    def add(self, data: bytes) -> bool:
        """Take some bytes; returns whether a sector is left half full, which takes time."""
        if self._data is None:
            return False
        self._data += data
        while len(self._data) >= SECTOR:
            self._store(bytes(self._data[:SECTOR]))
            del self._data[:SECTOR]
        return bool(data and self._data)

    def close(self) -> None:
        """Write what is left, filled up with FF."""
        if self._data:
            self._store(bytes(self._data).ljust(SECTOR, b"\xff"))
        self._data = None

    def _store(self, sector: bytes) -> None:
        # Beyond its end the flash begins anew.
        self._device.flash.rewrite(self._address % SIZE, sector)
        self._address += SECTOR
        self._device.ota_progress += SECTOR


class OverTheAir:
    """Uploads through the web server and downloads by the socket itself.

    Nothing is looked at: no mark, no chip, no checksum, and the end of the region for the
    first piece alone. While ``ota_progress`` is not -1, MQTT is closed and no settings are
    saved; after an upload that is no firmware it stays so until a restart. Sources:
    hal_ota_bk7231.c, rest_interface.c and http_client.c of OpenBeken 1.18.300, and the
    recorded uploads.
    """

    def __init__(self, device: DeviceState, hang: Hang) -> None:
        """Serve a device; ``hang()`` ends its web server until the next start."""
        self._device = device
        chip = device.release.chip.name
        model = MODELS[Chip(chip)] if chip in MODELS else BK7231N
        self.first, self._end = model.download, model.download_end
        self._hang = hang
        self._buffer = _SectorBuffer(device)
        self._pulling = False

    async def post_firmware(self, request: Request) -> Answer:
        """Answer POST /api/ota; the bootloader finds the image at the next start."""
        self._device.ota_progress += 1
        answer = await self._receive(request, self.first, self._end)
        self._device.ota_progress = -1
        return answer

    async def post_flash(self, request: Request, address: int) -> Answer:
        """Answer POST /api/flash/…, from the download region to the end of the flash."""
        return await self._receive(request, address, SIZE)

    def get_files(self) -> Answer:
        """Answer GET /api/fsblock with the room of the file system, used or not.

        Raises FlashRangeError where the configured size cannot be.
        """
        start, size = self._files()
        return Answer(self._device.flash.read(start, size), BINARY)

    async def post_files(self, request: Request) -> Answer:
        """Answer POST /api/fsblock.

        Raises FlashRangeError where the configured size cannot be.
        """
        return await self._receive(request, self._files()[0], self._end)

    def fetch(self, url: str) -> None:
        """Load a firmware from a web server, then restart; so does whatever goes wrong."""
        if not self._pulling:
            self._pulling = True
            self._device.ota_progress = 0
            self._device.start(self._fetch(url[:_LONGEST_URL]))

    def _files(self) -> tuple[int, int]:
        size = self._device.settings.values.lfs_size or _FILES_SIZE
        start = self._end - size
        if not self.first + _FILES_BEHIND <= start <= self._end:
            raise FlashRangeError("LFS Size mismatch")
        return start, size // SECTOR * SECTOR

    async def _receive(self, request: Request, start: int, end: int) -> Answer:
        self._buffer.open(start)
        piece, total = request.body, 0
        expected = request.content_length
        if expected < 0:
            expected = len(piece)
        if start + len(piece) > end:
            # What was opened stays open.
            raise FlashRangeError("writelen < 0 or end > 0x200000")
        while True:
            await self._add(piece)
            total += len(piece)
            if total >= expected:
                break
            try:
                piece = await request.receive()
            except ConnectionError:
                # An error is taken for the end of the body.
                break
            if not piece:
                # The end of the stream is not: it is read again and again.
                await self._hang()
        self._buffer.close()
        self._device.count_ota()
        return Answer(f'{{"size":{total}}}'.encode())

    async def _add(self, piece: bytes) -> None:
        if self._buffer.add(piece):
            await self._device.clock.sleep(_RECEIVE_SECONDS)

    async def _fetch(self, url: str) -> None:
        with suppress(OSError, ValueError, TimeoutError):
            begun = False
            async for piece in self._download(url):
                if not begun:
                    self._buffer.open(self.first)
                    begun = True
                await self._add(piece)
        self._buffer.close()
        self._device.ota_progress = -1
        self._device.count_ota()
        self._device.settings.save()
        self._device.restart_in(_PULL_RESTART_SECONDS)

    async def _download(self, url: str) -> AsyncIterator[bytes]:
        """Yield a file as it comes; nothing where there is none."""
        parts = urlsplit(url)
        if not parts.scheme or not parts.hostname:
            return
        host, port = self._device.resolve(parts.hostname, parts.port or 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        async with asyncio.timeout(_PULL_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
            )
            async with asyncio.timeout(_PULL_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                return
            left = _content_length(head)
            while left is None or left > 0:
                async with asyncio.timeout(_PULL_SECONDS):
                    piece = await reader.read(min(_PULL_BUFFER, left or _PULL_BUFFER))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece
        except asyncio.IncompleteReadError, asyncio.LimitOverrunError:
            return
        finally:
            writer.close()


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None
