"""A chip on a link: which one it is, and whole pieces of its flash."""

from typing import Final, Self

from ..beken.flash_map import SECTOR_SIZE, WriteAllowance
from . import frames
from .errors import NoChipError, NoReplyError, StatusError, WrongChipError
from .flash_loader import FlashLoader
from .link import Link
from .loader import ChipIdentity, Loader
from .programming import FlashProgrammer, ProgramReport, complete_sector
from .reading import FlashReader, Progress, VerifiedPart
from .rom_loader import RomLoader

LOADERS: Final[tuple[type[Loader], ...]] = (RomLoader, FlashLoader)
"""The kinds of loaders, in the order in which a chip is asked for them."""

# First each is asked once: the right one mostly hears it, the others keep silent for a second.
_ROUNDS: Final = (1, 4)
# BK7231U reads its bootloader to whoever asks, BK7231Q and BK7231T refuse.
_IN_THE_BOOTLOADER: Final = 0x8000


class LinkedChip:
    """One chip on a link. Addresses are plain flash addresses, 0 up to the flash size."""

    def __init__(self, loader: Loader) -> None:
        """Take the loader of a chip that was identified; use `identify`."""
        self._loader = loader

    @classmethod
    async def identify(cls, link: Link) -> Self:
        """Ask a linked chip what it is.

        Raises NoChipError, WrongChipError, FlashUnreachableError, UnexpectedReplyError,
        LinkLostError, PortUnavailableError.
        """
        if not link.linked:
            raise NoChipError("no chip has answered a link check yet")
        for attempts in _ROUNDS:
            for kind in LOADERS:
                if (loader := await kind.identify(link, attempts)) is not None:
                    return cls(loader)
        raise WrongChipError(None, await _name_of_other(link))

    @property
    def resets_when_idle(self) -> bool:
        """Return whether it leaves the loader when it hears nothing for some seconds."""
        return self._loader.resets_when_idle

    @property
    def link(self) -> Link:
        """Return the link that the chip is on."""
        return self._loader.link

    @property
    def identity(self) -> ChipIdentity:
        """Return what the chip said of itself."""
        return self._loader.identity

    async def read(
        self,
        start: int,
        length: int,
        *,
        progress: Progress | None = None,
        verified: VerifiedPart | None = None,
    ) -> bytes:
        """Read whole sectors of 4 KiB and prove them by the chip's own CRC.

        ``progress`` gets bytes done and bytes in all; ``verified`` gets each part (address, data)
        in ascending order once it is proven. Blank parts are known by their CRC and not
        transferred. Raises CrcMismatchError, NoReplyError, StatusError, LinkLostError,
        PortUnavailableError.
        """
        self._check_sectors(start, length)
        reader = FlashReader(
            self._loader, start, length, progress=progress, verified=verified
        )
        return await reader.read()

    async def check_flash(self) -> None:
        """Raise FlashUnreachableError where what is read would not be what the flash holds."""
        await self._loader.check_flash()

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC of a range, as `checksums.crc32_jamcrc` computes it."""
        self._check_range(start, length)
        return await self._loader.crc(start, length)

    async def program(
        self,
        start: int,
        data: bytes,
        *,
        allowance: WriteAllowance,
        progress: Progress | None = None,
        last: int | None = None,
    ) -> ProgramReport:
        """Make the flash from ``start`` hold ``data``, touching only what differs; verified by CRC.

        ``start`` is a multiple of 4 KiB; a part sector at the end is filled with FF. The sector at
        address ``last`` is erased before anything else is touched and written after everything
        else is proven, so that half an application cannot start. Interrupted at any point, the
        same call brings it to its end. Raises OutsideAllowanceError before anything is touched,
        ProtectedFlashError, CrcMismatchError, UnexpectedReplyError, NoReplyError, StatusError,
        LinkLostError, PortUnavailableError.
        """
        data += b"\xff" * (-len(data) % SECTOR_SIZE)
        self._check_sectors(start, len(data))
        programmer = FlashProgrammer(
            self._loader, start, data, allowance=allowance, progress=progress, last=last
        )
        await self.unprotect()
        return await programmer.program()

    async def complete(
        self, sector: int, before: bytes, data: bytes, *, allowance: WriteAllowance
    ) -> bool:
        """Program what a sector of 4 KiB lacks, without an erase; return whether it came out right.

        The sector holds ``before``, which is ``data`` with some bytes still blank; nothing else in
        it is programmed. Where it holds something else, nothing is done. Raises
        OutsideAllowanceError, ProtectedFlashError, NoReplyError, StatusError, LinkLostError,
        PortUnavailableError.
        """
        self._check_sectors(sector, len(data))
        allowance.check(sector, SECTOR_SIZE)
        await self.unprotect()
        return await complete_sector(self._loader, sector, before, data, allowance)

    async def erase(
        self, start: int, length: int, *, allowance: WriteAllowance
    ) -> None:
        """Erase whole sectors of 4 KiB and prove it; errors as for `program`."""
        await self.program(start, b"\xff" * length, allowance=allowance)

    async def unprotect(self) -> None:
        """Make the flash take erases and writes; raises ProtectedFlashError if it does not."""
        await self._loader.unprotect()

    async def reboot(self) -> None:
        """Leave the loader and start what is in the flash.

        Another link check within the next moments would catch the chip again.
        """
        await self._loader.reboot()

    def _check_sectors(self, start: int, length: int) -> None:
        self._check_range(start, length)
        if start % SECTOR_SIZE or length % SECTOR_SIZE:
            raise ValueError(f"not whole sectors: 0x{start:X}+0x{length:X}")

    def _check_range(self, start: int, length: int) -> None:
        """Refuse what lies outside of the flash: the chip would wrap around silently."""
        if not 0 <= start < start + length <= self.identity.flash_size:
            raise ValueError(f"not in the flash: 0x{start:X}+0x{length:X}")


async def _name_of_other(link: Link) -> str | None:
    """Return what chip has a loader in its flash that tells neither id nor version."""
    try:
        await link.exchange(frames.read_sector(_IN_THE_BOOTLOADER), attempts=2)
    except NoReplyError:
        return None
    except StatusError:
        return "BK7231Q"
    return "BK7231U"
