"""The RBL header: it leads an over-the-air file and ends an application in the flash."""

from dataclasses import dataclass
import struct
from typing import Final, Self
import zlib

from ..errors import OpenBekenError

MAGIC: Final = b"RBL\0"
HEADER_SIZE: Final = 96
# Little-endian: magic, encryption, compression, 2 spare bytes, time of packing, partition name,
# version, serial number, CRC-32 of the body, FNV-1a of the raw content, size of the raw content,
# size of the body, CRC-32 of the 92 bytes before.
_LAYOUT: Final = struct.Struct("<4sBB2xI16s24s24sIIIII")

ENCRYPTION_NONE: Final = 0
ENCRYPTION_AES256: Final = 2
COMPRESSION_NONE: Final = 0
COMPRESSION_GZIP: Final = 1


class RblError(OpenBekenError):
    """The bytes are no RBL header, or a damaged one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RblHeader:
    """What a header says of its body; its version text is the packer's, not the firmware's."""

    encryption: int
    compression: int
    partition: str
    body_crc: int
    raw_size: int
    """Bytes of the content before it was packed."""
    body_size: int
    """Bytes of the body that ``body_crc`` covers."""

    @classmethod
    def parse(cls, header: bytes) -> Self:
        """Read the first 96 bytes; raises RblError where magic or checksum are wrong."""
        if len(header) < HEADER_SIZE or not header.startswith(MAGIC):
            raise RblError("no RBL header")
        header = header[:HEADER_SIZE]
        (
            _,
            encryption,
            compression,
            _,
            partition,
            _,
            _,
            body_crc,
            _,
            raw_size,
            body_size,
            own_crc,
        ) = _LAYOUT.unpack(header)
        if zlib.crc32(header[:-4]) != own_crc:
            raise RblError("the checksum of the RBL header is wrong")
        return cls(
            encryption=encryption,
            compression=compression,
            partition=partition.partition(b"\0")[0].decode(errors="replace"),
            body_crc=body_crc,
            raw_size=raw_size,
            body_size=body_size,
        )
