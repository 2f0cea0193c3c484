"""The simulated flash behaves as NOR does."""

import zlib

import pytest

from simulator.flash import SIZE, Flash, Operation, PowerLostError


def test_programming_only_clears_bits() -> None:
    flash = Flash()
    flash.program(0x1000, b"\xf0\x0f")
    flash.program(0x1000, b"\x3c\xff")
    assert flash.read(0x1000, 3) == b"\x30\x0f\xff"


@pytest.mark.parametrize("size", [0x1000, 0x8000, 0x10000])
def test_an_erase_blanks_the_whole_unit_that_the_address_lies_in(size: int) -> None:
    flash = Flash(bytes(SIZE))
    flash.erase(3 * size + 5, size)
    assert flash.read(3 * size - 1, 1) == b"\x00"
    assert flash.read(3 * size, size) == b"\xff" * size
    assert flash.read(4 * size, 1) == b"\x00"
    assert flash.counts.operations == 1


def test_addresses_wrap_at_the_end_of_the_chip() -> None:
    flash = Flash()
    flash.program(SIZE - 2, b"\x01\x02\x03\x04")
    assert flash.read(0, 2) == b"\x03\x04"
    assert flash.read(2 * SIZE - 2, 4) == b"\x01\x02\x03\x04"
    assert flash.crc(SIZE - 2, 4) == zlib.crc32(b"\x01\x02\x03\x04")


@pytest.mark.parametrize(
    ("status", "mask"), [(0x4004, 0x407C), (0x4000, 0x407C), (0x5C, 0x3C)]
)
def test_protected_cells_ignore_writes_silently(status: int, mask: int) -> None:
    flash = Flash(bytes(SIZE), status=status, protection_mask=mask)
    flash.erase(0)
    flash.program(0, b"\x00")
    assert flash.read(0, 1) == b"\x00"
    assert flash.counts.refused == 2
    flash.write_status(status & ~mask, 2)
    flash.erase(0)
    assert flash.read(0, 1) == b"\xff"


def test_a_status_write_keeps_the_chip_busy_for_a_while() -> None:
    flash = Flash(status=0x4204, status_write_seconds=60)
    flash.write_status(0x0200, 2)
    assert flash.status == 0x0201
    assert Flash(status=0x4204).status == 0x4204


def test_a_locked_status_register_keeps_its_value() -> None:
    flash = Flash(status=0x4004, status_write_seconds=0)
    flash.status_sticks = True
    flash.write_status(0, 2)
    assert flash.status == 0x4004


def test_a_firmware_can_rewrite_bytes_under_protection_and_keep_the_rest() -> None:
    flash = Flash(bytes(SIZE), status=0x4004)
    flash.rewrite(0x1FFC, b"\xa5" * 8)
    assert flash.read(0x1FFB, 10) == b"\x00" + b"\xa5" * 8 + b"\x00"
    assert flash.protected


def test_an_unreachable_flash_reads_zero_and_forgets_writes() -> None:
    flash = Flash()
    flash.unreachable = True
    flash.program(0, b"\x12")
    assert flash.read(0, 4) == flash.identify() + b"\x00" == bytes(4)
    flash.unreachable = False
    assert flash.read(0, 1) == b"\xff"


def test_lost_power_leaves_half_an_erase_and_half_a_page() -> None:
    def lose_power(operation: Operation) -> None:
        raise PowerLostError

    flash = Flash(bytes(SIZE))
    flash.watcher = lose_power
    with pytest.raises(PowerLostError):
        flash.erase(0)
    assert flash.read(0, 0x1000) == b"\xff" * 0x800 + bytes(0x800)
    with pytest.raises(PowerLostError):
        flash.program(0, bytes(0x100))
    assert flash.read(0, 0x100) == bytes(0x80) + b"\xff" * 0x80


@pytest.mark.parametrize("indeterminate", [False, True])
def test_power_is_lost_after_so_many_bytes(indeterminate: bool) -> None:
    flash = Flash(bytes(SIZE))

    def lose_power(_: Operation) -> None:
        raise PowerLostError(done=34, indeterminate=indeterminate)

    flash.watcher = lose_power
    with pytest.raises(PowerLostError):
        flash.erase(0x1000, 4096)
    assert flash.read(0x1000, 34) == b"\xff" * 34
    left = flash.read(0x1000 + 34, 4096 - 34)
    assert (left != bytes(len(left))) is indeterminate
    assert flash.read(0x2000, 4096) == bytes(4096)
    flash = Flash()
    flash.watcher = lose_power
    with pytest.raises(PowerLostError):
        flash.program(0x1000, bytes(256))
    assert flash.read(0x1000, 256) == bytes(34) + b"\xff" * 222
