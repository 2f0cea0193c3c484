"""Synthetic code: it looks like a real image to everything but a CPU."""

from dataclasses import replace
from functools import lru_cache
import random
from typing import Final

from . import rbl
from .boot import BOOTLOADER_SIZE
from .bootrom import STANDARD_CODE_KEY
from .chips import BK7231N
from .code_memory import (
    APPLICATION_ADDRESS,
    DATA,
    RECORD,
    CodeKey,
    encipher,
    to_records,
)

# The vector table of an application: a branch, the loads that the other exceptions are, and where
# these lead, 64 bytes behind its start and so on. Of the bootloader the first two words.
APPLICATION_START_WORDS: Final = b"".join(
    word.to_bytes(4, "little")
    for word in (
        0xEA00000E,
        *[0xE59FF014] * 7,
        *range(APPLICATION_ADDRESS + 0x40, APPLICATION_ADDRESS + 0x120, 0x20),
    )
)
BOOTLOADER_START_WORDS: Final = bytes.fromhex("480B00EA14F09FE5")

_CHUNK: Final = 16
_POOL: Final = 512
_BLANK_HALF: Final = b"\xff" * (DATA // 2)


@lru_cache(maxsize=16)
def code(seed: str, size: int, start: bytes, texts: tuple[bytes, ...]) -> bytes:
    """Return plain code: pseudo-random, but as compressible as code is (to about 60 %).

    It begins with ``start``; the texts lie spread in it, each with a NUL behind it.
    ``size`` is a multiple of 16.
    """
    chooser = random.Random(seed)
    pool = [chooser.randbytes(_CHUNK) for _ in range(_POOL)]
    chunks = chooser.choices(pool, k=size // _CHUNK)
    fresh = chooser.randbytes(size)
    for number in chooser.sample(range(len(chunks)), len(chunks) * 45 // 100):
        chunks[number] = fresh[number * _CHUNK : (number + 1) * _CHUNK]
    plain = bytearray(b"".join(chunks))
    plain[: len(start)] = start
    for number, text in enumerate(texts, 1):
        place = size * number // (len(texts) + 1)
        plain[place : place + len(text) + 1] = text + b"\0"
    return bytes(plain)


@lru_cache(maxsize=16)
def partition(
    plain: bytes, *, name: str, address: int, size: int, key: CodeKey
) -> bytes:
    """Return the flash of a code partition of ``size`` bytes: records, and an RBL header.

    Between the code and the header, which fills the last 102 bytes, it is blank. The header
    is where the size puts it, which BK7231T's has between two borders of records.
    The header's CRC is that of the enciphered code without its records' CRCs. As real
    packers do, it counts half a blank record behind the code and then 16 bytes of
    padding, in whose place the flash has the other half (see RblHeader.describes_flash).
    """
    body = encipher(plain, address, key) + _BLANK_HALF
    padded = body + bytes((DATA // 2,)) * (DATA // 2)
    header = rbl.RblHeader.describe(plain, padded, name=name, version="1.00")
    header = replace(header, raw_size=len(body))
    records = to_records(body + _BLANK_HALF)
    mark = to_records(header.pack())
    return records.ljust(size - len(mark), b"\xff") + mark


def application(
    plain: bytes, key: CodeKey = STANDARD_CODE_KEY, size: int = BK7231N.application
) -> bytes:
    """Return what an application makes of the flash from 0x11000 on (0x118F70 bytes)."""
    return partition(plain, name="app", address=APPLICATION_ADDRESS, size=size, key=key)


def bootloader(
    seed: str, key: CodeKey = STANDARD_CODE_KEY, version: str = "BK7231N_1.0.1"
) -> bytes:
    """Return the flash from 0 to 0x11000."""
    banner = (f"V:{version}".encode(), b"go os_addr(0x10000)")
    # The last four records are the blank one behind the code and the header.
    size = (BOOTLOADER_SIZE // RECORD - 4) * DATA
    plain = code(f"bootloader {seed}", size, BOOTLOADER_START_WORDS, banner)
    return partition(plain, name="bootloader", address=0, size=BOOTLOADER_SIZE, key=key)
