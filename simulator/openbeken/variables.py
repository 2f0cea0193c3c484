"""What the firmware keeps in the flash besides its configuration."""

from dataclasses import dataclass, field
import struct
from typing import Final
import zlib

from simulator.flash import Flash

REMEMBERED_CHANNELS: Final = 12
"""Channels from 0 on that can outlive a power cut (MAX_RETAIN_CHANNELS, 1.18.300)."""

# A layout of our own, one record at the start of the area: the mark, the fields below,
# CRC-32. The real firmware keeps the same things in EasyFlash (1.18.255 and later) or
# in its own log; nothing but the firmware reads them.
_MARK: Final = b"OBKV"
_FIELDS: Final = struct.Struct(f"<4sHHIiI5f{REMEMBERED_CHANNELS}h")
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
    """Boot counters, remembered channel states and energy."""

    flash: Flash
    address: int
    boots: int = 0
    """How often the chip started, a 16-bit number."""
    good_boots: int = 0
    """The value of ``boots`` at the last start that lasted."""
    channels: list[int] = field(default_factory=lambda: [0] * REMEMBERED_CHANNELS)
    energy: StoredEnergy = field(default_factory=StoredEnergy)

    @classmethod
    def load(cls, flash: Flash, address: int) -> Variables:
        """Read the area; anything that is not ours counts as empty."""
        variables = cls(flash, address)
        record = flash.read(address, _FIELDS.size + _CRC.size)
        content = record[: _FIELDS.size]
        if content[:4] != _MARK or record[_FIELDS.size :] != _checksum(content):
            return variables
        _, boots, good_boots, saves, day, cleared_at, *rest = _FIELDS.unpack(content)
        variables.boots, variables.good_boots = boots, good_boots
        variables.energy = StoredEnergy(
            tuple(rest[:5]), day_of_month=day, cleared_at=cleared_at, saves=saves
        )
        variables.channels = list(rest[5:])
        return variables

    @property
    def failed_boots(self) -> int:
        """Return how many boots in a row have not lasted, with the present one."""
        return self.boots - self.good_boots

    def count_boot(self) -> None:
        """Note that the chip starts."""
        self.boots = (self.boots + 1) & 0xFFFF
        self.save()

    def mark_boot_good(self) -> None:
        """Note that this start has lasted."""
        self.good_boots = self.boots
        self.save()

    def pretend_boots(self, count: int) -> None:
        """Do what the command SafeMode does in the hope of raising the boot counter.

        The firmware's counting routine empties the whole record first, and reads it from
        the flash only at the first call of a boot: of several calls one boot remains, and
        nothing of what was remembered.
        """
        for _ in range(count):
            self.boots = self.good_boots = 0
            self.channels = [0] * REMEMBERED_CHANNELS
            self.energy = StoredEnergy()
            self.count_boot()

    def remembered(self, channel: int) -> int:
        """Return what a channel was when it was last saved, 0 where none ever is."""
        return self.channels[channel] if channel < REMEMBERED_CHANNELS else 0

    def remember(self, channel: int, value: int) -> None:
        """Save a channel's value, of which 16 bits are kept."""
        if channel < REMEMBERED_CHANNELS:
            self.channels[channel] = (value + 0x8000 & 0xFFFF) - 0x8000
            self.save()

    def save(self) -> None:
        """Write everything to the flash."""
        energy = self.energy
        content = _FIELDS.pack(
            _MARK,
            self.boots,
            self.good_boots,
            energy.saves,
            energy.day_of_month,
            energy.cleared_at & 0xFFFFFFFF,
            *energy.counters,
            *self.channels,
        )
        self.flash.rewrite(self.address, content + _checksum(content))


def _checksum(content: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(content))
