"""Small dumps of chips in every state, made with tools that nobody here wrote."""

from functools import cache

from custom_components.openbk.pyopenbk.flash_map import FLASH_SIZE
from tests.pyopenbk.obk import packer

MAC = "38:1f:8d:12:34:56"
GENERIC_MAC = "c8:47:8c:00:00:00"
RF_START = 0x1D0000
CONFIG_START = 0x1D1000


def rf_sector(mac: str = MAC) -> bytes:
    """Return a short RF calibration as the dumps that were measured have it."""
    records = (
        bytes.fromhex("0011111 15A000000".replace(" ", ""))
        + bytes.fromhex("01111111 04000000 4E61BC00")
        + bytes.fromhex("02111111 06000000")
        + bytes.fromhex(mac.replace(":", ""))
        + bytes.fromhex("03111111 04000000 2A000000")
    )
    body = records.ljust(98, b"\x5a")
    return (b"TLV\0" + len(body).to_bytes(4, "little") + body).ljust(4096, b"\xff")


def put(dump: bytes, start: int, data: bytes) -> bytes:
    """Return the dump with other bytes from ``start`` on."""
    return dump[:start] + data + dump[start + len(data) :]


@cache
def chip(code: bytes, mac: str | None = MAC) -> bytes:
    """Return 2 MiB with bootloader, an application and an RF sector."""
    dump = packer.qio(code).ljust(FLASH_SIZE, b"\xff")
    return dump if mac is None else put(dump, RF_START, rf_sector(mac))
