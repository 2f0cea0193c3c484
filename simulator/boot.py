"""What a chip does with its flash when nobody keeps it in the boot ROM."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
import re
from typing import Final

from . import rbl
from .bootrom import STANDARD_CODE_KEY
from .code_memory import (
    APPLICATION_ADDRESS,
    RECORD,
    CodeKey,
    damaged_records,
    encipher,
    from_records,
)
from .flash import Flash

BOOTLOADER_SIZE: Final = 0x11000
APPLICATION_START: Final = 0x11000
# 33848 records; the last three hold the RBL header.
APPLICATION_SIZE: Final = 0x118F70
_HEADER_SIZE: Final = 3 * RECORD

_ARM_BRANCH: Final = 0xEA
# "OpenBK7231N_%02X…" alone is not enough: an SDK puts it into the images of all chips.
_OPENBEKEN: Final = re.compile(rb"OpenBK7231N(?:[ _]\d|\0)")
_BUILD: Final = re.compile(
    rb"Buil[dt] on ([A-Z][a-z]{2} [ \d]\d \d{4} [\d:]{8}) version ([!-~]+)"
)
_TUYA: Final = re.compile(rb"< BUILD AT:[^>]* AT bk7231n >")


class Chip(StrEnum):
    """Which chip the socket has."""

    BK7231N = "BK7231N"
    BK7231T = "BK7231T"


class Running(StrEnum):
    """What the chip runs."""

    ROM = "rom"
    """The download code: in BK7231N's ROM, or in the bootloader of a BK7231T."""
    OPENBEKEN = "openbeken"
    FACTORY = "factory"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What starting the flash leads to, and the log that comes out of UART2."""

    running: Running
    version: str | None = None
    """OpenBeken's version, as its code says."""
    built: str | None = None
    """When it was built, in the same words."""
    log: str


def examine(flash: Flash, key: CodeKey = STANDARD_CODE_KEY) -> Verdict:
    """Decide what a chip with this code key runs out of this flash."""
    size = APPLICATION_START + APPLICATION_SIZE
    return _examine(flash.read(0, size), key)


def bootloader_runs(flash: Flash, key: CodeKey = STANDARD_CODE_KEY) -> bool:
    """Return whether there is a bootloader that a chip with this code key can run."""
    return _bootloader_runs(flash.read(0, BOOTLOADER_SIZE), key)


@lru_cache(maxsize=8)
def _examine(code: bytes, key: CodeKey) -> Verdict:
    if not _bootloader_runs(code[:BOOTLOADER_SIZE], key):
        return Verdict(running=Running.NOTHING, log="")
    banner = "\r\nV:BK7231N_1.0.1\r\nREG:cpsr     spsr     r13      r14\r\n"
    if reason := _why_not(code[APPLICATION_START:], key):
        log = f"{banner}{reason}\r\n"
        return Verdict(running=Running.NOTHING, log=log)
    banner += "go os_addr(0x10000)..........\r\n"
    plain = encipher(from_records(code[APPLICATION_START:]), APPLICATION_ADDRESS, key)
    if _OPENBEKEN.search(plain):
        build = _BUILD.search(plain)
        version = build[2].decode() if build else None
        return Verdict(
            running=Running.OPENBEKEN,
            version=version,
            built=build[1].decode() if build else None,
            log=f"{banner}OpenBK7231N, version {version or 'unknown'}\r\n",
        )
    if found := _TUYA.search(plain):
        log = f"{banner}[01-01 00:00:00 TUYA N]{found[0].decode()}\r\n"
        return Verdict(running=Running.FACTORY, log=log)
    log = f"{banner}J 0x10000\r\nundefined instruction\r\n"
    return Verdict(running=Running.NOTHING, log=log)


def _bootloader_runs(records: bytes, key: CodeKey) -> bool:
    first = encipher(records[:4], 0, key)
    return first[3] == _ARM_BRANCH and not damaged_records(records)


def _why_not(records: bytes, key: CodeKey) -> str | None:
    """Return what is wrong with an application, or None where it can be started."""
    if damaged := damaged_records(records):
        return f"crc error at 0x{APPLICATION_START + damaged[0]:X}"
    data = from_records(records)
    header = rbl.RblHeader.parse(data[-rbl.SIZE :])
    if header is None:
        return "get rbl head failed"
    if header.flags != rbl.PLAIN or header.name != "app":
        return f"rbl of {header.name!r} is not a plain app"
    if not header.describes_flash(data):
        return "verify body crc32 failed"
    if encipher(data[:4], APPLICATION_ADDRESS, key)[3] != _ARM_BRANCH:
        return "J 0x10000\r\nundefined instruction"
    return None
