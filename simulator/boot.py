"""What a chip does with its flash when nobody keeps it in the boot ROM."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
import re
from typing import Final

from . import rbl
from .bootrom import STANDARD_CODE_KEY
from .chips import MODELS, Chip, Model
from .code_memory import (
    APPLICATION_ADDRESS,
    RECORD,
    CodeKey,
    damaged_records,
    encipher,
    from_records,
)
from .flash import SECTOR, Flash

BOOTLOADER_SIZE: Final = 0x11000
APPLICATION_START: Final = 0x11000
_HEADER_SIZE: Final = 3 * RECORD

_ARM_BRANCH: Final = 0xEA
_BUILD: Final = re.compile(
    rb"Buil[dt] on ([A-Z][a-z]{2} [ \d]\d \d{4} [\d:]{8}) version ([!-~]+)"
)


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


def examine(
    flash: Flash, key: CodeKey = STANDARD_CODE_KEY, chip: Chip = Chip.BK7231N
) -> Verdict:
    """Decide what a chip with this code key runs out of this flash."""
    size = APPLICATION_START + MODELS[chip].application
    return _examine(flash.read(0, size), key, chip)


def bootloader_runs(flash: Flash, key: CodeKey = STANDARD_CODE_KEY) -> bool:
    """Return whether there is a bootloader that a chip with this code key can run."""
    return _bootloader_runs(flash.read(0, BOOTLOADER_SIZE), key)


@lru_cache(maxsize=8)
def _examine(code: bytes, key: CodeKey, chip: Chip) -> Verdict:
    if not _bootloader_runs(code[:BOOTLOADER_SIZE], key):
        return Verdict(running=Running.NOTHING, log="")
    name = MODELS[chip].bootloader
    banner = f"\r\nV:{name}\r\nREG:cpsr     spsr     r13      r14\r\n"
    if reason := _why_not(code[APPLICATION_START:], key, MODELS[chip]):
        log = f"{banner}{reason}\r\n"
        return Verdict(running=Running.NOTHING, log=log)
    banner += "go os_addr(0x10000)..........\r\n"
    plain = encipher(from_records(code[APPLICATION_START:]), APPLICATION_ADDRESS, key)
    # "OpenBK7231N_%02X…" alone is not enough: an SDK puts it into the images of all chips.
    if re.search(rb"Open%b(?:[ _]\d|\0)" % chip.encode(), plain):
        build = _BUILD.search(plain)
        version = build[2].decode() if build else None
        return Verdict(
            running=Running.OPENBEKEN,
            version=version,
            built=build[1].decode() if build else None,
            log=f"{banner}Open{chip}, version {version or 'unknown'}\r\n",
        )
    factory = MODELS[chip].factory.encode()
    if found := re.search(rb"< BUILD AT:[^>]* AT %b >" % factory, plain):
        log = f"{banner}[01-01 00:00:00 TUYA N]{found[0].decode()}\r\n"
        return Verdict(running=Running.FACTORY, log=log)
    log = f"{banner}J 0x10000\r\nundefined instruction\r\n"
    return Verdict(running=Running.NOTHING, log=log)


def _bootloader_runs(records: bytes, key: CodeKey) -> bool:
    first = encipher(records[:4], 0, key)
    if first[3] != _ARM_BRANCH or damaged_records(records):
        return False
    # Nothing checks it, but code with a hole or with parts of another build runs into nowhere.
    mark = rbl.RblHeader.parse(from_records(records[-_HEADER_SIZE:]))
    if mark is None or mark.raw_size > mark.body_size:
        return True
    return mark.describes_flash(from_records(records[:-_HEADER_SIZE]))


def _why_not(records: bytes, key: CodeKey, model: Model) -> str | None:
    """Return what is wrong with an application, or None where it can be started."""
    release = model.release - _HEADER_SIZE
    if release % RECORD and records.startswith(rbl.MAGIC, release):
        # Where it lies between two borders of records, it is nothing that is executed.
        blank = b"\xff" * _HEADER_SIZE
        records = records[:release] + blank + records[model.release :]
    damaged = damaged_records(records[:-_HEADER_SIZE])
    if damaged and not _is_end_of_code(records, damaged[0]):
        return f"crc error at 0x{APPLICATION_START + damaged[0]:X}"
    data = from_records(records[:-_HEADER_SIZE])
    if model.needs_mark and (reason := _why_not_marked(data, records[-_HEADER_SIZE:])):
        return reason
    if encipher(data[:4], APPLICATION_ADDRESS, key)[3] != _ARM_BRANCH:
        return "J 0x10000\r\nundefined instruction"
    return None


def _is_end_of_code(records: bytes, damaged: int) -> bool:
    """Return whether nothing is executed from this record on: it begins blank in its sector.

    That is what an update leaves over a longer application: the bootloader erases no further
    sector than it needs.
    """
    border = (damaged // SECTOR + 1) * SECTOR
    return border - damaged < RECORD and not records[damaged:border].strip(b"\xff")


def _why_not_marked(data: bytes, mark: bytes) -> str | None:
    """Return what is wrong with the header of an application, whose plain bytes are ``data``."""
    header = rbl.RblHeader.parse(from_records(mark))
    if damaged_records(mark) or header is None:
        return "get rbl head failed"
    if header.flags != rbl.PLAIN or header.name != "app":
        return f"rbl of {header.name!r} is not a plain app"
    if not header.describes_flash(data):
        return "verify body crc32 failed"
    return None
