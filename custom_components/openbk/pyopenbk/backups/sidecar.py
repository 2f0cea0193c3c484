"""What is known of a dump: the small file beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
import json
import re
from typing import Any, Final, Self

from ..beken.flash_map import BLOCK_SIZE
from .files import read_date, read_text_field

_FORMAT: Final = 1
_NUMBER: Final = re.compile(r"[0-9a-f]{8}")
_JEDEC: Final = re.compile(r"[0-9a-f]{6}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
# What no flash of this family exceeds.
_LARGEST_FLASH: Final = 16 * 1024 * 1024
_LONGEST_TOOL: Final = 64
_CHIP: Final = re.compile(r"[A-Z][A-Z0-9]{1,15}")
# Backups of the first releases are of this chip and do not say so.
_CHIP_OF_OLD: Final = "BK7231N"


class Contents(StrEnum):
    """What a flash holds."""

    FACTORY = "factory"
    OPENBEKEN = "openbeken"
    HALF_WRITTEN = "half_written"
    BLANK = "blank"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The chip that a backup was read from."""

    chip: str = _CHIP_OF_OLD
    """The chip's name, such as BK7231N."""
    chip_id: int | None = None
    """What is in its register, where it can be read."""
    jedec: str = ""
    """The flash chip's JEDEC id, six hexadecimal digits, where it can be read."""
    code_key_sha256: str = ""
    """Digest of the 16 key bytes in eFuse, which tells keys apart without naming them; where they
    cannot be read, nothing."""
    mac: str | None
    """Wi-Fi station address, lower case with colons; None without an RF sector."""
    flash_size: int

    @property
    def blocks(self) -> int:
        """Return how many blocks of 64 KiB the flash has."""
        return self.flash_size // BLOCK_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What is known of a dump; lies beside it as JSON."""

    origin: Origin
    date: datetime
    tool: str
    block_crcs: tuple[int | None, ...]
    """JAMCRC of each 64 KiB block as the chip confirmed it; None where not read yet."""
    sha256: str | None = None
    """Digest of the whole dump; None while it is unfinished."""
    contents: Contents | None = None

    def as_json(self) -> str:
        """Return the text of the file."""
        origin = self.origin
        return json.dumps(
            {
                "format": _FORMAT,
                "chip": origin.chip,
                "chip_id": None if origin.chip_id is None else f"{origin.chip_id:08x}",
                "jedec": origin.jedec,
                "code_key_sha256": origin.code_key_sha256,
                "mac": origin.mac,
                "flash_size": origin.flash_size,
                "date": self.date.isoformat(),
                "tool": self.tool,
                "contents": self.contents,
                "sha256": self.sha256,
                "block_crcs": [
                    None if crc is None else f"{crc:08x}" for crc in self.block_crcs
                ],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what as_json returned; raises ValueError where it is something else."""
        try:
            stored = json.loads(text)
            if stored["format"] != _FORMAT:
                raise ValueError("a sidecar of another format")
            return cls._from_stored(stored)
        except (KeyError, TypeError, AttributeError, RecursionError) as err:
            raise ValueError("not a sidecar") from err

    @classmethod
    def _from_stored(cls, stored: Mapping[str, Any]) -> Self:
        flash_size = stored["flash_size"]
        if type(flash_size) is not int or flash_size not in range(
            BLOCK_SIZE, _LARGEST_FLASH + 1, BLOCK_SIZE
        ):
            raise ValueError("no size of a flash")
        mac, sha256, key = stored["mac"], stored["sha256"], stored["code_key_sha256"]
        chip_id, jedec = stored["chip_id"], stored["jedec"]
        origin = Origin(
            chip=_matching(_CHIP, stored.get("chip", _CHIP_OF_OLD)),
            chip_id=None if chip_id is None else int(_matching(_NUMBER, chip_id), 16),
            jedec="" if jedec == "" else _matching(_JEDEC, jedec),
            # Nobody knows the key of the chip that an uploaded file came from.
            code_key_sha256="" if key == "" else _matching(_DIGEST, key),
            mac=None if mac is None else _matching(MAC, mac),
            flash_size=flash_size,
        )
        crcs = tuple(
            None if crc is None else int(_matching(_NUMBER, crc), 16)
            for crc in stored["block_crcs"]
        )
        if len(crcs) != origin.blocks:
            raise ValueError("a sidecar has one CRC for each block")
        contents = stored["contents"]
        return cls(
            origin=origin,
            date=read_date(stored["date"]),
            tool=read_text_field(stored["tool"], _LONGEST_TOOL),
            block_crcs=crcs,
            sha256=None if sha256 is None else _matching(_DIGEST, sha256),
            contents=None if contents is None else Contents(contents),
        )


def _matching(form: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise ValueError("a field of another form")
    return text
