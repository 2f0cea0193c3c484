"""The download code of BK7231N: what its mask ROM does from a reset on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
import math
import random
import time
from typing import Final, Protocol, Self

from .chips import BK7231N
from .commands import (
    LINK_REPLY,
    LONG,
    LONG_COMMANDS,
    LONG_MARK,
    SHORT_COMMANDS,
    Command,
    junk_before_command,
    long_reply,
    short_reply,
)
from .faults import Action, FaultName, Faults, Piece
from .flash import ERASE_SIZES, PAGE, SECTOR, Flash, PowerLostError

STANDARD_CODE_KEY: Final = (0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03)
DEFAULT_BAUDRATE: Final = 115200

# Status bytes of long replies.
OK: Final = 0
LENGTH_ERROR: Final = 4
INCOMPLETE: Final = 5
REFUSED: Final = 6
UNKNOWN_COMMAND: Final = 7

_CHIP_ID_REGISTER: Final = 0x00800000
_EFUSE_CONTROL: Final = 0x00800074
_EFUSE_DATA: Final = 0x00800078
_EFUSE_START: Final = 0x01
_EFUSE_VALID: Final = 0x100
_EFUSE_SIZE: Final = 32
_ROM_SIZE: Final = 0x4000

_READ_STATUS_1: Final = 0x05
# 15 is MXIC's opcode for what the others read with 35.
_READ_STATUS_2: Final = (0x35, 0x15)
_WRITE_STATUS_1: Final = 0x01
_WRITE_STATUS_2: Final = 0x31
_READ_JEDEC_ID: Final = 0x9F
# The byte that comes in while the opcode of a full-duplex transfer goes out.
_SPI_JUNK: Final = b"\xa5"

_REBOOT_MAGIC: Final = b"\xa5"
_RESET_MAGIC: Final = b"SEAN"
_STAY_MAGIC: Final = b"\x55"
# The shortest way to recognise any command, and the header of a long one.
_SHORT_HEADER: Final = 5
_LONG_HEADER: Final = 8
# What a read command takes: worth waiting for while nothing is known of a frame.
_USUAL_FRAME: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long the chip takes, in seconds. As made: no time at all."""

    link_window: float = 0.3
    """From a reset until the flash is started, unless a link check comes. No source
    gives the number; "a few hundred milliseconds" is what LibreTiny's pages say."""
    silence: float = 0.5
    """After which a command that stopped in the middle is given up."""
    erase_4k: float = 0.0
    erase_32k: float = 0.0
    erase_64k: float = 0.0
    program_4k: float = 0.0
    read_4k: float = 0.0
    crc_bytes_per_second: float = math.inf
    programs_while_receiving: bool = False
    """Spend the time of programming while the next page arrives, not after the last."""

    @classmethod
    def realistic(cls) -> Self:
        """Return the times that facts/performance.md takes for a BK7231N."""
        return cls(
            erase_4k=0.040,
            erase_32k=0.160,
            erase_64k=0.300,
            program_4k=0.012,
            read_4k=0.0005,
            crc_bytes_per_second=500_000,
        )

    def scaled(self, factor: float) -> Self:
        """Return times of the flash and the CRC that are ``factor`` as long."""
        return replace(
            self,
            erase_4k=self.erase_4k * factor,
            erase_32k=self.erase_32k * factor,
            erase_64k=self.erase_64k * factor,
            program_4k=self.program_4k * factor,
            read_4k=self.read_4k * factor,
            crc_bytes_per_second=self.crc_bytes_per_second / factor,
        )

    def erase(self, size: int) -> float:
        """Return how long erasing 4, 32 or 64 KiB takes."""
        return {0x1000: self.erase_4k, 0x8000: self.erase_32k}.get(size, self.erase_64k)


class Wire(Protocol):
    """What the download code needs of the UART."""

    baudrate: int

    def send(self, data: bytes, at: float) -> float:
        """Send from a moment on; return when the last byte has left."""

    def wake(self) -> None:
        """Offer what has arrived again, soon."""


class BootRom:
    """BK7231N's download mode on UART1.

    Follows facts/bootrom-uart.md; where that is silent, the older loaders of
    facts/bootrom-siblings.md. Addresses wrap at the end of the flash and are echoed as
    they were sent. Nothing in the flash can keep it from working.
    """

    def __init__(
        self,
        flash: Flash,
        wire: Wire,
        *,
        restart: Action,
        timings: Timings = Timings(),
        faults: Faults | None = None,
        chip_id: int | None = BK7231N.chip_id,
        code_key: tuple[int, int, int, int] = STANDARD_CODE_KEY,
    ) -> None:
        """Make the ROM of a chip; ``restart`` is what the watchdog does."""
        self.linked = False
        """Whether a link check came: the flash is not started before a reset."""
        self.busy_until = 0.0
        self.wanted = _USUAL_FRAME
        self._flash = flash
        self._wire = wire
        self._restart = restart
        self._timings = timings
        self._faults = faults or Faults()
        self._chip_id = chip_id
        self._code_key = code_key
        self._registers: dict[int, int] = {}
        self._efuse_busy = False
        self._stopped = False
        self._written: WriteInProgress | None = None
        self._silence_timer: asyncio.TimerHandle | None = None
        self._waiting = b""
        self._abandoned = 0

    def stop(self) -> None:
        """Do nothing from now on: the chip was reset, or the ROM started the flash."""
        self._stopped = True
        self._cancel_silence()

    def receive(self, data: bytes, moment: Callable[[int], float]) -> int:
        """Carry out at most one command; return how many bytes were used up."""
        if self._stopped:
            return len(data)
        if self._abandoned:
            used = min(self._abandoned, len(data))
            self._abandoned -= used
            return used
        try:
            used = self._receive(data, moment)
        except PowerLostError:
            return len(data)
        if not self._stopped:
            self._watch_silence(data[used:])
        return used

    # The stream.

    def _receive(self, data: bytes, moment: Callable[[int], float]) -> int:
        if self._written is not None:
            return self._go_on_writing(data, moment)
        start = self._junk_before(data)
        if start > 0 or not data:
            return start
        self.wanted = _SHORT_HEADER
        if len(data) < _SHORT_HEADER:
            return 0
        if data[3] != LONG:
            return self._receive_short(data, moment)
        if data[4] != LONG_MARK:
            return _SHORT_HEADER
        self.wanted = _LONG_HEADER
        if len(data) < _LONG_HEADER:
            return 0
        return self._receive_long(data, moment)

    def _junk_before(self, data: bytes) -> int:
        """Return how many bytes before the next command are none."""
        return junk_before_command(data)

    def _receive_short(self, data: bytes, moment: Callable[[int], float]) -> int:
        length = data[3]
        if not length:
            return 4
        size = 4 + length
        self.wanted = size
        if len(data) < size:
            return 0
        self._expect_command()
        self.busy_until = max(self.busy_until, moment(size))
        self._run_short(data[4], data[5:size])
        return size

    def _receive_long(self, data: bytes, moment: Callable[[int], float]) -> int:
        length = int.from_bytes(data[5:7], "little")
        if not length:
            return 7
        size = 7 + length
        code = data[7]
        if self._streams(code, length):
            self.wanted = _LONG_HEADER + 4
            if len(data) < self.wanted:
                return 0
            address = int.from_bytes(data[8:12], "little")
            self._written = self._begin_write(address, length - 5)
            self.wanted = PAGE
            return 12
        self.wanted = size
        if len(data) < size:
            return 0
        self._expect_command()
        self.busy_until = max(self.busy_until, moment(size))
        self._run_long(code, data[8:size])
        return size

    def _streams(self, code: int, length: int) -> bool:
        """Return whether a command's data is used while it comes in."""
        return (
            self.linked
            and LONG_COMMANDS.get(code) is Command.WRITE_4K
            and length == 5 + SECTOR
        )

    def _go_on_writing(self, data: bytes, moment: Callable[[int], float]) -> int:
        """Program the pages of a 4 KiB write as they come in."""
        written = self._written
        assert written is not None
        cost = self._timings.program_4k * PAGE / SECTOR
        available = min(len(data), written.left) // PAGE * PAGE
        size = min(available, PAGE) if cost else available
        if not size:
            return 0
        self.busy_until = max(self.busy_until, moment(size))
        if written.status == OK:
            self._flash.program(written.address + written.done, data[:size])
        if self._timings.programs_while_receiving:
            self.busy_until += cost
        else:
            written.owed += cost
        written.done += size
        if not written.left:
            self.busy_until += written.owed
            self._written = None
            self._expect_command()
            self._answer_long(0x07, written.status, written.echo)
        return size

    def _begin_write(self, address: int, size: int) -> WriteInProgress:
        return WriteInProgress(address, size)

    def _expect_command(self) -> None:
        self.wanted = _USUAL_FRAME

    # Short commands.

    def _run_short(self, code: int, payload: bytes) -> None:
        command = SHORT_COMMANDS.get(code, Command.UNKNOWN)
        if not self.linked and command not in (Command.LINK_CHECK, Command.STAY):
            return
        match command:
            case Command.LINK_CHECK:
                self.linked = True
                self._answer(command, LINK_REPLY)
            case Command.STAY if payload == _STAY_MAGIC:
                self.linked = True
                self._answer_short(code, payload)
            case Command.WRITE_REGISTER if len(payload) == 8:
                self._write_register(_word(payload), _word(payload[4:]))
                self._answer_short(code, payload)
            case Command.READ_REGISTER if len(payload) == 4:
                value = self._read_register(_word(payload))
                self._answer_short(code, payload + value.to_bytes(4, "little"))
            case Command.REBOOT if payload == _REBOOT_MAGIC:
                self._restart()
            case Command.RESET if payload == _RESET_MAGIC:
                self._restart()
            case Command.REBOOT:
                self._answer_short(code, payload)
            case Command.SET_BAUDRATE if len(payload) == 5:
                self._set_baudrate(code, payload)
            case Command.CRC if len(payload) == 8:
                self._answer_crc(_word(payload), _word(payload[4:]))
            case _:
                self._unknown_short(code)

    def _set_baudrate(self, code: int, payload: bytes) -> None:
        """Switch at once, wait, then answer at the new rate."""
        self._wire.baudrate = max(1, _word(payload))
        self.busy_until += self._baudrate_delay(payload[4])
        self._answer_short(code, payload)

    def _baudrate_delay(self, delay: int) -> float:
        return delay / 1000

    def _answer_crc(self, start: int, end: int) -> None:
        """Answer the raw CRC-32 register over ``start`` to ``end``, both included.

        With the end before the start the loop of the older loaders never ends.
        """
        if end < start:
            self.busy_until = math.inf
            return
        self._spend_on_crc(end - start + 1)
        raw = self._flash.crc(start, end - start + 1) ^ 0xFFFFFFFF
        self._answer_short(0x10, raw.to_bytes(4, "little"))

    def _spend_on_crc(self, length: int) -> None:
        self.busy_until += length / self._timings.crc_bytes_per_second

    def _unknown_short(self, code: int) -> None:
        self._answer_short(code, bytes((UNKNOWN_COMMAND,)))

    # Registers.

    def _read_register(self, address: int) -> int:
        if address == _CHIP_ID_REGISTER:
            fault = self._faults.lasting(FaultName.CHIP_ID)
            return int(fault.value, 16) if fault else self._chip_id or 0
        if address == _EFUSE_CONTROL:
            value = self._registers.get(address, 0)
            if self._efuse_busy:
                self._efuse_busy = False
                return value
            return value & ~_EFUSE_START
        if address == _EFUSE_DATA:
            return self._read_efuse()
        if address < _ROM_SIZE:
            return random.Random(address & ~3).getrandbits(32)
        return self._registers.get(address, 0)

    def _write_register(self, address: int, value: int) -> None:
        self._registers[address] = value
        if address == _EFUSE_CONTROL and value & _EFUSE_START:
            self._efuse_busy = True

    def _read_efuse(self) -> int:
        number = self._registers.get(_EFUSE_CONTROL, 0) >> 8 & _EFUSE_SIZE - 1
        key = self._code_key
        if fault := self._faults.lasting(FaultName.CODE_KEY):
            first, second, third, fourth = fault.value.split()
            key = (int(first, 16), int(second, 16), int(third, 16), int(fourth, 16))
        cells = b"".join(word.to_bytes(4, "little") for word in key)
        return _EFUSE_VALID | cells.ljust(_EFUSE_SIZE, b"\0")[number]

    # Long commands.

    def _run_long(self, code: int, payload: bytes) -> None:
        if not self.linked:
            return
        command = LONG_COMMANDS.get(code, Command.UNKNOWN)
        address, echo = _word(payload), payload[:4].ljust(4, b"\0")
        match command:
            case Command.WRITE_4K:
                self._answer_long(code, LENGTH_ERROR, echo)
            case Command.READ_4K if len(payload) != 4:
                self._answer_long(code, LENGTH_ERROR, echo)
            case Command.READ_4K:
                self._answer_long(code, OK, echo + self._read_sector(address))
            case Command.READ if len(payload) == 5:
                self._answer_long(
                    code, OK, echo + self._flash.read(address, payload[4])
                )
            case Command.WRITE if len(payload) > 4:
                self._program(address, payload[4:])
                # One byte for the count: a whole page counts as 0.
                count = bytes((len(payload) - 4 & 0xFF,))
                self._answer_long(code, OK, echo + count)
            case Command.ERASE if len(payload) == 5:
                if size := ERASE_SIZES.get(payload[0]):
                    self._erase_unit(_word(payload[1:]), size)
                self._answer_long(code, OK, payload)
            case Command.ERASE_4K if len(payload) == 4:
                self._erase_unit(address, SECTOR)
                self._answer_long(code, OK, payload)
            case Command.ERASE_CHIP if len(payload) == 1:
                # The handler is there but does nothing.
                self._answer_long(code, OK, payload)
            case Command.READ_STATUS if len(payload) == 1:
                value = self._read_status(payload[0])
                self._answer_long(code, OK, payload + bytes((value,)))
            case Command.WRITE_STATUS if len(payload) in (2, 3):
                self._write_status(payload)
                self._answer_long(code, OK, payload)
            case Command.FLASH_ID if payload:
                self._answer_long(code, OK, self._transfer(payload))
            case Command.UNKNOWN:
                self._unknown_long(code)
            case _:
                self._answer_long(code, LENGTH_ERROR)

    def _read_sector(self, address: int) -> bytes:
        self.busy_until += self._timings.read_4k
        return self._flash.read(address, SECTOR)

    def _program(self, address: int, data: bytes) -> None:
        self.busy_until += self._timings.program_4k * len(data) / SECTOR
        self._flash.program(address, data)

    def _erase_unit(self, address: int, size: int) -> None:
        self.busy_until += self._timings.erase(size)
        self._flash.erase(address, size)

    def _read_status(self, opcode: int) -> int:
        status = self._flash.status
        if opcode == _READ_STATUS_1:
            return status & 0xFF
        return status >> 8 if opcode in _READ_STATUS_2 else 0

    def _write_status(self, payload: bytes) -> None:
        value = int.from_bytes(payload[1:], "little")
        if payload[0] == _WRITE_STATUS_1:
            self._flash.write_status(value, len(payload) - 1)
        elif payload[0] == _WRITE_STATUS_2:
            self._flash.write_second_status(value & 0xFF)

    def _transfer(self, sent: bytes) -> bytes:
        """Return what comes in while bytes go out to the flash, one for each."""
        if sent[0] == _READ_JEDEC_ID:
            answer = self._flash.identify()
        else:
            answer = bytes((self._read_status(sent[0]),)) * (len(sent) - 1)
        return (_SPI_JUNK + answer)[: len(sent)]

    def _unknown_long(self, code: int) -> None:
        self._answer_long(code, UNKNOWN_COMMAND)

    # Replies.

    def _answer_short(self, code: int, payload: bytes) -> None:
        command = SHORT_COMMANDS.get(code, Command.UNKNOWN)
        self._answer(command, short_reply(code, payload))

    def _answer_long(self, code: int, status: int, payload: bytes = b"") -> None:
        command = LONG_COMMANDS.get(code, Command.UNKNOWN)
        self._answer(command, long_reply(code, status, payload))

    def _answer(self, command: Command, reply: bytes) -> None:
        """Send a reply once the chip is done; sending keeps it busy, too."""
        for piece in self._faults.reply(command, reply):
            self._send(piece)

    def _send(self, piece: Piece) -> None:
        self.busy_until += piece.pause
        if piece.data:
            self.busy_until = self._wire.send(piece.data, self.busy_until)
        if piece.then is not None:
            delay = self.busy_until - time.monotonic()
            asyncio.get_running_loop().call_later(max(0.0, delay), piece.then)

    # Commands that stop in the middle.

    def _watch_silence(self, waiting: bytes) -> None:
        """Give up after a while unless more comes; nothing may be left to wait for."""
        self._cancel_silence()
        self._waiting = waiting
        if waiting or self._written is not None:
            self._silence_timer = asyncio.get_running_loop().call_later(
                self._timings.silence, self._give_up
            )

    def _cancel_silence(self) -> None:
        if self._silence_timer is not None:
            self._silence_timer.cancel()
            self._silence_timer = None

    def _give_up(self) -> None:
        """Answer a command that will never be complete, and start afresh."""
        self._silence_timer = None
        self._faults.restart()
        waiting, written = self._waiting, self._written
        self._abandoned, self._waiting, self._written = len(waiting), b"", None
        self._expect_command()
        self.busy_until = max(self.busy_until, time.monotonic())
        if written is not None:
            self._answer_long(0x07, INCOMPLETE, written.echo)
        elif self.linked and len(waiting) >= _SHORT_HEADER:
            self._answer_incomplete(waiting)
        self._wire.wake()

    def _answer_incomplete(self, waiting: bytes) -> None:
        if waiting[3] != LONG:
            echo = waiting[3:]
            self._answer_short(INCOMPLETE, bytes((len(waiting),)) + echo)
        elif len(waiting) >= _LONG_HEADER:
            self._answer_long(waiting[7], INCOMPLETE)


@dataclass(slots=True)
class WriteInProgress:
    """A 4 KiB write whose data is coming in."""

    address: int
    size: int
    done: int = 0
    owed: float = 0.0
    """Seconds of programming that are spent after the last page."""
    status: int = OK
    """What the reply will say; nothing is programmed where that is an error."""

    @property
    def echo(self) -> bytes:
        """Return the address as the reply has it."""
        return self.address.to_bytes(4, "little")

    @property
    def left(self) -> int:
        """Return how many bytes have yet to come."""
        return self.size - self.done


def _word(data: bytes) -> int:
    """Return the little-endian word that some bytes begin with."""
    return int.from_bytes(data[:4], "little")
