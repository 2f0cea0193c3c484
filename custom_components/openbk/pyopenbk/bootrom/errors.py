"""What can go wrong between the serial port and the flash."""

from enum import StrEnum

from ..errors import OpenBekenError


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


class PortUnavailableError(BootRomError):
    """The serial port cannot be opened, or has gone away."""

    def __init__(self, reason: PortTrouble, detail: str) -> None:
        """Keep the reason; ``detail`` is the driver's own text."""
        super().__init__(f"serial port {reason.replace('_', ' ')}: {detail}")
        self.reason = reason


class NoChipError(BootRomError):
    """No chip is linked, or nothing answered a link check in the time given."""


class LinkLostError(BootRomError):
    """A chip that had answered does not any more, at no baud rate that it may be on."""


class BaudRateLostError(LinkLostError):
    """The chip went to a baud rate and is not understood there; the next try goes on slower."""

    def __init__(self, rate: int) -> None:
        """Keep the baud rate."""
        super().__init__(f"the chip went to {rate} baud and is not understood there")
        self.rate = rate


class NoReplyError(LinkLostError):
    """One request stays without an answer, though the chip may answer others."""


class UnexpectedReplyError(BootRomError):
    """Answers keep coming that do not fit what was asked, or change from one to the next."""


class StatusError(BootRomError):
    """The boot ROM answered with a status other than 0."""

    def __init__(self, status: int, command: str) -> None:
        """Keep the status byte (facts of the protocol: 1 busy, 2 and 3 time-outs, 5 incomplete…)."""
        super().__init__(f"{command}: status {status}")
        self.status = status


class WrongChipError(BootRomError):
    """The chip is none of those that can be flashed."""

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


class ProtectedFlashError(BootRomError):
    """The flash acknowledges erasing and writing but keeps its contents."""


class CrcMismatchError(BootRomError):
    """Some flash does not hold what it should after every retry."""

    def __init__(self, start: int, length: int) -> None:
        """Keep the byte address and the length of the part that differs."""
        super().__init__(f"CRC of 0x{start:06X}+0x{length:X} stays wrong")
        self.start = start
        self.length = length
