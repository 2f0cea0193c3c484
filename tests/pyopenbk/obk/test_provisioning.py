"""A socket is told all it has to know, in what the firmware can store."""

from datetime import timedelta

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import room_for
from custom_components.openbk.pyopenbk.obk.provisioning import (
    Clock,
    ProvisioningError,
    provision,
    startup_command,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import BLOW, MAC

WARSAW = timedelta(hours=1)


def test_names_and_flags() -> None:
    told = provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW))
    assert told.client_id == told.short_name == "obk8C123456"
    assert told.long_name == "OpenBK7231N_8C123456"
    assert told.group == "bekens_n"
    assert told.flags == (1 << 10) | (1 << 21)
    assert told.start_values == {1: -1}
    assert told.ping_host == ""


def test_startup_command_of_the_reference_socket() -> None:
    told = provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW))
    assert told.startup_command == (
        "backlog startDriver NTP; ntp_timeZoneOfs +1:0; VCPPublishIntervals 3 89;"
        " SetupEnergyStats 1 60 60;"
        " addEventHandler OnClick 11 publish button single;"
        " addEventHandler OnDblClick 11 publish button double;"
        " addEventHandler On3Click 11 publish button triple;"
        " addEventHandler OnHoldStart 11 publish button hold;"
        " addEventHandler OnRelease 11 publish button release"
    )


def test_chosen_client_id() -> None:
    told = provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW), client_id="washer")
    assert told.client_id == "washer"
    assert told.long_name == "OpenBK7231N_8C123456"
    with pytest.raises(ProvisioningError):
        provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW), client_id="a/b")


@pytest.mark.parametrize(
    ("client_id", "short_name"),
    [
        ("x" * 31, "x" * 31),
        ("x" * 63, "x" * 31),
        ("розетка-холодильника", "розетка-холодиль"),
        ("x" * 30 + "ż", "x" * 30),
        ("x" * 29 + "ż", "x" * 29 + "ż"),
        ("🔌" * 15, "🔌" * 7),
    ],
)
def test_short_name_is_cut_between_characters(client_id: str, short_name: str) -> None:
    told = provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW), client_id=client_id)
    assert told.client_id == client_id
    assert told.short_name == short_name
    assert len(short_name.encode()) <= room_for("short_name")


def test_wrong_mac_and_server() -> None:
    with pytest.raises(ProvisioningError):
        provision(BLOW, "c8:47", clock=Clock(utc_offset=WARSAW))
    with pytest.raises(ProvisioningError):
        Clock(utc_offset=WARSAW, ntp_server="pool.ntp.org")


def test_more_buttons_than_the_firmware_can_store_are_refused() -> None:
    buttons = [
        PinAssignment(pin=pin, role=PinRole.BTN, channel=pin) for pin in range(6)
    ]
    assert startup_command(SocketProfile.of(buttons[:5]), WARSAW)
    with pytest.raises(ProvisioningError):
        startup_command(SocketProfile.of(buttons), WARSAW)


def test_every_button_has_its_topic() -> None:
    profile = SocketProfile.of(
        [
            PinAssignment(pin=26, role=PinRole.REL, channel=1),
            PinAssignment(pin=24, role=PinRole.REL, channel=2),
            PinAssignment(pin=11, role=PinRole.BTN, channel=1),
            PinAssignment(pin=10, role=PinRole.BTN, channel=2),
        ]
    )
    command = startup_command(profile, WARSAW)
    assert "OnClick 11 publish button single" in command
    assert "OnClick 10 publish button_10 single" in command
    assert "VCP" not in command


def test_what_a_template_has_comes_behind_ours() -> None:
    profile = BLOW.with_extras("PowerSave 1", 1 << 46)
    told = provision(profile, MAC, clock=Clock(utc_offset=WARSAW))
    plain = provision(BLOW, MAC, clock=Clock(utc_offset=WARSAW))
    assert told.startup_command == f"{plain.startup_command}\nPowerSave 1"
    assert told.flags == plain.flags | 1 << 46
    # Firmware that runs all of it as one command gets one command.
    assert startup_command(profile, WARSAW, lines=False) == (
        f"{plain.startup_command};PowerSave 1"
    )


def test_what_would_change_a_templates_commands_is_left_out() -> None:
    theirs = "addClockEvent 7:00 0xff 1 setChannel 1 1"
    command = startup_command(BLOW.with_extras(theirs, 0), WARSAW)
    assert command.endswith(theirs)
    assert "NTP" not in command
    assert "VCPPublish" in command
