"""Firmware over the air: whether a file is one for this very socket, and how it is sent."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
import json
import re
import socket
import struct
from typing import Final

from ..beken.application import Firmware
from ..beken.flash_map import SECTOR_SIZE
from ..beken.rbl import RblHeader
from ..beken.update_slots import LARGEST_CODE, UpdateSlot, bootloader_installs
from ..errors import OpenBekenError
from ..meters import BL0937, METERS
from ..profile import SocketProfile
from ..roles import METER_ROLES, PinRole
from .console import (
    Console,
    ConsoleError,
    NotAnAnswerError,
    PasswordError,
    Reply,
    Streams,
    UnreachableError,
    parse_reply,
)
from .image import ImageKind, TooLargeError, code_of_update, recognise

FIRMWARE_PATH: Final = "/api/ota"
FILES_PATH: Final = "/api/fsblock"

# The server takes a request in while each read fills its buffer, which grows with it (1.18.299). So
# the head goes alone: a thread for it is there 40 ms after the connection.
_HEAD_ALONE: Final = 0.3
_PIECE: Final = 4096
# What the kernel keeps for us counts as sent, and is to be little. It doubles the number.
_IN_FLIGHT: Final = 8192
# The firmware takes 10 ms for each kilobyte and some 100 ms for each erased sector.
_STALLED_AFTER: Final = 30.0
_ANSWERS_WITHIN: Final = 60.0
_LARGEST_ANSWER: Final = 16 * 1024
# SO_LINGER without a wait: whatever ends the connection, even of a process that is killed, ends it
# with RST and not with FIN, after which the firmware's server would read for ever.
_LINGER: Final = struct.pack("ii", 1, 0)

# Both are in the front page of every release since 2022.
_COUNTER: Final = re.compile(r"ota counter: (\d{1,10})")
_IN_PROGRESS: Final = re.compile(r"OTA In Progress[^<]{0,64}Flashed: ([0-9A-Fa-f]+)h")
_SAFE_MODE: Final = re.compile(r"You are in safe mode")
_BUILT: Final = re.compile(r"\bversion (?P<version>[\x21-\x7e]{1,40})$")

_PARTITION: Final = "app"
_BRIDGE: Final = "Bridge"
_BRIDGE_ROLES: Final = frozenset({PinRole.BRIDGE_FWD, PinRole.BRIDGE_REV})
# The drivers of drv_main.c (1.18.299) without which a device is no longer what it was.
_DEVICE_DRIVERS: Final = (
    *METERS,
    "BL0939SPI",
    "BL0942SPI",
    _BRIDGE,
    "CSE7761",
    "HLW8112SPI",
    "RN8209",
    "tmSensor",
    "TuyaMCU",
)
_STARTED: Final = re.compile(r"\bstartDriver\s+\"?(\w+)", re.IGNORECASE)

type Progress = Callable[[int, int], None]


class OtaError(OpenBekenError):
    """Firmware over the air: it cannot be sent, or was not received."""


class NotForAirError(OtaError):
    """The file is firmware, but in a form for another way into the socket."""

    def __init__(self, kind: ImageKind) -> None:
        """Keep the form."""
        super().__init__(f"a {kind} image is not sent over the network")
        self.kind = kind


class UnprovenError(OtaError):
    """The file does not prove that it is OpenBeken for this chip, with a version."""


class NotInstallableError(OtaError):
    """The bootloader would leave the old firmware where it is: the code is not for its memory."""


class MissingDriverError(OtaError):
    """The build lacks a driver that this socket needs."""

    def __init__(self, drivers: Iterable[str]) -> None:
        """Keep the names."""
        self.drivers = tuple(drivers)
        super().__init__(f"the build lacks {', '.join(self.drivers)}")


class UploadError(OtaError):
    """The upload did not end as it should; ``sent`` bytes of ``total`` had left by then."""

    def __init__(self, message: str, *, sent: int, total: int) -> None:
        """Keep how far it came."""
        super().__init__(f"{message} after {sent} of {total} bytes")
        self.sent = sent
        self.total = total


class UploadBrokenError(UploadError):
    """The connection broke, stalled, or the answer did not come."""


class UploadRefusedError(UploadError):
    """The socket answered, but not that it has taken the whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtaState:
    """What the front page of a socket says of updates."""

    counter: int | None
    """How many uploads have ended, whichever way, since the socket was new."""
    flashed: int | None
    """Bytes written by an upload that has not ended, None where there is none."""
    safe_mode: bool

    @property
    def is_busy(self) -> bool:
        """Return whether an upload has begun and not ended: another one would go on in its place."""
        return self.flashed is not None


def drivers_of(profile: SocketProfile, scripts: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the drivers that a socket needs, by its pins and by what its scripts start.

    ``scripts`` are the start-up command and the files that run at boot.
    """
    started = {
        name.casefold() for script in scripts for name in _STARTED.findall(script)
    }
    roles = {pin.role for pin in profile.pins}
    if not roles.isdisjoint(METER_ROLES):
        started.add(BL0937.name.casefold())
    if not roles.isdisjoint(_BRIDGE_ROLES):
        started.add(_BRIDGE.casefold())
    return tuple(name for name in _DEVICE_DRIVERS if name.casefold() in started)


def check_update(data: bytes, slot: UpdateSlot, drivers: Iterable[str]) -> str:
    """Return the version of a file that may be sent to a socket with this chip.

    The firmware looks at none of it: the form, the length, the checksums, the chip, the
    partition, and that the build has these ``drivers``; nor does the bootloader look at the chip.
    What that refuses is refused here. Takes a tenth of a second, so it belongs into an executor.
    Raises ImageError and OtaError.
    """
    found = recognise(data, slot.target)
    if found.kind is not ImageKind.RBL:
        raise NotForAirError(found.kind)
    if len(data) > slot.region.size:
        raise TooLargeError(limit=slot.region.size, actual=len(data))
    header = RblHeader.parse(data)
    if header.raw_size > LARGEST_CODE:
        raise NotInstallableError(f"{header.raw_size} bytes of code")
    code = code_of_update(data, slot.target)
    if (
        header.partition != _PARTITION
        or len(code) != header.raw_size
        or found.identity.firmware is not Firmware.OPENBEKEN
        or found.chip != slot.chip
        or found.version is None
    ):
        raise UnprovenError("the file does not prove what it is")
    if not bootloader_installs(code):
        raise NotInstallableError("the code starts outside of the application")
    # A driver is known to the console by a text of its own, which ends with a zero. The names of
    # pin roles, which every build has, go on where the driver's ends.
    folded = code.lower()
    if missing := [
        name for name in drivers if f"{name.lower()}\0".encode() not in folded
    ]:
        raise MissingDriverError(missing)
    return found.version


def version_of_info(build: str) -> str | None:
    """Return the version in what /api/info calls the build, ``Built on … version 1.18.300``."""
    return match["version"] if (match := _BUILT.search(build)) else None


async def ota_state(console: Console) -> OtaState:
    """Ask whether an upload is under way; raises ConsoleError."""
    reply = await console.request("GET", "/index?state=1")
    if reply.status != 200:
        raise NotAnAnswerError(f"status {reply.status} for the front page")
    text = reply.body.decode(errors="replace")
    counter, flashed = _COUNTER.search(text), _IN_PROGRESS.search(text)
    return OtaState(
        counter=int(counter[1]) if counter else None,
        flashed=int(flashed[1], 16) if flashed else None,
        safe_mode=_SAFE_MODE.search(text) is not None,
    )


async def send_firmware(
    console: Console,
    data: bytes,
    progress: Progress | None = None,
    *,
    patience: float = _STALLED_AFTER,
) -> None:
    """Send a checked file, ``progress`` being told bytes of bytes; no restart follows by itself.

    A socket that takes nothing for ``patience`` seconds is given up.

    The caller makes sure that no other upload is under way (``ota_state``), as both would be
    written into one place. Raises PasswordError and UnreachableError, after which nothing was
    written, or an UploadError.
    """
    await _post(console, FIRMWARE_PATH, data, progress, patience)


async def send_files(console: Console, slot: UpdateSlot, data: bytes) -> None:
    """Put back what ``read_files`` returned; raises as ``send_firmware``, and ConsoleError.

    From then on the socket saves no settings and has no MQTT until it is restarted. A longer one
    than the room that the socket has now would go beyond the end of the slot.
    """
    if len(await _read_room(console, slot)) != len(data):
        raise UploadRefusedError("another room for files", sent=0, total=len(data))
    await _post(console, FILES_PATH, data, None, _STALLED_AFTER)


async def read_files(console: Console, slot: UpdateSlot) -> bytes:
    """Return the file system of a socket, nothing where it has none; raises ConsoleError.

    It lies at the end of the slot, where a long firmware is written over it.
    """
    room = await _read_room(console, slot)
    # The room is answered with whether there was ever anything in it or not. One of the first two
    # blocks of a LittleFS begins with its revision, a tag and its name.
    starts = (8, SECTOR_SIZE + 8)
    return room if any(room.startswith(b"littlefs", at) for at in starts) else b""


async def _read_room(console: Console, slot: UpdateSlot) -> bytes:
    reply = await console.request(
        "GET", FILES_PATH, largest=slot.region.size + _LARGEST_ANSWER, patience=120.0
    )
    if reply.status != 200 or reply.media_type != "application/octet-stream":
        return b""
    if len(reply.body) > slot.region.size:
        raise NotAnAnswerError(f"a file system of {len(reply.body)} bytes")
    return reply.body


async def _post(
    console: Console,
    path: str,
    data: bytes,
    progress: Progress | None,
    patience: float,
) -> None:
    sent = 0

    def went(count: int) -> None:
        nonlocal sent
        sent = count
        if progress is not None:
            progress(count, len(data))

    try:
        async with console.posting(path, len(data)) as (streams, head):
            try:
                raw = await _exchange(streams, head, data, went, patience)
            except BaseException:
                # Not closed: what waits to be sent would go first.
                streams[1].transport.abort()
                raise
    except (OSError, TimeoutError, EOFError) as err:
        if not sent:
            raise UnreachableError(f"no answer to POST {path}") from err
        raise UploadBrokenError("no answer", sent=sent, total=len(data)) from err
    _check(raw, path, sent, len(data))


async def _exchange(
    streams: Streams,
    head: bytes,
    data: bytes,
    went: Callable[[int], None],
    patience: float,
) -> bytes:
    reader, writer = streams
    _end_with_reset(writer)
    writer.transport.set_write_buffer_limits(high=0)
    answer = asyncio.create_task(_read_all(reader))
    answer.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        writer.write(head)
        await writer.drain()
        await asyncio.wait((answer,), timeout=_HEAD_ALONE)
        with suppress(ConnectionError):
            await _send(writer, data, went, answer, patience)
        async with asyncio.timeout(_ANSWERS_WITHIN):
            return await answer
    finally:
        answer.cancel()


async def _send(
    writer: asyncio.StreamWriter,
    data: bytes,
    went: Callable[[int], None],
    answer: asyncio.Task[bytes],
    patience: float,
) -> None:
    """Send a file until it is answered: who does that early wants a password, or no file."""
    for start in range(0, len(data), _PIECE):
        if answer.done():
            return
        piece = data[start : start + _PIECE]
        writer.write(piece)
        async with asyncio.timeout(patience):
            await writer.drain()
        went(start + len(piece))


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Return the whole answer; a connection that breaks behind it takes nothing away."""
    raw = b""
    try:
        while more := await reader.read(_LARGEST_ANSWER):
            raw += more
            if len(raw) > _LARGEST_ANSWER:
                raise ConnectionAbortedError("an endless answer")
    except ConnectionResetError:
        if not raw:
            raise
    if not raw:
        raise ConnectionResetError("no answer at all")
    return raw


def _end_with_reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _IN_FLIGHT)


def _check(raw: bytes, path: str, sent: int, total: int) -> None:
    """Raise unless the socket said that it has taken the whole file."""
    try:
        reply = parse_reply(raw)
    except ConsoleError as err:
        raise UploadRefusedError("no web server", sent=sent, total=total) from err
    if reply.status == 401:
        raise PasswordError("the web server wants a password")
    if _size(reply) != total or sent != total:
        raise UploadRefusedError(
            f"status {reply.status} for {path}", sent=sent, total=total
        )


def _size(reply: Reply) -> int | None:
    try:
        said = json.loads(reply.body)
    except ValueError, RecursionError:
        return None
    size = said.get("size") if isinstance(said, dict) else None
    return size if reply.status == 200 and type(size) is int else None
