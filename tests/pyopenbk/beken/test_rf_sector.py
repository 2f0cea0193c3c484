"""The sector with radio calibration and MAC."""

import pytest

from custom_components.openbk.pyopenbk.beken.rf_sector import (
    GENERIC_MAC,
    RfSectorError,
    RfSectorLostError,
    is_generic_mac,
    parse_rf_sector,
)
from simulator.factory import rf_calibration
from tests.reference import fragmented_dump


def sector_with(mac: str) -> bytearray:
    """Return a sector as the factory writes it: header, group, chip id, MAC, trims."""
    return bytearray(rf_calibration(mac).ljust(0x1000, b"\xff"))


def test_the_mac_is_read() -> None:
    """Lower case, with colons."""
    sector = parse_rf_sector(bytes(sector_with("02:AB:CD:EF:01:23")))
    assert sector.mac == "02:ab:cd:ef:01:23"
    assert not sector.is_generic


def test_the_address_of_an_uncalibrated_chip_is_known() -> None:
    """Many chips have it, so it identifies none."""
    assert parse_rf_sector(bytes(sector_with(GENERIC_MAC))).is_generic


@pytest.mark.parametrize(
    ("mac", "generic"),
    [
        ("c8:47:8c:00:00:00", True),
        ("C8-47-8C-00-00-00", True),
        ("c8478c428848", True),
        ("00:00:00:00:00:00", True),
        ("ff:ff:ff:ff:ff:ff", True),
        ("01:00:5e:00:00:01", True),
        ("", True),
        ("c8:47:8c", True),
        ("nonsense", True),
        ("c8:47:8c:00:00:01", False),
        ("c8:47:8c:12:34:56", False),
        ("02:ab:cd:ef:01:23", False),
    ],
)
def test_some_addresses_identify_nobody(mac: str, generic: bool) -> None:
    assert is_generic_mac(mac) is generic


def test_the_sector_of_a_dump_is_read() -> None:
    """The reference dump has a locally administered address."""
    mac = parse_rf_sector(fragmented_dump()[0x1D0000:0x1D1000]).mac
    assert int(mac[:2], 16) & 2


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_a_blank_address_is_none(mac: str) -> None:
    """Neither zeros nor erased bytes."""
    with pytest.raises(RfSectorError):
        parse_rf_sector(bytes(sector_with(mac)))


def test_erased_flash_where_a_group_has_to_begin_is_a_sector_that_broke_off() -> None:
    """Its head says that there is more; what is laid out in another way is not judged."""
    mac = "02:ab:cd:ef:01:23"
    end = 8 + int.from_bytes(sector_with(mac)[4:8], "little")
    sector = sector_with(mac)
    sector[4:8] = (end + 8).to_bytes(4, "little")
    with pytest.raises(RfSectorLostError):
        parse_rf_sector(bytes(sector))
    sector[end : end + 8] = b"\1\2\3\4\0\0\0\0"
    assert parse_rf_sector(bytes(sector)).mac == mac


def test_another_record_in_its_place_is_no_address() -> None:
    """The tag in front of it counts."""
    sector = sector_with("02:ab:cd:ef:01:23")
    sector[0x1C] ^= 1
    with pytest.raises(RfSectorError):
        parse_rf_sector(bytes(sector))


@pytest.mark.parametrize(
    "sector",
    [
        b"",
        b"TLV\0",
        b"\xff" * 0x1000,
        bytes(0x1000),
        b"CFG".ljust(0x1000, b"\0"),
        b"TLV\0".ljust(0x1000, b"\xff"),
        bytes(sector_with("02:ab:cd:ef:01:23")) * 2,
    ],
    ids=["empty", "cut", "blank", "zeros", "configuration", "mark alone", "two"],
)
def test_what_is_no_calibration_is_refused(sector: bytes) -> None:
    """A job on such a chip would lose nothing less than its radio."""
    with pytest.raises(RfSectorError):
        parse_rf_sector(sector)
