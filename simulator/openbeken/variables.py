"""What the firmware keeps in the flash besides its configuration."""

from dataclasses import dataclass, field
import struct
from typing import Final
import zlib

from simulator.flash import Flash

from .settings import CHANNEL_COUNT

# A layout of our own, one record at the start of the area: the mark, the fields below,
# CRC-32. The real firmware keeps the same things in EasyFlash (1.18.255 and later) or
# in its own log; nothing but the firmware reads them.
_MARK: Final = b"OBKV"
_FIELDS: Final = struct.Struct(f"<4sB3xIiI5f{CHANNEL_COUNT}i")
_CRC: Final = struct.Struct("<I")


@dataclass(slots=True)
class StoredEnergy:
    """The energy counters in Wh as they were last saved, with single precision."""

    counters: tuple[float, ...] = (0.0,) * 5
    """The total, today, yesterday, two and three days ago."""
    day_of_month: int = -1
    """Which day *today* is; -1 where the time was never known."""
    cleared_at: int = 0
    """Seconds since 1970, 0 where unknown."""
    saves: int = 0


@dataclass(slots=True)
class Variables:
    """Boot counter, remembered channel states and energy."""

    flash: Flash
    address: int
    failed_boots: int = 0
    channels: list[int] = field(default_factory=lambda: [0] * CHANNEL_COUNT)
    energy: StoredEnergy = field(default_factory=StoredEnergy)

    @classmethod
    def load(cls, flash: Flash, address: int) -> Variables:
        """Read the area; anything that is not ours counts as empty."""
        variables = cls(flash, address)
        record = flash.read(address, _FIELDS.size + _CRC.size)
        content = record[: _FIELDS.size]
        if content[:4] != _MARK or record[_FIELDS.size :] != _checksum(content):
            return variables
        _, failed_boots, saves, day, cleared_at, *rest = _FIELDS.unpack(content)
        variables.failed_boots = failed_boots
        variables.energy = StoredEnergy(
            tuple(rest[:5]), day_of_month=day, cleared_at=cleared_at, saves=saves
        )
        variables.channels = list(rest[5:])
        return variables

    def save(self) -> None:
        """Write everything to the flash."""
        energy = self.energy
        content = _FIELDS.pack(
            _MARK,
            min(self.failed_boots, 0xFF),
            energy.saves,
            energy.day_of_month,
            energy.cleared_at,
            *energy.counters,
            *self.channels,
        )
        self.flash.rewrite(self.address, content + _checksum(content))


def _checksum(content: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(content))
