"""Comparing flash with what it should hold, by the chip's CRC."""

from typing import Final

from ..beken.flash_map import SECTOR_SIZE
from ..checksums import crc32_jamcrc
from .loader import Loader

BLANK_SECTOR: Final = b"\xff" * SECTOR_SIZE
BLANK_SECTOR_CRC: Final = crc32_jamcrc(BLANK_SECTOR)


async def find_differences(
    loader: Loader, start: int, expected: bytes | memoryview
) -> list[int]:
    """Return the addresses of the sectors from ``start`` that do not hold ``expected``.

    One CRC where all is right; else halves are compared until the wrong sectors are found.
    """
    actual = await loader.crc(start, len(expected))
    return await _narrow(loader, start, expected, actual)


async def _narrow(
    loader: Loader, start: int, expected: bytes | memoryview, actual: int
) -> list[int]:
    """Return the wrong sectors of a part whose CRC on the chip is ``actual``."""
    if actual == crc32_jamcrc(expected):
        return []
    sectors = len(expected) // SECTOR_SIZE
    if sectors == 1:
        return [start]
    half = sectors // 2 * SECTOR_SIZE
    first = await loader.crc(start, half)
    differences = await _narrow(loader, start, expected[:half], first)
    # What the whole would have if only the first half were wrong.
    if not differences or crc32_jamcrc(expected[half:], first) != actual:
        differences += await find_differences(loader, start + half, expected[half:])
    return differences
