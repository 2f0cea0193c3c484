"""A socket that is flashed again keeps what it had, or it is named what it loses."""

from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.checksums import openbeken_config_crc
from custom_components.openbk.pyopenbk.meters import BL0942
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.flags import Flag
from custom_components.openbk.pyopenbk.obk.meter import factors_of
from custom_components.openbk.pyopenbk.obk.setup import (
    Broker,
    SocketSettings,
    WifiNetwork,
)
from custom_components.openbk.pyopenbk.obk.startup import Part
from custom_components.openbk.pyopenbk.obk.takeover import Kept, Takeover
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import BLOW, MAC, TWO_COILS

WINTER = datetime(2026, 1, 15, tzinfo=UTC)
SUMMER = datetime(2026, 7, 15, tzinfo=UTC)
NEWEST = "1.18.300"
FACTORS = (0.1401, 0.0125, 1.62, 3000.0, 0.0, 0.0, 0.0, 0.0)
NETWORK = SocketSettings(
    client_id="obk8C123456",
    wifi=WifiNetwork(ssid="New", password="new password"),
    broker=Broker(host="192.168.1.20", username="new", password="new login"),
    time_zone="Europe/Warsaw",
)
HAD: dict[str, Any] = {
    "flags": 1 << 10 | 1 << 27 | 1 << 30 | 1 << 38 | 1 << 41,
    "wifi_ssid": "Old",
    "wifi_password": "old password",
    "mqtt_host": "192.168.1.10",
    "mqtt_port": 1884,
    "mqtt_username": "old",
    "mqtt_password": "old login",
    "mqtt_client_id": "kitchen",
    "mqtt_group": "plugs",
    "short_name": "Kitchen plug",
    "long_name": "Plug_in_the_kitchen",
    "mac": bytes.fromhex(MAC.replace(":", "")),
    "calibration": FACTORS,
    "static_ip": (192, 168, 1, 50, 255, 255, 255, 0, 192, 168, 1, 1, 192, 168, 1, 1),
    "web_password": "web secret",
    "ntp_server": "192.168.1.1",
    "start_values": (0, 1) + (0,) * 62,
    "ping_host": "192.168.1.1",
    "ping_interval": 60,
    "button_times": (2, 8, 4),
    "channel_types": (0, 3) + (0,) * 62,
}
KEPT = (
    "calibration",
    "static_ip",
    "web_password",
    "short_name",
    "long_name",
    "start_values",
    "ping_host",
    "ping_interval",
    "button_times",
    "channel_types",
    "roles",
    "channels",
)


def before(profile: SocketProfile = BLOW, **changes: Any) -> ConfigSector:
    """Return what a socket has in its flash, as it is read from there."""
    written = ConfigSector(**{**HAD, **changes}).with_profile(profile)
    return config_sector.parse(config_sector.build(written))


def flashed_again(
    had: ConfigSector,
    profile: SocketProfile = BLOW,
    *,
    moment: datetime = WINTER,
    firmware: str = NEWEST,
    settings: SocketSettings = NETWORK,
) -> tuple[ConfigSector, Takeover]:
    """Return what is written, and what is said of it."""
    settings = replace(settings, before=had)
    told = settings.takeover(profile, MAC, moment, firmware)
    assert told is not None
    sector = settings.configuration(profile, MAC, moment, firmware)
    return config_sector.parse(sector), told


def test_what_it_had_stays() -> None:
    had = before()
    now, told = flashed_again(had)
    for name in KEPT:
        assert getattr(now, name) == getattr(had, name), name
    assert told.static_address == "192.168.1.50"
    assert told.kept == tuple(kept for kept in Kept if kept != Kept.STARTUP_COMMAND)
    assert not told.lost_factors
    assert not told.left_out


def test_what_was_asked_for_is_new() -> None:
    now, _ = flashed_again(before())
    assert (now.wifi_ssid, now.wifi_password) == ("New", "new password")
    assert (now.mqtt_host, now.mqtt_port) == ("192.168.1.20", 1883)
    assert (now.mqtt_username, now.mqtt_password) == ("new", "new login")
    assert (now.mqtt_client_id, now.mqtt_group) == ("obk8C123456", "bekens_n")
    assert now.mac == bytes.fromhex(MAC.replace(":", ""))


def test_bytes_that_no_field_claims_stay() -> None:
    sector = bytearray(config_sector.build(before()))
    sector[0x4C4:0x4C8] = b"mine"
    sector[3] = openbeken_config_crc(sector[4:3584])
    settings = replace(NETWORK, before=config_sector.parse(bytes(sector)))
    now = settings.configuration(BLOW, MAC, WINTER, NEWEST)
    assert now[0x4C4:0x4C8] == b"mine"


def test_flags_that_home_assistant_cannot_work_with_are_named() -> None:
    now, told = flashed_again(before())
    assert now.flags == 1 << 10 | 1 << 21 | 1 << 38 | 1 << 41
    assert told.cleared == (Flag.OWN_DISCOVERY, Flag.TASMOTA_TELEMETRY)


def test_start_up_command_of_its_own_stays() -> None:
    own = "backlog startDriver SSDP; addChangeHandler Channel1 == 1 setChannel 3 1"
    now, told = flashed_again(before(startup_command=own))
    assert now.startup_command.startswith("backlog startDriver NTP; ")
    assert now.startup_command.endswith(own.removeprefix("backlog "))
    assert "publish button single" in now.startup_command
    assert Kept.STARTUP_COMMAND in told.kept


def test_start_up_command_that_nothing_can_be_added_to_stays_as_it_is() -> None:
    own = "startScript autoexec.bat"
    now, told = flashed_again(before(startup_command=own))
    assert now.startup_command == own
    assert told.left_out.keys() == {*Part} - {Part.METER}


def test_start_up_command_of_ours_is_not_added_twice() -> None:
    """Flashed in summer and again in winter."""
    first, _ = flashed_again(before(), moment=SUMMER)
    again, told = flashed_again(first, moment=WINTER)
    assert "ntp_timeZoneOfs +2:0;" in first.startup_command
    assert again.startup_command == first.startup_command.replace("+2:0;", "+1:0;")
    assert Kept.STARTUP_COMMAND not in told.kept


def test_old_firmware_runs_a_start_up_command_as_one() -> None:
    own = "echo first\necho second"
    now, told = flashed_again(before(startup_command=own), firmware="1.17.360")
    assert now.startup_command == own
    assert told.left_out


def test_factors_of_another_kind_of_meter_are_lost_and_named() -> None:
    relay = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))
    for had, profile in ((before(), relay), (before(relay), BLOW)):
        now, told = flashed_again(had, profile)
        assert now.calibration[:3] == (0, 0, 0)
        assert now.calibration[3] == 3000
        assert told.lost_factors
    _, told = flashed_again(before(calibration=(0.0,) * 8), relay)
    assert not told.lost_factors


@pytest.mark.parametrize("factor", [nan, inf, -1.5])
def test_what_is_no_factor_is_lost_and_named(factor: float) -> None:
    now, told = flashed_again(before(calibration=(factor, *FACTORS[1:])))
    assert now.calibration[:3] == (0, 0, 0)
    assert told.lost_factors


def test_a_meter_that_is_connected_the_other_way_round_keeps_its_sign() -> None:
    """Without it the firmware would say 0 W, whatever is plugged in."""
    reversed_factors = (15987.125, 272302.6875, -683.023987, *FACTORS[3:])
    relay = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))
    profile = relay.with_meter(BL0942)
    had = before(
        profile, startup_command="startDriver BL0942", calibration=reversed_factors
    )
    now, told = flashed_again(had, profile)
    assert now.calibration[:3] == pytest.approx(reversed_factors[:3])
    assert not told.lost_factors
    assert factors_of(now.calibration, BL0942) == pytest.approx(
        {"voltage": 1 / 15987.125, "current": 1 / 272302.6875, "power": 1 / 683.023987}
    )


def test_roles_that_are_newer_than_our_table_stay() -> None:
    roles = list(before().roles)
    roles[20] = 200
    now, _ = flashed_again(replace(before(), roles=tuple(roles)))
    assert now.roles[20] == 200
    assert now.profile.pins == BLOW.pins


def test_new_relay_remembers_its_state() -> None:
    two = SocketProfile.of(
        (*BLOW.pins, PinAssignment(pin=9, role=PinRole.REL, channel=2))
    )
    now, _ = flashed_again(before(), two)
    assert now.start_values[:3] == (0, 1, -1)
    assert now.profile.pins == two.pins


def test_names_of_a_copied_configuration_do_not_stay() -> None:
    now, told = flashed_again(before(mac=bytes.fromhex("c8478c999999")))
    assert (now.short_name, now.long_name) == ("obk8C123456", "OpenBK7231N_8C123456")
    assert Kept.NAMES not in told.kept


def test_short_name_that_was_the_topic_follows_it() -> None:
    now, _ = flashed_again(before(short_name="kitchen"))
    assert now.short_name == "obk8C123456"
    assert now.long_name == "Plug_in_the_kitchen"


def test_host_that_nobody_pings_is_forgotten() -> None:
    now, told = flashed_again(before(ping_interval=0))
    assert now.ping_host == ""
    assert Kept.PING not in told.kept


def test_socket_that_had_nothing_is_told_nothing() -> None:
    fresh = before(
        **{
            name: getattr(ConfigSector(), name)
            for name in HAD
            if name not in ("mac", "start_values")
        },
        start_values=(0, -1) + (0,) * 62,
    )
    _, told = flashed_again(fresh)
    assert told.kept == ()
    assert told.cleared == ()


def test_form_is_filled_in_with_what_it_had() -> None:
    settings = SocketSettings.of(before(wifi_ssid2="Second", wifi_password2="2nd word"))
    assert settings.wifi == WifiNetwork(ssid="Old", password="old password")
    assert settings.wifi2 == WifiNetwork(ssid="Second", password="2nd word")
    assert settings.broker == Broker(
        host="192.168.1.10", port=1884, username="old", password="old login"
    )
    assert (settings.client_id, settings.group) == ("kitchen", "plugs")
    assert settings.ntp_server == "192.168.1.1"
    assert "old" not in repr(settings)
    assert settings.without_secrets().before is None


def test_what_cannot_be_shown_is_not_filled_in() -> None:
    sector = bytearray(config_sector.build(before(ntp_server="pool.ntp.org")))
    sector[0x014:0x017] = b"\xff\xfe\xfd"
    sector[3] = openbeken_config_crc(sector[4:3584])
    settings = SocketSettings.of(config_sector.parse(bytes(sector)))
    assert settings.wifi.ssid == ""
    assert settings.ntp_server == "217.147.223.78"
    nowhere = SocketSettings.of(before(mqtt_host="", mqtt_client_id="a/b"))
    assert nowhere.broker.host == nowhere.broker.username == ""
    assert nowhere.client_id == ""


def test_configuration_of_an_older_version_becomes_a_new_one() -> None:
    had = replace(before(), version=3, origin=b"")
    now, _ = flashed_again(had)
    assert now.version == config_sector.VERSION
    assert now.calibration == had.calibration


def test_commands_of_a_template_go_where_none_of_its_own_were() -> None:
    profile = BLOW.with_extras("PowerSave 1", 1 << 46)
    now, told = flashed_again(before(startup_command=""), profile)
    assert now.startup_command.endswith("\nPowerSave 1")
    assert now.flags & 1 << 46
    assert not told.lost_command
    assert Kept.STARTUP_COMMAND not in told.kept
    # And again, with what it has then.
    once_more, told = flashed_again(now, profile)
    assert once_more.startup_command == now.startup_command
    assert not told.lost_command


def test_commands_of_a_template_do_not_replace_its_own() -> None:
    profile = BLOW.with_extras("PowerSave 1", 0)
    now, told = flashed_again(before(startup_command="echo mine"), profile)
    assert now.startup_command.endswith("echo mine")
    assert "PowerSave" not in now.startup_command
    assert told.lost_command


def test_two_coils_are_published_whatever_it_had() -> None:
    had = before(TWO_COILS)
    unpublished = replace(had, channel_types=(0,) * 64)
    now, _ = flashed_again(unpublished, TWO_COILS)
    assert now.channel_types[1] == config_sector.TOGGLE_CHANNEL
