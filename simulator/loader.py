"""The download code of BK7231T, which lives in its flash."""

import asyncio
from collections.abc import Callable
import math
from typing import Final, override

from .bootrom import OK, REFUSED, BootRom, WriteInProgress
from .commands import LINK_REPLY, PREAMBLE, Command
from .flash import PAGE

# What the vendor's own code refuses; see F6 of facts/bootrom-siblings.md.
_PROTECTED_BELOW: Final = 0x10000
_WRITES_FROM: Final = 0x20E0
# What it writes to the status registers after each CRC (F3).
_PROTECTION: Final = 0x007C
_VERSION: Final = b"BK7231S_1.0.5\0\0\0"
_TICK_SECONDS: Final = 0.002
_LONGEST_CRC: Final = 0x1000000
_SIGN: Final = 0x80000000
_ERASE_SIZES: Final = {0x20: 0x1000, 0xD8: 0x10000}
# Operations of the flash controller, which takes them and an address of 24 bits in one word.
_PROGRAM: Final = 12
_ERASES: Final = {13: 0x1000, 14: 0x8000, 15: 0x10000}
# Linked and idle for this many start windows, it resets itself (F14).
_IDLE_WINDOWS: Final = 31


class FlashLoader(BootRom):
    """BK7231T's download mode, as its vendor's code behaves in emulation.

    Numbers in comments are those of facts/bootrom-siblings.md. It answers what it knows
    and nothing else; it never gives a command up; the flash locks itself after a CRC,
    and only a link check before an erase opens it again.
    """

    _reads_from = _PROTECTED_BELOW
    _version: bytes | None = _VERSION
    _unlocks = False
    """A link check came: the next erase opens the flash (F4)."""
    _idle_timer: asyncio.TimerHandle | None = None

    @override
    def stop(self) -> None:
        super().stop()
        self._stop_idling()

    @override
    def receive(self, data: bytes, moment: Callable[[int], float]) -> int:
        used = super().receive(data, moment)
        self._stop_idling()
        if self.linked and not self._stopped:
            idle = _IDLE_WINDOWS * self._timings.link_window
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(idle, self._restart)
        return used

    def _stop_idling(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    @override
    def _junk_before(self, data: bytes) -> int:
        """Skip junk; a 01 in the middle of a failed match is no new start (F12)."""
        place = 0
        while (place := data.find(PREAMBLE[0], place)) >= 0:
            for offset in (1, 2):
                if place + offset >= len(data):
                    return place
                if data[place + offset] != PREAMBLE[offset]:
                    place += offset + 1
                    break
            else:
                return place
        return len(data)

    @override
    def _watch_silence(self, waiting: bytes) -> None:
        """Wait for ever (F11)."""

    @override
    def _run_short(self, code: int, payload: bytes) -> None:
        match code:
            case 0x00:
                self.linked = self._unlocks = True
                self._answer(Command.LINK_CHECK, LINK_REPLY)
            case 0x0E if self.linked and payload[:1] == b"\xa5":
                self._restart()
            case 0x0F if self.linked:
                # Missing bytes are what the buffer held before: here, nothing.
                self._set_baudrate(code, payload.ljust(5, b"\0")[:5])
            case 0x10 if self.linked:
                span = payload.ljust(8, b"\0")
                start = int.from_bytes(span[:4], "little")
                self._answer_crc(start, int.from_bytes(span[4:8], "little"))
            case 0x11 if self.linked and self._version is not None:
                self._answer_short(code, self._version)

    @override
    def _baudrate_delay(self, delay: int) -> float:
        """Return how long the reply waits, in whole ticks (F15)."""
        return (delay + 1) * _TICK_SECONDS

    @override
    def _answer_crc(self, start: int, end: int) -> None:
        """Hash whole pages only, then lock the flash (F1, F2, F3)."""
        if start > end or end - start >= _LONGEST_CRC:
            self.busy_until = math.inf
            return
        length = (end - start + 1) // PAGE * PAGE
        self._spend_on_crc(length)
        raw = self._flash.crc(start, length) ^ 0xFFFFFFFF
        self._flash.protect(_PROTECTION)
        self._answer_short(0x10, raw.to_bytes(4, "little"))

    @override
    def _streams(self, code: int, length: int) -> bool:
        """Use any 4 KiB write while it comes in, whatever its length (F10)."""
        return self.linked and code == 0x07 and length > 5

    @override
    def _begin_write(self, address: int, size: int) -> WriteInProgress:
        """Refuse with another lower bound than for the rest, oddly echoed (F6)."""
        if address < _WRITES_FROM:
            odd = address & 0xFFFF0000 | _WRITES_FROM
            return WriteInProgress(odd, size, status=REFUSED)
        return WriteInProgress(address, size)

    @override
    def _run_long(self, code: int, payload: bytes) -> None:
        if not self.linked:
            return
        match code:
            case 0x06 if len(payload) > 4:
                self._write(payload)
            case 0x09:
                self._read_4k(payload[:4].ljust(4, b"\0"))
            case 0x0F:
                self._erase(payload[:5].ljust(5, b"\0"))

    def _write(self, payload: bytes) -> None:
        address, data = int.from_bytes(payload[:4], "little"), payload[4:]
        status = REFUSED if address < _PROTECTED_BELOW else OK
        if status == OK:
            self._program(address, data)
        count = bytes((len(data) & 0xFF,))
        self._answer_long(0x06, status, payload[:4] + count)

    def _read_4k(self, echo: bytes) -> None:
        address = int.from_bytes(echo, "little")
        if address < self._reads_from:
            self._answer_long(0x09, REFUSED, echo + b"\0")
        else:
            self._answer_long(0x09, OK, echo + self._read_sector(address))

    @override
    def _program(self, address: int, data: bytes) -> None:
        """Let the uppermost byte of an address make another operation of it.

        Nothing drops that byte before it comes to the controller: a write to 0x01211000 erases
        what it should have programmed (BK7231S_1.0.5, run as machine code).
        """
        operation = _PROGRAM | address >> 24 & 0x1F
        if operation == _PROGRAM:
            super()._program(address, data)
        elif size := _ERASES.get(operation):
            self._erase_unit(address & 0xFFFFFF, size)

    def _erase(self, payload: bytes) -> None:
        """Compare the address as a signed number; open the flash if told to (F4, F7)."""
        address = int.from_bytes(payload[1:], "little")
        if not _PROTECTED_BELOW <= address < _SIGN:
            self._answer_long(0x0F, REFUSED, payload)
            return
        if self._unlocks:
            self._flash.unprotect()
            self._unlocks = False
        if size := _ERASE_SIZES.get(payload[0]):
            self._erase_unit(address, size)
        self._answer_long(0x0F, OK, payload)


class LoaderOfU(FlashLoader):
    """BK7231U's, as far as somebody looks who will not write there (F6, F13)."""

    _reads_from = 0x2000
    _version = None
