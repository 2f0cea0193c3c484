"""OpenBeken's configuration sector."""

from dataclasses import fields, replace
import struct

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import (
    ConfigChecksumError,
    ConfigSector,
    ConfigVersionError,
    NotAConfigError,
    NumberOutOfRangeError,
    TextNotStorableError,
    TextTooLongError,
    build,
    parse,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.recordings.sector import saved_sector
from tests.support.sockets import BLOW, TWO_COILS


def reference_crc(data: bytes) -> int:
    """Compute the firmware's checksum the way its C code does, with a signed char."""
    crc = 0
    for byte in data:
        for bit in range(8):
            differs = (crc ^ (byte >> bit)) & 1
            crc >>= 1
            if differs:
                crc ^= -0x74
    return crc & 0xFF


def sector_of(size: int, version: int, places: dict[int, bytes]) -> bytes:
    """Lay a sector by hand: zeros, the given bytes at their offsets, the checksum."""
    sector = bytearray(size)
    sector[0:3] = b"CFG"
    sector[4:8] = version.to_bytes(4, "little")
    for offset, data in places.items():
        sector[offset : offset + len(data)] = data
    sector[3] = reference_crc(sector[4:])
    return bytes(sector)


# A socket set up by hand, written from the layout's offsets alone.
BY_HAND = {
    0x008: (1 << 10 | 1 << 21).to_bytes(4, "little"),
    0x00C: (1 << 6).to_bytes(4, "little"),
    0x010: b"\x05\x00",
    0x014: "Küche".encode(),
    0x054: b"a passphrase",
    0x094: b"192.168.1.2",
    0x194: b"obkDDEEFF01",
    0x1D4: b"socket",
    0x214: b"broker word",
    0x294: b"\x5b\x07",
    0x2D8: bytes.fromhex("02bbccddeeff"),
    0x2DE: b"obkCCDDEEFF",
    0x2FE: b"OpenBK7231N_CCDDEEFF",
    0x33E + 26: b"\x01",
    0x35E + 26: b"\x01",
    0x33E + 24: b"\x11",
    0x3DE + 2: b"\xff\xff",
    0x478: b"192.168.1.1",
    0x498: struct.pack("<f", 0.125),
    0x4B8: b"\x03\x0a\x05",
    0x527: bytes([192, 168, 1, 50, 255, 255, 255, 0, 192, 168, 1, 1, 192, 168, 1, 1]),
    0x554: b"bekens_n",
    0x597: b"\x05",
    0x5E0: b"backlog startDriver NTP; PowerSave 1",
    0xC00: b"Second",
    0xC40: b"other passphrase",
    0xC84: b"web word",
}


@pytest.fixture
def sector() -> bytes:
    """Return the 3584 bytes that the firmware would load."""
    return sector_of(3584, 5, BY_HAND)


def test_fields_are_where_the_firmware_has_them(sector: bytes) -> None:
    """A sector laid by hand reads as what was put in."""
    config = parse(sector)
    assert config.flags == 1 << 10 | 1 << 21 | 1 << 38
    assert config.change_counter == 5
    assert config.wifi_ssid == "Küche"
    assert config.wifi_password == "a passphrase"
    assert config.mqtt_host == "192.168.1.2"
    assert config.mqtt_client_id == "obkDDEEFF01"
    assert config.mqtt_username == "socket"
    assert config.mqtt_password == "broker word"
    assert config.mqtt_port == 1883
    assert config.mac.hex() == "02bbccddeeff"
    assert config.short_name == "obkCCDDEEFF"
    assert config.long_name == "OpenBK7231N_CCDDEEFF"
    assert config.start_values[1] == -1
    assert config.ntp_server == "192.168.1.1"
    assert config.calibration[0] == 0.125
    assert config.button_times == (3, 10, 5)
    assert config.static_ip[:4] == (192, 168, 1, 50)
    assert config.mqtt_group == "bekens_n"
    assert config.boot_success_seconds == 5
    assert config.startup_command == "backlog startDriver NTP; PowerSave 1"
    assert (config.wifi_ssid2, config.wifi_password2) == ("Second", "other passphrase")
    assert config.web_password == "web word"
    assert config.profile == SocketProfile.of(
        [
            PinAssignment(pin=26, role=PinRole.REL, channel=1),
            PinAssignment(pin=24, role=PinRole.BL0937SEL),
        ]
    )


def test_built_from_its_values_alone_it_is_the_same(sector: bytes) -> None:
    """The table that reads also writes, without the bytes that were read."""
    config = replace(parse(sector), origin=b"")
    assert build(config) == sector.ljust(4096, b"\xff")


def test_a_sector_saved_by_the_firmware_survives_byte_for_byte() -> None:
    """What a real OpenBeken saved comes out as it went in, both ways."""
    saved = saved_sector()
    config = parse(saved)
    assert config.mqtt_port == 18830
    assert [pin.pin for pin in config.profile.pins] == [6, 7, 8, 10, 11, 24, 26]
    assert build(config) == saved.ljust(4096, b"\xff")
    assert build(replace(config, origin=b"")) == saved.ljust(4096, b"\xff")


def test_unknown_and_left_over_bytes_are_kept() -> None:
    """Unused places, remains behind a NUL and the rest of the sector go back untouched."""
    places = BY_HAND | {0x014: b"New\0s name", 0x4C4: b"unused", 0xDFF: b"!"}
    sector = sector_of(3584, 5, places) + b"tail".ljust(512, b"\xff")
    config = parse(sector)
    assert config.wifi_ssid == "New"
    assert build(config) == sector

    changed = build(replace(config, wifi_ssid="N"))
    assert changed[0x014:0x054] == b"N".ljust(64, b"\0")
    assert changed[0x4C4:0x4CA] == b"unused"


def test_a_changed_value_changes_its_field_and_the_checksum_only(sector: bytes) -> None:
    """Nothing else moves."""
    built = build(replace(parse(sector), mqtt_port=8883))
    differing = {offset for offset, byte in enumerate(sector) if built[offset] != byte}
    assert differing <= {3, 0x294, 0x295, 0x296, 0x297}
    assert built[3] == reference_crc(built[4:3584])
    assert parse(built).mqtt_port == 8883


def test_fields_lie_inside_and_do_not_overlap() -> None:
    """No byte belongs to two fields, none to the mark or past the struct."""
    taken = bytearray(3584)
    taken[0:4] = b"\1\1\1\1"
    for field in fields(ConfigSector):
        if layout := field.metadata.get("layout"):
            place = slice(layout.offset, layout.offset + layout.size)
            assert not any(taken[place]), field.name
            taken[place] = b"\1" * layout.size
    assert len(taken) == 3584


def test_a_fresh_configuration_has_the_firmwares_defaults() -> None:
    """What is not said is what a fresh socket would have."""
    built = build(ConfigSector())
    assert len(built) == 4096
    assert built[:3] == b"CFG"
    assert built[3584:] == b"\xff" * 512
    assert parse(built).flags == 1 << 10
    assert struct.unpack_from("<6f", built, 0x53C) == pytest.approx(
        (1, 1, 1, 2.2, 0.1, 0.1)
    )
    assert built[0x5A0] == 0


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("wifi_ssid", 32),
        ("wifi_ssid2", 32),
        ("wifi_password", 64),
        ("wifi_password2", 64),
        ("mqtt_host", 255),
        ("mqtt_client_id", 63),
        ("mqtt_username", 63),
        ("mqtt_password", 127),
        ("mqtt_group", 63),
        ("short_name", 31),
        ("long_name", 63),
        ("ntp_server", 31),
        ("startup_command", 1567),
        ("web_password", 32),
    ],
)
def test_texts_are_limited_in_bytes(field: str, limit: int) -> None:
    """The longest text survives; one byte more is refused, counted in UTF-8."""
    longest = "x" * (limit - 2) + "é"
    config = replace(ConfigSector(), **{field: longest})
    assert getattr(parse(build(config)), field) == longest

    with pytest.raises(TextTooLongError) as refused:
        build(replace(ConfigSector(), **{field: longest + "y"}))
    assert (refused.value.field, refused.value.limit) == (field, limit)
    assert refused.value.length == limit + 1


def test_a_full_length_key_touches_no_neighbour() -> None:
    """64 hexadecimal digits fill the first passphrase, which then has no NUL."""
    built = build(ConfigSector(wifi_password="f" * 64, mqtt_host="h"))
    assert built[0x054:0x095] == b"f" * 64 + b"h"
    assert parse(built).wifi_password == "f" * 64


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_texts_the_firmware_cannot_keep_are_refused(text: str) -> None:
    """A NUL would cut the text in the socket; half a character is no text."""
    with pytest.raises(TextNotStorableError) as refused:
        build(ConfigSector(mqtt_password=text))
    assert refused.value.field == "mqtt_password"
    assert "a\0b" not in str(refused.value)


def test_text_in_no_known_encoding_survives() -> None:
    """An SSID may be any bytes; they are carried along."""
    sector = sector_of(3584, 5, {0x014: b"caf\xe9"})
    config = parse(sector)
    assert build(replace(config, origin=b"", mqtt_port=0))[0x014:0x019] == b"caf\xe9\0"


@pytest.mark.parametrize(
    "values",
    [
        {"mqtt_port": 1 << 31},
        {"flags": -1},
        {"flags": 1 << 64},
        {"boot_success_seconds": 256},
        {"roles": (300, *([0] * 31))},
        {"roles": (1, 2, 3)},
        {"start_values": (40000, *([0] * 63))},
        {"calibration": (1e39, *([0.0] * 7))},
        {"mac": b"12345"},
    ],
)
def test_numbers_that_do_not_fit_are_refused(values: dict[str, object]) -> None:
    """The field is named."""
    with pytest.raises(NumberOutOfRangeError) as refused:
        build(replace(ConfigSector(), **values))
    assert refused.value.field in values


def test_secrets_stay_out_of_texts(sector: bytes) -> None:
    """Neither repr nor str tells networks, passwords or commands."""
    config = parse(sector)
    for text in (repr(config), str(config)):
        for secret in (
            "Küche",
            "passphrase",
            "broker word",
            "Second",
            "web word",
            "PowerSave",
        ):
            assert secret not in text
    assert "obkDDEEFF01" in str(config)


@pytest.mark.parametrize(
    "sector",
    [b"", b"CF", b"CFG", b"\xff" * 4096, b"TLV\0" * 1024],
    ids=["empty", "cut mark", "mark alone", "blank", "other"],
)
def test_what_is_no_configuration_is_said_so(sector: bytes) -> None:
    """The sector of a factory socket, a blank one, a cut one."""
    with pytest.raises((NotAConfigError, ConfigVersionError)):
        parse(sector)


def test_a_cut_configuration_is_refused(sector: bytes) -> None:
    """One byte short of what the firmware loads."""
    with pytest.raises(NotAConfigError):
        parse(sector[:-1])


def test_any_flipped_bit_is_noticed(sector: bytes) -> None:
    """The firmware would fall back to its defaults, so it must not pass here."""
    for offset in (3, 0x014, 0x294, 0xDFF):
        damaged = bytearray(sector)
        damaged[offset] ^= 1
        with pytest.raises(ConfigChecksumError):
            parse(bytes(damaged))


def test_version_4_reads_and_writes(sector: bytes) -> None:
    """The layout that firmware of 2023 and other tools write."""
    older = sector_of(3584, 4, BY_HAND)
    config = parse(older)
    assert (config.version, config.wifi_ssid2) == (4, "Second")
    assert build(config) == older.ljust(4096, b"\xff")
    assert build(replace(config, version=5))[:3584] == sector


def test_version_3_reads_and_is_written_as_5() -> None:
    """The short layout of old firmware has no second network; its values carry over."""
    short = {place: data for place, data in BY_HAND.items() if place < 0xC00}
    config = parse(sector_of(2016, 3, short).ljust(4096, b"\xff"))
    assert config.mqtt_client_id == "obkDDEEFF01"
    assert config.startup_command.endswith("PowerSave 1")
    assert (config.wifi_ssid2, config.web_password) == ("", "")
    with pytest.raises(ConfigVersionError):
        build(config)
    assert build(replace(config, version=5))[:3584] == sector_of(3584, 5, short)


def test_versions_to_come_are_refused() -> None:
    """Their length, and so their checksum, is not known."""
    with pytest.raises(ConfigVersionError) as refused:
        parse(sector_of(3584, 6, BY_HAND))
    assert refused.value.version == 6


def test_a_profile_goes_in_and_comes_out() -> None:
    """Pins land on their numbers; pins of before are gone."""
    first = SocketProfile.of([PinAssignment(pin=3, role=PinRole.LED, channel=2)])
    profile = SocketProfile.of(
        [
            PinAssignment(pin=26, role=PinRole.REL, channel=1),
            PinAssignment(pin=11, role=PinRole.BTN, channel=1, channel2=5),
            PinAssignment(pin=0, role=PinRole.WIFI_LED_N),
        ]
    )
    config = ConfigSector().with_profile(first).with_profile(profile)
    assert parse(build(config)).profile == profile
    assert (config.roles[11], config.channels[11], config.channels2[11]) == (3, 1, 5)


def test_two_coils_get_a_channel_type_by_which_they_are_published() -> None:
    """One that somebody chose stays."""
    assert ConfigSector().with_profile(TWO_COILS).channel_types == (0, 6) + (0,) * 62
    chosen = ConfigSector(channel_types=(0, 3) + (0,) * 62)
    assert chosen.with_profile(TWO_COILS).channel_types == chosen.channel_types
    assert not any(ConfigSector().with_profile(BLOW).channel_types)


def test_pins_we_cannot_name_are_left_out() -> None:
    """A role of firmware to come, and a channel that does not exist."""
    sector = sector_of(
        3584, 5, {0x33E: b"\xc8\x01\x01", 0x35E: b"\x01\xff\x02", 0x33E + 30: b"\x01"}
    )
    assert parse(sector).profile.pins == (
        PinAssignment(pin=2, role=PinRole.REL, channel=2),
    )
