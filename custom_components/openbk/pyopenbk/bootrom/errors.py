"""What can go wrong between the serial port and the flash, and what to look at first."""

from enum import StrEnum
from typing import ClassVar

from ..errors import OpenBekenError


class Hint(StrEnum):
    """The likely fault behind an error; the wizard has a sentence for each."""

    CHECK_WIRING = "check_wiring"
    """No answer at all: TX and RX crossed? common ground? right pads?"""
    CHECK_POWER = "check_power"
    """Answers and then silence: the 3.3 V supply breaks down, or a wire came off."""
    RESET_CHIP = "reset_chip"
    """The chip must be restarted: CEN to GND for a moment, or power off and on."""
    SHORTEN_WIRES = "shorten_wires"
    """Bytes get damaged on the way: long wires, bad ground, an adapter at its limit."""
    SEPARATE_RX_TX = "separate_rx_tx"
    """Our own bytes come back: RX and TX touch."""
    USE_OTHER_UART = "use_other_uart"
    """Boot log text comes in: the wires are on the log port (TX2), not on RX1 and TX1."""
    CHECK_PATH = "check_path"
    """There is no such port: adapter not plugged in, or a mistyped address."""
    CLOSE_OTHER_PROGRAM = "close_other_program"
    """Another program holds the port."""
    GRANT_PERMISSION = "grant_permission"
    """The port exists but this user may not open it."""
    REPLUG_ADAPTER = "replug_adapter"
    """The adapter went away while the port was open."""
    OTHER_CHIP = "other_chip"
    """The chip answers but is none that can be flashed."""
    CHECK_MODULE = "check_module"
    """The chip cannot reach its flash: P24 held low during a reset cured some, else damaged."""
    LEAVE_AS_IT_IS = "leave_as_it_is"
    """The flash stays protected whatever is written to its status register."""


class PortTrouble(StrEnum):
    """Why a serial port cannot be used."""

    MISSING = "missing"
    BUSY = "busy"
    NO_PERMISSION = "no_permission"
    UNPLUGGED = "unplugged"
    UNREACHABLE = "unreachable"
    """Nothing answers at this address of the network."""
    CLOSED = "closed"
    """The server in the network has closed the connection."""
    NOT_READY = "not_ready"
    """What provides this port does not do so now."""
    UNSUPPORTED = "unsupported"
    """The address or one of the settings is not understood by the driver."""


class BootRomError(OpenBekenError):
    """Base of what goes wrong while talking to the boot ROM."""

    hint: Hint = Hint.CHECK_WIRING

    def __init__(self, message: str, hint: Hint | None = None) -> None:
        """Take a text for logs and, where it is not this error's usual one, the likely fault."""
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class PortUnavailableError(BootRomError):
    """The serial port cannot be opened, or has gone away."""

    _HINTS: ClassVar = {
        PortTrouble.MISSING: Hint.CHECK_PATH,
        PortTrouble.BUSY: Hint.CLOSE_OTHER_PROGRAM,
        PortTrouble.NO_PERMISSION: Hint.GRANT_PERMISSION,
        PortTrouble.UNPLUGGED: Hint.REPLUG_ADAPTER,
        PortTrouble.UNREACHABLE: Hint.CHECK_PATH,
        PortTrouble.CLOSED: Hint.CHECK_PATH,
        PortTrouble.NOT_READY: Hint.CHECK_PATH,
        PortTrouble.UNSUPPORTED: Hint.CHECK_PATH,
    }

    def __init__(self, reason: PortTrouble, detail: str) -> None:
        """Keep the reason; ``detail`` is the driver's own text."""
        super().__init__(
            f"serial port {reason.replace('_', ' ')}: {detail}", self._HINTS[reason]
        )
        self.reason = reason


class NoChipError(BootRomError):
    """No chip is linked, or nothing answered a link check in the time given."""

    hint = Hint.RESET_CHIP


class LinkLostError(BootRomError):
    """A chip that had answered does not any more, at no baud rate that it may be on."""

    hint = Hint.CHECK_POWER


class BaudRateLostError(LinkLostError):
    """The chip went to a baud rate and is not understood there; the next try goes on slower."""

    hint = Hint.RESET_CHIP

    def __init__(self, rate: int) -> None:
        """Keep the baud rate."""
        super().__init__(f"the chip went to {rate} baud and is not understood there")
        self.rate = rate


class NoReplyError(LinkLostError):
    """One request stays without an answer, though the chip may answer others."""


class UnexpectedReplyError(BootRomError):
    """Answers keep coming that do not fit what was asked, or change from one to the next."""

    hint = Hint.SHORTEN_WIRES


class StatusError(BootRomError):
    """The boot ROM answered with a status other than 0."""

    hint = Hint.CHECK_POWER

    def __init__(self, status: int, command: str) -> None:
        """Keep the status byte (facts of the protocol: 1 busy, 2 and 3 time-outs, 5 incomplete…)."""
        super().__init__(f"{command}: status {status}")
        self.status = status


class WrongChipError(BootRomError):
    """The chip is none of those that can be flashed."""

    hint = Hint.OTHER_CHIP

    def __init__(self, chip_id: int | None, chip: str | None = None) -> None:
        """Keep the value of the chip id register, and the chip's name where it is known.

        The loaders of BK7231U and BK7231Q answer link checks, but have no command for registers.
        """
        found = "no chip id" if chip_id is None else f"chip id 0x{chip_id:08X}"
        super().__init__(f"{found}: {chip or 'an unknown chip'} cannot be flashed here")
        self.chip_id = chip_id
        self.chip = chip

    @property
    def name(self) -> str:
        """Return its name or, where nobody here has one for it, its chip id or a question mark."""
        return self.chip or ("?" if self.chip_id is None else f"0x{self.chip_id:X}")


class FlashUnreachableError(BootRomError):
    """The chip answers but its flash does not: the flash id is all zeros or all ones."""

    hint = Hint.CHECK_MODULE


class ProtectedFlashError(BootRomError):
    """The flash acknowledges erasing and writing but keeps its contents."""

    hint = Hint.LEAVE_AS_IT_IS


class CrcMismatchError(BootRomError):
    """Some flash does not hold what it should after every retry."""

    hint = Hint.SHORTEN_WIRES

    def __init__(self, start: int, length: int) -> None:
        """Keep the byte address and the length of the part that differs."""
        super().__init__(f"CRC of 0x{start:06X}+0x{length:X} stays wrong")
        self.start = start
        self.length = length
