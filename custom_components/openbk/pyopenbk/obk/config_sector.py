"""OpenBeken's configuration: the 4 KiB sector at 0x1D1000, read and written by one table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
import struct
from typing import Any, Final, Self, override

from ..beken.chips import BK7231N
from ..beken.flash_map import SECTOR_SIZE
from ..checksums import openbeken_config_crc
from ..errors import OpenBekenError
from ..profile import PinAssignment, SocketProfile
from ..roles import PinRole
from .startup import meter_of

MAGIC: Final = b"CFG"
VERSION: Final = 5
# Bytes that the firmware loads and that the checksum covers, by version: 3 until 2023-04-29,
# then 4, and 5 since 2023-12-13. The places of the older fields never changed.
_STRUCT_SIZES: Final = {3: 2016, 4: 3584, 5: 3584}
_CRC_OFFSET: Final = 3
_CRC_START: Final = 4
_VERSION_PLACE: Final = slice(4, 8)

PIN_COUNT: Final = 32
TOGGLE_CHANNEL: Final = 6
"""The type of a channel that is switched and published (ChType_Toggle in new_pins.h)."""
CHANNEL_COUNT: Final = 64
# 802.11: an SSID has at most 32 bytes, a passphrase 63 characters, a raw key 64 hex digits.
SSID_LIMIT: Final = 32
PASSPHRASE_LIMIT: Final = 64

_BACKLOG: Final = "backlog "
_LAYOUT: Final = "layout"


class ConfigSectorError(OpenBekenError):
    """The bytes are no configuration, or a value has no place in one."""


class NotAConfigError(ConfigSectorError):
    """The sector does not start with OpenBeken's mark; a blank sector is such a one."""


class ConfigChecksumError(ConfigSectorError):
    """The checksum is wrong: the firmware would fall back to its factory settings."""


class ConfigVersionError(ConfigSectorError):
    """The layout of this version is not known, or cannot be written."""

    def __init__(self, version: int) -> None:
        """Keep the version that the sector claims."""
        super().__init__(f"configurations of version {version} are not supported")
        self.version = version


class ConfigValueError(ConfigSectorError):
    """A value does not fit into its field; ``field`` names it, the value itself stays out."""

    def __init__(self, field: str, problem: str) -> None:
        """Keep the name of the field."""
        super().__init__(f"{field} {problem}")
        self.field = field


class TextTooLongError(ConfigValueError):
    """A text takes more bytes in UTF-8 than its field has."""

    def __init__(self, field: str, *, limit: int, length: int) -> None:
        """Keep the limit and the length, both in bytes."""
        super().__init__(field, f"takes {length} bytes, the firmware keeps {limit}")
        self.limit = limit
        self.length = length


class TextNotStorableError(ConfigValueError):
    """A text holds a NUL, where the firmware would end it, or cannot be written as UTF-8."""


class NumberOutOfRangeError(ConfigValueError):
    """A number is too large or too small for its field, or a row has the wrong length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A UTF-8 text, ended by a NUL unless it fills the field."""

    offset: int
    size: int
    limit: int
    """The longest text that is written, in bytes."""
    capacity: int
    """The longest text that the firmware itself keeps there, in bytes."""

    def decode(self, stored: bytes) -> str:
        return stored.partition(b"\0")[0].decode(errors="surrogateescape")

    def encode(self, name: str, value: str) -> bytes:
        try:
            text = value.encode(errors="surrogateescape")
        except UnicodeEncodeError as err:
            raise TextNotStorableError(name, "is not valid Unicode text") from err
        if b"\0" in text:
            raise TextNotStorableError(name, "contains a NUL character")
        if len(text) > self.limit:
            raise TextTooLongError(name, limit=self.limit, length=len(text))
        return text.ljust(self.size, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    """One number, little-endian, in the notation of the struct module."""

    offset: int
    code: str

    @property
    def size(self) -> int:
        return struct.calcsize(f"<{self.code}")

    def decode(self, stored: bytes) -> Any:
        return struct.unpack(f"<{self.code}", stored)[0]

    def encode(self, name: str, value: float) -> bytes:
        return _pack(name, self.code, (value,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Several numbers of one kind."""

    offset: int
    count: int
    code: str

    @property
    def size(self) -> int:
        return struct.calcsize(f"<{self.count}{self.code}")

    def decode(self, stored: bytes) -> tuple[Any, ...]:
        return struct.unpack(f"<{self.count}{self.code}", stored)

    def encode(self, name: str, value: Sequence[float]) -> bytes:
        return _pack(name, f"{self.count}{self.code}", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bytes:
    """Bytes that are no number, such as an address."""

    offset: int
    size: int

    def decode(self, stored: bytes) -> bytes:
        return stored

    def encode(self, name: str, value: bytes) -> bytes:
        if len(value) != self.size:
            raise NumberOutOfRangeError(name, f"must have {self.size} bytes")
        return value


type _Layout = _Text | _Number | _Row | _Bytes


def _pack(name: str, code: str, values: Iterable[float]) -> bytes:
    try:
        return struct.pack(f"<{code}", *values)
    except (struct.error, OverflowError) as err:
        raise NumberOutOfRangeError(name, "does not fit into its field") from err


def _text(
    offset: int,
    size: int,
    default: str = "",
    *,
    limit: int | None = None,
    capacity: int | None = None,
    private: bool = False,
) -> str:
    keeps = size - 1 if capacity is None else capacity
    layout = _Text(
        offset=offset,
        size=size,
        limit=keeps if limit is None else limit,
        capacity=keeps,
    )
    return _field(layout, default, private=private)


def _number[Number: (int, float)](offset: int, code: str, default: Number) -> Number:
    return _field(_Number(offset=offset, code=code), default)


def _row[Number: (int, float)](
    offset: int, code: str, default: tuple[Number, ...]
) -> tuple[Number, ...]:
    return _field(_Row(offset=offset, count=len(default), code=code), default)


def _bytes(offset: int, size: int) -> bytes:
    return _field(_Bytes(offset=offset, size=size), bytes(size))


def _field[Value](layout: _Layout, default: Value, *, private: bool = False) -> Value:
    return field(default=default, repr=not private, metadata={_LAYOUT: layout})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSector:
    """Everything that OpenBeken keeps in its configuration, one field a row.

    The first number of a row is the offset in the sector. Defaults are what the firmware writes at
    its first start, except for what it makes of its MAC (client id, names), its well-known MQTT
    password and a host to ping. All layouts and defaults: OpenBeken 1.18.300; firmware 1.17.360 reads
    the same bytes and ignores everything from 0xCA5 on.
    """

    version: int = _number(0x004, "i", VERSION)
    flags: int = _number(0x008, "Q", 1 << 10)
    """Flags 0 to 63, one bit each."""
    change_counter: int = _number(0x010, "H", 0)
    ota_counter: int = _number(0x012, "H", 0)
    wifi_ssid: str = _text(0x014, 64, limit=SSID_LIMIT, private=True)
    """Empty: the socket opens its own access point."""
    wifi_password: str = _text(0x054, 64, capacity=PASSPHRASE_LIMIT, private=True)
    mqtt_host: str = _text(0x094, 256)
    """Empty: no MQTT."""
    mqtt_client_id: str = _text(0x194, 64)
    """The root of all its topics."""
    mqtt_username: str = _text(0x1D4, 64, "homeassistant", private=True)
    mqtt_password: str = _text(0x214, 128, private=True)
    mqtt_port: int = _number(0x294, "i", 1883)
    webapp_url: str = _text(0x298, 64, "https://openbekeniot.github.io/webapp/")
    mac: bytes = _bytes(0x2D8, 6)
    """For information; the chip takes its address from the RF sector."""
    short_name: str = _text(0x2DE, 32)
    long_name: str = _text(0x2FE, 64)
    roles: tuple[int, ...] = _row(0x33E, "B", (0,) * PIN_COUNT)
    """The role of each pin, indexed by its number."""
    channels: tuple[int, ...] = _row(0x35E, "B", (0,) * PIN_COUNT)
    channels2: tuple[int, ...] = _row(0x37E, "B", (0,) * PIN_COUNT)
    channel_types: tuple[int, ...] = _row(0x39E, "B", (0,) * CHANNEL_COUNT)
    start_values: tuple[int, ...] = _row(0x3DE, "h", (0,) * CHANNEL_COUNT)
    """The state of each channel after power comes back; -1 is the last one it had."""
    log_to_lfs: int = _number(0x45E, "B", 0)
    group_send_flags: int = _number(0x460, "i", 0)
    group_receive_flags: int = _number(0x464, "i", 0)
    group_name: str = _text(0x468, 16)
    """Tasmota's device groups; nothing to do with MQTT."""
    ntp_server: str = _text(0x478, 32, "217.147.223.78")
    calibration: tuple[float, ...] = _row(0x498, "f", (0.0,) * 8)
    """Volts, amperes and watts per pulse a second, largest power; 0 is the default of each."""
    button_times: tuple[int, ...] = _row(0x4B8, "B", (3, 10, 5))
    """Short press, long press, repeat of a held button, in tenths of a second."""
    lfs_size: int = _number(0x4BC, "I", 0)
    logger_flags: int = _number(0x4C0, "i", 0)
    static_ip: tuple[int, ...] = _row(0x527, "B", (0,) * 16)
    """Address, mask, gateway and DNS server, 4 bytes each; address 0 is DHCP."""
    led_remap: tuple[int, ...] = _row(0x537, "B", (0,) * 5)
    led_correction: tuple[float, ...] = _row(0x53C, "f", (1.0, 1.0, 1.0, 2.2, 0.1, 0.1))
    mqtt_group: str = _text(0x554, 64, "bekens_n")
    boot_success_seconds: int = _number(0x597, "B", 5)
    """A start that lasts this long counts as good; five bad ones lead to safe mode."""
    ping_interval: int = _number(0x598, "i", 0)
    ping_seconds: int = _number(0x59C, "i", 0)
    ping_host: str = _text(0x5A0, 64)
    startup_command: str = _text(0x5E0, 1568, private=True)
    wifi_ssid2: str = _text(0xC00, 64, limit=SSID_LIMIT, private=True)
    wifi_password2: str = _text(0xC40, 68, limit=PASSPHRASE_LIMIT, private=True)
    web_password: str = _text(0xC84, 33, private=True)
    """Asked for by the socket's web page (user admin); empty: it asks nobody."""
    mqtt_use_tls: int = _number(0xCA5, "B", 0)
    mqtt_verify_tls: int = _number(0xCA6, "B", 0)
    mqtt_certificate_file: str = _text(0xCA7, 20)
    disable_web_server: int = _number(0xCBB, "B", 0)

    origin: bytes = field(default=b"", repr=False, compare=False)
    """The sector this was read from: what no field claims goes back as it was."""

    @property
    def profile(self) -> SocketProfile:
        """Return the pins that have a role, and the meter that the start-up command starts.

        A role number newer than our table is left out.
        """
        profile = SocketProfile.of(
            PinAssignment(
                pin=pin,
                role=_ROLES[self.roles[pin]],
                channel=self.channels[pin],
                channel2=self.channels2[pin],
            )
            for pin in range(BK7231N.highest_pin + 1)
            if self.roles[pin] in _ROLES
            and max(self.channels[pin], self.channels2[pin]) < CHANNEL_COUNT
        )
        started = meter_of(self.startup_command)
        return profile.with_meter(*started) if started else profile

    def with_profile(self, profile: SocketProfile) -> Self:
        """Return this configuration with the pins of a profile, and no others."""
        roles, channels, channels2 = ([0] * PIN_COUNT for _ in range(3))
        for pin in profile.pins:
            roles[pin.pin] = pin.role
            channels[pin.pin] = pin.channel
            channels2[pin.pin] = pin.channel2
        return replace(
            self,
            roles=tuple(roles),
            channels=tuple(channels),
            channels2=tuple(channels2),
        ).with_published_relays(profile)

    def with_published_relays(self, profile: SocketProfile) -> Self:
        """Return this configuration with a channel type where a relay is not published without."""
        types = list(self.channel_types)
        for channel in profile.two_coil_channels:
            types[channel] = types[channel] or TOGGLE_CHANNEL
        return replace(self, channel_types=tuple(types))

    @override
    def __str__(self) -> str:
        """Return a text for logs."""
        return f"configuration of {self.mqtt_client_id or 'an unnamed socket'}"


_ROLES: Final = {int(role): role for role in PinRole}
_TABLE: Final[Sequence[tuple[str, _Layout]]] = tuple(
    (entry.name, entry.metadata[_LAYOUT])
    for entry in fields(ConfigSector)
    if _LAYOUT in entry.metadata
)


def room_for(field: str) -> int:
    """Return how many bytes of UTF-8 the firmware keeps of a text, by the name of its field."""
    layout = dict(_TABLE)[field]
    assert isinstance(layout, _Text)
    return layout.limit


def parse(sector: bytes) -> ConfigSector:
    """Read a configuration from the start of ``sector`` (3584 bytes or more).

    Raises NotAConfigError, ConfigVersionError or ConfigChecksumError. A configuration of version 3
    is read too; what it does not have yet is empty or 0.
    """
    if not sector.startswith(MAGIC):
        raise NotAConfigError("OpenBeken's mark is missing")
    version = int.from_bytes(sector[_VERSION_PLACE], "little", signed=True)
    if (size := _STRUCT_SIZES.get(version)) is None:
        raise ConfigVersionError(version)
    if len(sector) < size:
        raise NotAConfigError(
            f"a configuration has {size} bytes, this has {len(sector)}"
        )
    if openbeken_config_crc(sector[_CRC_START:size]) != sector[_CRC_OFFSET]:
        raise ConfigChecksumError("the checksum of the configuration is wrong")
    if version == VERSION or size == _STRUCT_SIZES[VERSION]:
        origin = sector[:SECTOR_SIZE]
    else:
        origin = sector[:size].ljust(_STRUCT_SIZES[VERSION], b"\0")
    values: dict[str, Any] = {
        name: layout.decode(origin[layout.offset : layout.offset + layout.size])
        for name, layout in _TABLE
    }
    return ConfigSector(**values, origin=origin)


def place_of(*names: str) -> tuple[int, int]:
    """Return offset and size, in bytes, of the fields of these names with all between them.

    Passwords lie in the same sector: who asks for a part of it asks for no more than that.
    """
    places = [(each.offset, each.size) for name, each in _TABLE if name in names]
    assert len(places) == len(names), names
    start = min(offset for offset, _ in places)
    return start, max(offset + size for offset, size in places) - start


def text_capacities() -> Mapping[str, int]:
    """Return how many bytes of each text the firmware keeps, whatever was sent to it."""
    return {
        name: layout.capacity for name, layout in _TABLE if isinstance(layout, _Text)
    }


def build(config: ConfigSector, *, as_kept: bool = False) -> bytes:
    """Return the 4096 bytes of the sector, checksum included.

    Fields that still have the value they were read with keep their very bytes, so an unchanged
    configuration comes out as it went in. ``as_kept`` allows all that fits, such as names of
    networks that no network can have. Raises ConfigVersionError or a ConfigValueError.
    """
    size = _STRUCT_SIZES[VERSION]
    if _STRUCT_SIZES.get(config.version) != size:
        raise ConfigVersionError(config.version)
    sector = bytearray((config.origin or bytes(size)).ljust(SECTOR_SIZE, b"\xff"))
    for name, layout in _TABLE:
        place = slice(layout.offset, layout.offset + layout.size)
        value = getattr(config, name)
        if layout.decode(bytes(sector[place])) != value:
            if as_kept and isinstance(layout, _Text):
                layout = replace(layout, limit=layout.capacity)
            sector[place] = layout.encode(name, value)
    sector[: len(MAGIC)] = MAGIC
    sector[_CRC_OFFSET] = openbeken_config_crc(sector[_CRC_START:size])
    return bytes(sector)
