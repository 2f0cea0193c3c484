"""Synthetic OpenBeken release files: right in structure, size and key, without a vendor's byte."""

from dataclasses import dataclass
from functools import lru_cache
import gzip
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import rbl
from .boot import APPLICATION_START
from .bootrom import STANDARD_CODE_KEY
from .chips import BK7231N, MODELS
from .code_image import APPLICATION_START_WORDS, application, bootloader, code
from .code_memory import (
    APPLICATION_ADDRESS,
    NO_KEY,
    RECORD,
    UASCENT_KEY,
    CodeKey,
    encipher,
    to_records,
)

QIO_SIZE: Final = 0x129F70
# What the SDK's scripts pack every update over the air with.
_OTA_KEY: Final = b"0123456789ABCDEF0123456789ABCDEF"
_OTA_IV: Final = b"0123456789ABCDEF"
_UG_START: Final = bytes.fromhex("55AA55AA")
_UG_END: Final = bytes.fromhex("AA55AA55")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How the releases for a chip are laid out."""

    bootloader: str
    """What its bootloader calls itself."""
    application: int
    """Bytes from 0x11000 on, the header at their end."""
    code: int
    """About as much as the releases fill of it."""
    key: CodeKey = STANDARD_CODE_KEY
    config: int = BK7231N.configuration
    """Where the firmware keeps its configuration."""


# Read in the releases 1.18.300: those of the chips without a code key end at 0x132000. Of these no
# bootloader names itself.
_LAYOUTS: Final = {
    str(chip): _Layout(
        bootloader=model.bootloader,
        application=model.release,
        code=model.openbeken_code,
        config=model.configuration,
    )
    for chip, model in MODELS.items()
} | dict.fromkeys(
    ("BK7231U", "BK7238", "BK7252", "BK7252N"),
    _Layout(bootloader="", application=0x121000, code=0xB7000, key=NO_KEY),
)


# Drivers by the names that the console knows them by; read in the releases 1.18.300 of BK7231N and
# BK7231T, where each is a text of its own.
_USUAL_DRIVERS: Final = ("BL0937", "BL0942", "CSE7766", "NTP", "TuyaMCU", "Bridge")
OF_TUYA_MCU: Final = ("NTP", "TuyaMCU")
"""What is left in a build for devices with a Tuya MCU (obk_config.h, 1.18.299)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build of OpenBeken."""

    version: str = "1.18.300"
    built: str = "Nov 22 2026 16:44:43"
    chip: str = "BK7231N"
    drivers: tuple[str, ...] = _USUAL_DRIVERS
    size: int | None = None
    """Bytes of code, where they are others than the releases have: a multiple of 32."""
    entry: int | None = None
    """The word at 0x20, where it is another than the releases have."""

    @property
    def texts(self) -> tuple[bytes, ...]:
        """Return what the code says of itself, and one line of an SDK that all chips share."""
        of_the_sdk = (b"OpenBK7231N_%02X%02X%02X%02X",)
        return (
            *(of_the_sdk if self.chip != "BK7231N" else ()),
            f"Open{self.chip}_%02X%02X%02X%02X".encode(),
            f"Open{self.chip} {self.version} {self.built}".encode(),
            f"Open{self.chip}_{self.version}".encode(),
            f"Built on {self.built} version {self.version}".encode(),
            b"https://github.com/openshwprojects/OpenBK7231T_App",
            self.chip.encode(),
            *(driver.encode() for driver in self.drivers),
        )

    @property
    def plain(self) -> bytes:
        """Return the code before it is enciphered."""
        seed = f"OpenBeken {self.version} {self.chip}"
        size = self.size or self.layout.code
        start = APPLICATION_START_WORDS
        if self.entry is not None:
            start = start[:0x20] + self.entry.to_bytes(4, "little") + start[0x24:]
        return code(seed, size, start, self.texts)

    @property
    def layout(self) -> _Layout:
        """Return how its files are laid out."""
        return _LAYOUTS.get(self.chip, _LAYOUTS["BK7231N"])


NEWEST: Final = Build()
OF_THE_GUIDE: Final = Build(version="1.17.360", built="Dec 17 2023 09:13:22")


@lru_cache(maxsize=16)
def qio(build: Build = NEWEST, key: CodeKey | None = None) -> bytes:
    """Return the file for UART: bootloader and application, for BK7231N 0x129F70 bytes."""
    layout = build.layout
    key = layout.key if key is None else key
    return bootloader("1.0.1", key, layout.bootloader) + application(
        build.plain, key, layout.application
    )


def ua(build: Build = NEWEST, key: CodeKey = STANDARD_CODE_KEY) -> bytes:
    """Return the application alone, without the mark at its end."""
    return to_records(encipher(build.plain, APPLICATION_ADDRESS, key))


@lru_cache(maxsize=16)
def ota(build: Build = NEWEST) -> bytes:
    """Return the file for updates over the air (.rbl): packed, enciphered, one header.

    The chip enciphers the code for itself, so there is one for all keys.
    """
    body = pack_ota(build.plain)
    header = rbl.RblHeader.describe(
        build.plain,
        body,
        name="app",
        version=build.version,
        flags=rbl.GZIP_AES256,
    )
    return header.pack() + body


def pack_ota(plain: bytes) -> bytes:
    """Return what stands for plain code in a file for updates, behind its header."""
    packed = gzip.compress(plain, 6, mtime=0)
    padding = -len(packed) % 16
    encryptor = Cipher(algorithms.AES(_OTA_KEY), modes.CBC(_OTA_IV)).encryptor()
    padded = packed + bytes([padding]) * padding
    return encryptor.update(padded) + encryptor.finalize()


def unpack_ota(container: bytes) -> bytes | None:
    """Return the plain code in a file for updates; None where it is none or damaged."""
    header = rbl.RblHeader.parse(container)
    if header is None or header.flags != rbl.GZIP_AES256:
        return None
    body = container[rbl.SIZE : rbl.SIZE + header.body_size]
    if not header.describes(body):
        return None
    decryptor = Cipher(algorithms.AES(_OTA_KEY), modes.CBC(_OTA_IV)).decryptor()
    packed = decryptor.update(body) + decryptor.finalize()
    # What fills whole blocks has no padding: it ends with the highest byte of its size, a zero.
    return gzip.decompress(packed[: len(packed) - packed[-1]])


def ug(build: Build = NEWEST) -> bytes:
    """Return the same in Tuya's wrapping, which tuya-cloudcutter delivers."""
    content = ota(build)
    header = _UG_START + build.version.encode().ljust(12, b"\0")
    header += len(content).to_bytes(4) + (sum(content) & 0xFFFFFFFF).to_bytes(4)
    header += (sum(header) & 0xFFFFFFFF).to_bytes(4)
    return header + _UG_END + content


def no_key_qio(build: Build = NEWEST) -> bytes:
    """Return a file for chips without a code key, as the releases for BK7231M are."""
    return qio(build, NO_KEY)


def uascent_qio(build: Build = NEWEST) -> bytes:
    """Return a file for chips with another code key, as the UASCENT releases are."""
    return qio(build, UASCENT_KEY)


def wrong_chip_qio() -> bytes:
    """Return a file that is right in all but the chip that its code was built for."""
    return qio(Build(chip="BK7231T"))


def truncated(image: bytes, size: int = 0x80000) -> bytes:
    """Return an image whose download broke off."""
    return image[:size]


def with_damaged_record(image: bytes, number: int = 20_000) -> bytes:
    """Return an image with one wrong bit in a record of its application."""
    harmed = bytearray(image)
    harmed[APPLICATION_START + number * RECORD + 5] ^= 0x20
    return bytes(harmed)


def flashed(
    dump: bytes, build: Build = NEWEST, config: bytes = b"", *, last: int | None = None
) -> bytes:
    """Return a socket's dump with OpenBeken in it, and perhaps its configuration.

    ``last`` is the address where a job stopped that wrote upwards from 0x11000: what
    lies there and above is still the old firmware's.
    """
    flash = bytearray(dump)
    image, start = qio(build), build.layout.config
    end = len(image) if last is None else last
    flash[APPLICATION_START:end] = image[APPLICATION_START:end]
    flash[start : start + len(config)] = config
    return bytes(flash)
