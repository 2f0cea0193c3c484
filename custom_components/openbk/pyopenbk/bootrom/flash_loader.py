"""The bootloader in the flash as loader, such as BK7231T's: it must never be written over."""

from typing import ClassVar, Final, Self, override

from ..beken.chips import FLASHABLE, LoaderKind
from ..beken.flash_map import SECTOR_SIZE, WriteAllowance
from ..checksums import crc32_jamcrc
from . import frames
from .errors import FlashUnreachableError, NoReplyError, StatusError, WrongChipError
from .frames import EraseSize, Request
from .link import READ_ALIAS, Link
from .loader import ChipIdentity, Loader

# Sizes of flashes to which an address may wrap around, in bytes.
_SIZES: Final = (0x80000, 0x100000, 0x200000, 0x400000)
# What a byte that gets lost in the address of a write does is final; this rate is known to be good
# for whole images (run as machine code).
_FASTEST_CHANGE: Final = 460_800
_CRC_OF_ZEROS: Final = crc32_jamcrc(bytes(SECTOR_SIZE))


class FlashLoader(Loader):
    """A bootloader with the download code of BK7231T, run as machine code (BK7231S_1.0.5).

    It has no command for registers nor for the flash's own. It protects the flash after each CRC,
    acknowledges all the same what it does not write then, and lifts the protection at the first
    erase after a link check. It waits for ever for the rest of a frame.
    """

    waits_for_ever: ClassVar[bool] = True
    resets_when_idle: ClassVar[bool] = True

    def __init__(self, link: Link, identity: ChipIdentity) -> None:
        """Take a chip that was identified; use `identify`."""
        super().__init__(link, identity)
        self._opened_at: int | None = None
        """How often the link had failed when the flash was opened; None: a CRC came since."""

    @classmethod
    @override
    async def identify(cls, link: Link, attempts: int) -> Self | None:
        """Read the version of the loader, and where addresses begin anew."""
        try:
            reply = await link.exchange(frames.read_version(), attempts=attempts)
        except NoReplyError, StatusError:
            return None
        version = reply.data.rstrip(b"\0").decode("ascii", "replace")
        name = version.partition("_")[0]
        chip = next((chip for chip in FLASHABLE if chip.bootloader_name == name), None)
        if chip is None or chip.loader is not LoaderKind.BOOTLOADER:
            raise WrongChipError(None, name if name.isalnum() else None)
        identity = ChipIdentity(
            chip=chip, flash_size=await _find_size(link), baudrate=link.baudrate
        )
        return cls(link, identity)

    @override
    async def check_flash(self) -> None:
        """Look at the sector in which this loader lies; raises FlashUnreachableError for zeros."""
        if await self.crc(0, SECTOR_SIZE) == _CRC_OF_ZEROS:
            raise FlashUnreachableError("the loader's own sector reads as zeros")

    @override
    async def unprotect(self) -> None:
        """Go to a rate at which no byte gets lost; each erase and each write opens the flash."""
        if self.link.baudrate > _FASTEST_CHANGE:
            await self.link.set_baudrate(_FASTEST_CHANGE)

    @override
    def read_request(self, sector: int) -> Request:
        """Return the request for a sector, for those that it refuses under another address."""
        is_refused = sector < self.identity.chip.flash.application.start
        return frames.read_sector(sector + READ_ALIAS if is_refused else sector)

    @override
    async def crc(self, start: int, length: int) -> int:
        self._opened_at = None
        return await super().crc(start, length)

    @override
    async def erase(
        self, start: int, size: EraseSize, allowance: WriteAllowance
    ) -> None:
        await self.link.exchange(frames.link_check())
        await super().erase(start, size, allowance)
        self._opened_at = self.link.failures

    @override
    async def write_sector(
        self, sector: int, data: bytes, allowance: WriteAllowance
    ) -> None:
        if self._opened_at != self.link.failures:
            await self.link.exchange(frames.link_check())
            request = frames.erase_nothing(sector)
            await self.link.exchange(request, allowance=allowance)
            self._opened_at = self.link.failures
        await super().write_sector(sector, data, allowance)

    @override
    async def reboot(self) -> None:
        """Start what is in the flash; said once, as it would be heard by the one that starts."""
        self.link.send(frames.reboot())
        await self.link.flush()
        self.link.linked = False


async def _find_size(link: Link) -> int:
    """Return after how many bytes the flash begins anew, by the CRC of its first sector."""
    first = await link.crc(0, SECTOR_SIZE)
    for size in _SIZES:
        if await link.crc(size, SECTOR_SIZE) == first:
            return size
    return max(_SIZES) * 2
