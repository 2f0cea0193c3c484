"""What the whole job needs at least is worked out of what became another."""

import pytest

from benchmarks.job import BLOCK, SECTOR, least_write

ERASED = bytes(4 * BLOCK)
# Ten bits a byte at 2 Mbaud, 12 ms to program 4 KiB, and a CRC of 500 kB/s.
SECTOR_SECONDS = SECTOR * 10 / 2e6 + 0.012 + SECTOR / 500_000


def changed(*sectors: int) -> bytes:
    """Return the flash with other contents in these sectors."""
    flash = bytearray(ERASED)
    for sector in sectors:
        flash[sector * SECTOR] = 1
    return bytes(flash)


@pytest.mark.parametrize(
    ("sectors", "erasing"),
    [
        ((), 0.0),
        ((3,), 0.04),
        ((3, 17), 0.08),
        # From eight sectors on, all of a block is erased faster.
        (range(16, 23), 7 * 0.04),
        (range(16, 32), 0.3),
        ((*range(16, 32), 40), 0.34),
    ],
)
def test_least_that_writing_takes(sectors: tuple[int, ...], erasing: float) -> None:
    least = least_write(ERASED, changed(*sectors))
    assert least == pytest.approx(len(sectors) * SECTOR_SECONDS + erasing)
