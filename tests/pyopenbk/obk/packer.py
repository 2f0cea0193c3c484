"""Make images with ltchiptool's packer, which nobody here wrote."""

from functools import cache
from io import BytesIO
from random import Random

from ltchiptool.soc.bk72xx.util import RBL, BekenBinary
from ltchiptool.soc.bk72xx.util.models import (
    DataGenerator,
    DataType,
    OTACompression,
    OTAEncryption,
)
from ltchiptool.util.crc16 import CRC16
from ltchiptool.util.intbin import ByteSource, geniter

STANDARD_KEY = "510FB093A3CBEADC5993A17EC7ADEB03"
# A key of chips that do not come from Tuya.
OTHER_KEY = "9A3762484B78128658E2C58528457575"
NO_KEY = "0" * 32

# A branch, seven loads, and where these lead, as every application of these chips begins.
VECTORS = bytes.fromhex("0E0000EA" + 7 * "14F09FE5") + b"".join(
    place.to_bytes(4, "little") for place in range(0x10040, 0x10120, 0x20)
)
_TIME = 1_700_000_000


_RECORD = 32


class Packer(BekenBinary):
    """The packer, which would make the table of its checksum anew for each record."""

    _checksum = CRC16(CRC16.CMS)

    def crc(
        self,
        data: ByteSource,
        type: DataType | None = None,
    ) -> DataGenerator:
        """Yield records of 34 bytes, each with its type where one is given."""
        for part in geniter(data, _RECORD):
            content = part.ljust(_RECORD, b"\xff")
            record = content + self._checksum.calc(content).to_bytes(2)
            yield (type, record) if type else record


def openbeken_code(chip: str = "BK7231N", version: str = "1.18.299") -> bytes:
    """Return plain code that names itself as OpenBeken does, among other chips' names."""
    return (
        VECTORS
        + Random(chip).randbytes(6000)
        + b"https://github.com/openshwprojects/OpenBK7231T_App/\0"
        + b"SSID2 only on Beken Platform (BK7231T, BK7231N)\0"
        + f"Open{chip}_%02X%02X%02X%02X\0Open{chip}_{version}\0".encode()
        + f"Built on Jul 24 2026 12:00:00 version {version}\0".encode()
        + Random(version).randbytes(2000)
    )


def tuya_code(chip: str = "bk7231n") -> bytes:
    """Return plain code that names itself as Tuya's firmware does."""
    return (
        VECTORS
        + Random(chip).randbytes(3000)
        + b"< TUYA IOT SDK V:2.3.3 BS:40.00_PT:2.2_LAN:3.4_CAD:1.0.5_CD:1.0.0 >\0"
        + f"< BUILD AT:2022_05_05_11_11_11 BY ci FOR ty_iot_sdk AT {chip} >\0".encode()
        + Random(chip).randbytes(3000)
    )


def libretiny_code() -> bytes:
    """Return plain code that names itself as what is built on LibreTiny does."""
    banner = (
        b"LibreTiny v1.9.1 on cb2s, compiled at Oct 12 2026 10:11:12, GCC 10.3.1 (-Os)"
    )
    return (
        VECTORS + Random(7).randbytes(9000) + banner + b"\0" + Random(8).randbytes(9000)
    )


@cache
def application(code: bytes, key: str = STANDARD_KEY) -> bytes:
    """Return the 0x118F70 bytes at 0x11000: encrypted, with checksums and the mark."""
    return _package(code, key, address=0x10000, size=0x108700, name="app")


@cache
def update_by_wire(code: bytes) -> bytes:
    """Return what is published for a BK7231T to be written from 0x11000 on: code without a mark."""
    binary = Packer(STANDARD_KEY)
    whole_records = code.ljust(-(-len(code) // 32) * 32, b"\xff")
    return b"".join(binary.crc(binary.crypt(0x10000, whole_records)))


@cache
def bootloader(key: str = STANDARD_KEY, build: int = 0) -> bytes:
    """Return 0x11000 bytes of a bootloader that does not exist; of each build others."""
    code = bytes.fromhex("480B00EA14F09FE5") + Random(build).randbytes(3000)
    return _package(code, key, address=0, size=0x10000, name="bootloader")


def qio(code: bytes, key: str = STANDARD_KEY) -> bytes:
    """Return a release image of bootloader and application."""
    return bootloader() + application(code, key)


def full_dump(code: bytes, *, rf_start: int = 0x1D0000) -> bytes:
    """Return 2 MiB with both, and the mark of an RF calibration."""
    dump = bytearray(qio(code).ljust(0x200000, b"\xff"))
    dump[rf_start : rf_start + 4] = b"TLV\0"
    return bytes(dump)


@cache
def over_the_air(code: bytes) -> bytes:
    """Return a release's .rbl file."""
    header = RBL(
        timestamp=_TIME,
        encryption=OTAEncryption.AES256,
        compression=OTACompression.GZIP,
    )
    packed = Packer(STANDARD_KEY).ota_package(
        BytesIO(code),
        header,
        key="0123456789ABCDEF0123456789ABCDEF",
        iv="0123456789ABCDEF",
    )
    return b"".join(packed)


def cloudcutter(code: bytes) -> bytes:
    """Return a release's UG file: Tuya's header around the .rbl file."""
    content = over_the_air(code)
    header = bytes.fromhex("55AA55AA") + b"1.18.299".ljust(12, b"\0")
    header += len(content).to_bytes(4) + (sum(content) & 0xFFFFFFFF).to_bytes(4)
    return header + sum(header).to_bytes(4) + bytes.fromhex("AA55AA55") + content


def _package(code: bytes, key: str, *, address: int, size: int, name: str) -> bytes:
    header = RBL(timestamp=_TIME, name=name, container_size=size)
    # In parts: the padding in one piece would come byte by byte, and there is a megabyte of it.
    parts = Packer(key).package(BytesIO(code), address, len(code), header, partial=True)
    return b"".join(
        b"\xff" * part if kind is DataType.PADDING_SIZE else part
        for kind, part in parts
    )
