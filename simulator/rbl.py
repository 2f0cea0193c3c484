"""The header of RT-Thread's firmware packages, which the bootloader goes by."""

from dataclasses import dataclass
import struct
from typing import Final, Self
import zlib

from fnv_hash_fast import fnv1a_32

MAGIC: Final = b"RBL\0"
_LAYOUT: Final = struct.Struct("<4sII16s24s24sIIII")
SIZE: Final = _LAYOUT.size + 4

PLAIN: Final = 0x000
GZIP_AES256: Final = 0x102


@dataclass(frozen=True, slots=True, kw_only=True)
class RblHeader:
    """96 bytes about a package: its body is enciphered, compressed or neither."""

    flags: int = PLAIN
    timestamp: int
    name: str
    version: str
    serial: str = "00010203040506070809"
    body_crc: int
    raw_hash: int
    raw_size: int
    body_size: int

    @classmethod
    def describe(
        cls,
        raw: bytes,
        body: bytes,
        *,
        name: str,
        version: str,
        flags: int = PLAIN,
        timestamp: int = 1_700_000_000,
    ) -> Self:
        """Return the header of a package whose body stands for ``raw``."""
        return cls(
            flags=flags,
            timestamp=timestamp,
            name=name,
            version=version,
            body_crc=zlib.crc32(body),
            raw_hash=fnv1a_32(raw),
            raw_size=len(raw),
            body_size=len(body),
        )

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """Read a header; None where its mark or its own CRC is wrong."""
        if len(data) < SIZE or not data.startswith(MAGIC):
            return None
        if int.from_bytes(data[SIZE - 4 : SIZE], "little") != zlib.crc32(
            data[: SIZE - 4]
        ):
            return None
        _, flags, timestamp, name, version, serial, *numbers = _LAYOUT.unpack_from(data)
        return cls(
            flags=flags,
            timestamp=timestamp,
            name=_text(name),
            version=_text(version),
            serial=_text(serial),
            body_crc=numbers[0],
            raw_hash=numbers[1],
            raw_size=numbers[2],
            body_size=numbers[3],
        )

    def describes(self, body: bytes) -> bool:
        """Return whether this is the body that the header was made for."""
        return len(body) == self.body_size and zlib.crc32(body) == self.body_crc

    def describes_flash(self, data: bytes) -> bool:
        """Return whether ``data``, which is plain, begins with what this is made for.

        The packer pads the content with bytes that say how many they are. They count
        in the checksum but never reach the flash, which has the blank rest of a record
        in their place (bk7231tools and ltchiptool agree).
        """
        padding = self.body_size - self.raw_size
        if not 0 <= padding < 0x100:
            return False
        return self.describes(data[: self.raw_size] + bytes((padding,)) * padding)

    def pack(self) -> bytes:
        """Return the header's bytes."""
        packed = _LAYOUT.pack(
            MAGIC,
            self.flags,
            self.timestamp,
            self.name.encode(),
            self.version.encode(),
            self.serial.encode(),
            self.body_crc,
            self.raw_hash,
            self.raw_size,
            self.body_size,
        )
        return packed + zlib.crc32(packed).to_bytes(4, "little")


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")
