"""The configuration in RAM, and how it comes from and goes to the flash."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

from custom_components.openbk.pyopenbk.beken.chips import BK7231N, Chip
from custom_components.openbk.pyopenbk.beken.flash_map import Region
from custom_components.openbk.pyopenbk.obk.config_sector import (
    ConfigSector,
    ConfigSectorError,
    build,
    parse,
    text_capacities,
)
from simulator.flash import Flash

from .text import cut, encode

# Chips with more pins have a longer configuration, which is not simulated.
_PINS_IN_CONFIG: Final = 32
CHANNEL_COUNT: Final = 64

_CAPACITIES: Final = text_capacities()
_COPIED_WHOLE: Final = "wifi_password"


class Flag(IntEnum):
    """Generic flags by their number; those that this socket heeds."""

    BROADCAST_SELF_STATE = 2
    INSTANT_TOUCH = 6
    RETAIN_EVERYTHING = 7
    SELF_STATE_ON_CONNECT = 10
    RETAIN_RELAYS = 21
    ALLOW_NEGATIVE_POWER = 25
    HOME_ASSISTANT_DISCOVERY = 27
    TELE_PUBLISHES = 30
    PUBLISH_MULTIPLIED = 33
    RELAYS_AS_LIGHTS = 34
    NO_AVAILABILITY = 35
    NO_DRIVER_AUTOSTART = 36
    QUICK_CONNECT = 37
    ZERO_POWER_WHEN_OPEN = 38
    PUBLISH_ALL_CHANNELS = 39
    ENERGY_IN_KWH = 40
    IGNORE_BUTTONS = 41
    NO_AUTHENTICATION_IN_SAFE_MODE = 44
    NO_GET_SUFFIX = 50


@dataclass(frozen=True, slots=True)
class Identity:
    """The names that a chip gives itself out of its MAC."""

    mac: bytes

    @classmethod
    def of(cls, mac: str) -> Identity:
        """Read a MAC in any notation; raises ValueError where it is none."""
        address = bytes.fromhex(mac.replace(":", "").replace("-", ""))
        if len(address) != 6:
            raise ValueError("a MAC has six bytes")
        return cls(address)

    @property
    def text(self) -> str:
        """Return the MAC in lower case with colons."""
        return self.mac.hex(":")

    @property
    def suffix(self) -> str:
        """Return its last four bytes as names carry them."""
        return self.mac[2:].hex().upper()


def factory_settings(identity: Identity, chip: Chip = BK7231N) -> ConfigSector:
    """Return what the firmware for a chip writes at its first start."""
    short_name = f"{chip.prefix}{identity.suffix}"
    return ConfigSector(
        mqtt_client_id=short_name,
        mqtt_password="qqqqqqqqqq",
        mac=identity.mac,
        short_name=short_name,
        mqtt_group=chip.group,
        long_name=f"Open{chip.name}_{identity.suffix}",
        ping_host="192.168.0.1",
    )


def config_region(chip: Chip) -> Region:
    """Return where the configuration of a chip lies in the simulated flash."""
    usual = BK7231N.flash.openbeken_config
    start = chip.config_address or usual.start
    return Region(usual.name, start, start + usual.size)


class Settings:
    """The values in RAM; changes reach the flash within a second."""

    def __init__(self, flash: Flash, identity: Identity, chip: Chip = BK7231N) -> None:
        """Load the sector, or begin with factory settings where the firmware would.

        A chip whose configuration has no known address keeps it where BK7231N does, but hides it.
        """
        self._chip = chip
        self._flash = flash
        self._identity = identity
        self._changed = False
        region = config_region(chip)
        try:
            self.values = parse(flash.read(region.start, region.size))
        except ConfigSectorError:
            self.reset()
            self.save()

    @property
    def pin_count(self) -> int:
        """Return how many pins the firmware knows."""
        return min(self._chip.highest_pin + 1, _PINS_IN_CONFIG)

    @property
    def changed(self) -> bool:
        """Return whether anything waits to be saved, which is done within a second."""
        return self._changed

    def change(self, **values: Any) -> bool:
        """Set fields of the configuration; texts that are too long are cut.

        Returns whether the firmware notices that anything is different now: it does not
        for a text that fills its field, which is then neither saved nor acted on before
        something else is (strcpy_safe_checkForChanges, OpenBeken 1.18.300).
        """
        noticed = False
        for name, value in values.items():
            kept, whole = self._as_kept(name, value)
            different = kept != getattr(self.values, name)
            self.values = replace(self.values, **{name: kept})
            noticed |= different and whole
        self._changed |= noticed
        return noticed

    @staticmethod
    def _as_kept(name: str, value: Any) -> tuple[Any, bool]:
        """Return a value as a field keeps it, and whether a change of it is noticed."""
        if not isinstance(value, str):
            return value, True
        text, room = value.partition("\0")[0], _CAPACITIES[name]
        fits = len(encode(text)) < room or name == _COPIED_WHOLE
        return cut(text, room), fits

    def change_entry(self, row: str, index: int, value: float) -> bool:
        """Set one entry of a row such as ``roles``."""
        entries = list(getattr(self.values, row))
        entries[index] = value
        return self.change(**{row: tuple(entries)})

    def has_flag(self, flag: Flag) -> bool:
        """Return whether a flag is set."""
        return bool(self.values.flags >> flag & 1)

    def set_flag(self, number: int, on: bool) -> None:
        """Set or clear a flag by its number, 0 to 63."""
        bit = 1 << number
        flags = self.values.flags
        self.change(flags=flags | bit if on else flags & ~bit)

    def reset(self) -> None:
        """Go back to factory settings."""
        self.values = factory_settings(self._identity, self._chip)
        self._changed = True

    def overwrite_soon(self) -> None:
        """Have what is in RAM written over what someone else put into the sector."""
        self._changed = True

    def save(self) -> None:
        """Write to the flash what was noticed to have changed, with all the rest."""
        if not self._changed:
            return
        counter = (self.values.change_counter + 1) & 0xFFFF
        self.values = replace(self.values, change_counter=counter)
        sector = build(self.values, as_kept=True)
        self._flash.rewrite(config_region(self._chip).start, sector)
        self._changed = False
