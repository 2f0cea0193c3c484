"""What every loader of a chip can do; each kind of them is a file of its own."""

from abc import ABC, abstractmethod
import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from ..beken.chips import FlashableChip
from ..beken.code_flash import CodeKeyWords
from ..beken.flash_map import WriteAllowance
from . import frames
from .flash_parts import FLASH_PARTS, UNKNOWN_PART, FlashPart
from .frames import EraseSize, Request
from .link import Link

_REBOOTS: Final = 3
_REBOOT_INTERVAL: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipIdentity:
    """What a chip says of itself."""

    chip: FlashableChip
    chip_id: int | None = None
    """What is in its register; None where the loader lets nobody read registers."""
    code_key: CodeKeyWords | None = None
    """The code encryption words of the eFuse; all zero = unencrypted, or not readable."""
    jedec: bytes = b""
    """The three bytes of the flash id, none where the loader does not ask the flash."""
    flash_size: int
    """Bytes."""
    baudrate: int

    @property
    def part(self) -> FlashPart:
        """Return the flash part; for an unknown id one with the usual registers."""
        return FLASH_PARTS.get(self.jedec, UNKNOWN_PART)


class Loader(ABC):
    """The code on a chip that answers on its UART, and what it does to the flash.

    Addresses are plain flash addresses, 0 up to the flash size.
    """

    def __init__(self, link: Link, identity: ChipIdentity) -> None:
        """Take a chip that was identified; use `identify`.

        From here on the link lets nothing be changed that no job for this chip may change.
        """
        self.link = link
        self.identity = identity
        link.writable = identity.chip.flash.restore_of_own_backup
        link.waits_for_ever = self.waits_for_ever

    waits_for_ever: ClassVar[bool] = False
    """It never gives up a frame of which bytes got lost."""
    resets_when_idle: ClassVar[bool] = False
    """It starts the flash when it hears nothing for a while."""

    @classmethod
    @abstractmethod
    async def identify(cls, link: Link, attempts: int) -> Self | None:
        """Ask a linked chip what it is; None where no loader of this kind answers.

        ``attempts`` is how often the first question is asked, to which others do not answer.
        Raises WrongChipError for a chip that this kind of loader is on and nobody knows here,
        FlashUnreachableError, UnexpectedReplyError, LinkLostError, PortUnavailableError.
        """

    @abstractmethod
    async def check_flash(self) -> None:
        """Make sure that the loader still reaches the flash, where it can tell.

        One that it does not reach reads as zeros, of which its CRC is right. Raises
        FlashUnreachableError.
        """

    @abstractmethod
    async def unprotect(self) -> None:
        """Make the flash take erases and writes; raises ProtectedFlashError if it does not."""

    def read_request(self, sector: int) -> Request:
        """Return the request for the 4096 bytes of a sector."""
        return frames.read_sector(sector)

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC of a range, as `checksums.crc32_jamcrc` computes it."""
        return await self.link.crc(start, length)

    async def erase(
        self, start: int, size: EraseSize, allowance: WriteAllowance
    ) -> None:
        """Erase one sector or block; whether it worked shows by its CRC."""
        await self.link.exchange(frames.erase(start, size), allowance=allowance)

    async def write_sector(
        self, sector: int, data: bytes, allowance: WriteAllowance
    ) -> None:
        """Program the 4096 bytes of a sector; whether it worked shows by its CRC.

        After NoReplyError and StatusError comes `recover_write`.
        """
        await self.link.ask(frames.write_sector(sector, data), allowance)

    async def recover_write(self) -> None:
        """Make the loader listen again that may still wait for the rest of a sector.

        Raises LinkLostError.
        """
        await self.link.recover(was_writing=True)

    async def reboot(self) -> None:
        """Leave the loader and start what is in the flash.

        Nothing answers this, so it is sent more than once; another link check within the next
        moments would catch the chip again.
        """
        for _ in range(_REBOOTS):
            self.link.send(frames.reboot())
            await self.link.flush()
            await asyncio.sleep(_REBOOT_INTERVAL)
        self.link.linked = False
