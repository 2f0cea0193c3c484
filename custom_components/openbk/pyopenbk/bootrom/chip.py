"""A BK7231N in its boot ROM: identity, reading, erasing, programming, checking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ..flash_map import WriteAllowance
from .link import Link

type Progress = Callable[[int, int], None]
type VerifiedPart = Callable[[int, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipIdentity:
    """What a chip says of itself."""

    chip_id: int
    code_key: tuple[int, int, int, int]
    """The code encryption words of the eFuse; all zero = unencrypted, or not readable."""
    jedec: bytes
    """The three bytes of the flash id."""
    flash_size: int
    """Bytes, from the flash id."""
    baudrate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport:
    """What programming did; sectors of 4 KiB."""

    sectors: int
    equal: int
    """Found right and left alone."""
    written: int
    blank: int
    """Erased (or already blank) and to stay blank."""
    repaired: int
    """Found wrong after writing, and written again."""


class Chip:
    """One BK7231N on a link. Addresses are plain flash addresses, 0 up to the flash size."""

    link: Link
    identity: ChipIdentity

    @classmethod
    async def identify(cls, link: Link) -> Self:
        """Read chip id, eFuse key and flash id.

        Raises WrongChipError, FlashUnreachableError, LinkLostError.
        """
        raise NotImplementedError

    async def read(
        self,
        start: int,
        length: int,
        *,
        progress: Progress | None = None,
        verified: VerifiedPart | None = None,
    ) -> bytes:
        """Read flash and prove it by the chip's own CRC; whole sectors of 4 KiB only.

        ``progress`` gets bytes done and bytes in all; ``verified`` gets each part (address, data)
        in ascending order once it is proven. Blank parts are known by their CRC and not
        transferred. Raises CrcMismatchError, LinkLostError, PortUnavailableError.
        """
        raise NotImplementedError

    async def crc(self, start: int, length: int) -> int:
        """Return the chip's CRC of a range, as `checksums.crc32_jamcrc` computes it."""
        raise NotImplementedError

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
        else is proven. Raises OutsideAllowanceError before anything is touched,
        ProtectedFlashError, CrcMismatchError, StatusError, LinkLostError, PortUnavailableError.
        """
        raise NotImplementedError

    async def erase(
        self, start: int, length: int, *, allowance: WriteAllowance
    ) -> None:
        """Erase whole sectors of 4 KiB and prove it; errors as for `program`."""
        raise NotImplementedError

    async def unprotect(self) -> None:
        """Clear the protection bits, only if they are set; raises ProtectedFlashError."""
        raise NotImplementedError

    async def reboot(self) -> None:
        """Leave the boot ROM and start what is in the flash; nothing answers this."""
        raise NotImplementedError
