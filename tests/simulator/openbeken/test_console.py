"""Tests of the simulated socket's command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from simulator.openbeken import Release
from simulator.openbeken.console import Result

from .rig import PINS, Rig, configuration

# Of the rig's pins, with that of pin 26 changed.
CHANNELS = [PINS[pin][1] if pin in PINS else 0 for pin in range(32)]
CHANNELS[26] = 5


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(None, configuration(1, mqtt_host="")) as rig:
        yield rig


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('SSID1 "My network"', "wifi_ssid", "My network"),
        ("SSID1 My network", "wifi_ssid", "My"),
        ("Password1 top secret", "wifi_password", "top"),
        ("MqttHost broker", "mqtt_host", "broker"),
        ("mqttuser me", "mqtt_username", "me"),
        ("MqttPassword p w", "mqtt_password", "p"),
        ("MqttGroup attic", "mqtt_group", "attic"),
        ("ShortName lamp", "short_name", "lamp"),
        ("FriendlyName Lamp", "long_name", "Lamp"),
        ("ShortName " + "x" * 40, "short_name", "x" * 31),
        ('StartupCommand "backlog a; b"', "startup_command", "backlog a; b"),
        ("StartupCommand backlog a", "startup_command", "backlog"),
        ("MqttHost $IP", "mqtt_host", "127.0.0.1"),
        ("SetPinChannel 26 1+2*2", "channels", tuple(CHANNELS)),
        ("Flags 1099511627776", "flags", 1 << 40),
        ("SetFlag 10 0", "flags", 0),
        ("SetButtonTimes 15 4 6", "button_times", (4, 15, 6)),
        ("FullBootTime 12", "boot_success_seconds", 12),
        ("FullBootTime 0", "boot_success_seconds", 1),
        ("FullBootTime 256", "boot_success_seconds", 0),
        # Out of range, and yet no error.
        ("SetPinChannel 6 64", "flags", 1 << 10),
        ("SetFlag 64 1", "flags", 1 << 10),
        ("SetStartValue 64 1", "start_values", (0,) * 64),
        ("SetPinRole 99 Rel", "flags", 1 << 10),
    ],
)
async def test_settings(rig: Rig, line: str, field: str, value: object) -> None:
    assert rig.device.console.execute(line) is Result.OK
    assert getattr(rig.device.settings.values, field) == value


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("", Result.EMPTY),
        ("SetPinRole 26", Result.NOT_ENOUGH_ARGUMENTS),
        ("SetPinRole 26 Lamp", Result.BAD_ARGUMENT),
        ("SetPinRole 26 1", Result.BAD_ARGUMENT),
        ("ntp_setServer 10.0.0.1", Result.UNKNOWN),
        ("Flags abc", Result.BAD_ARGUMENT),
        ("SetChannelType 5 1", Result.BAD_ARGUMENT),
        ("SetChannelType 5 Toggle", Result.OK),
        ("delay_s 1", Result.ERROR),
        ("addEventHandler OnDance 11 echo", Result.BAD_ARGUMENT),
        ("addEventHandler OnClick 11", Result.NOT_ENOUGH_ARGUMENTS),
        ("publish topic", Result.NOT_ENOUGH_ARGUMENTS),
        ("PREF 1.5", Result.UNKNOWN),
        ("MqttPort 1884", Result.UNKNOWN),
        # Left out of the released builds since 1.18.170.
        ("PingHost 192.168.1.1", Result.UNKNOWN),
        ("PingInterval 30", Result.UNKNOWN),
        ("powerful", Result.UNKNOWN),
    ],
)
async def test_errors(rig: Rig, line: str, result: Result) -> None:
    assert rig.device.console.execute(line) is result


async def test_meter_commands_come_with_the_meter() -> None:
    config = configuration(1, mqtt_host="", roles=(0,) * 32)
    async with Rig(None, config) as rig:
        console = rig.device.console
        assert console.execute("VCPPublishIntervals 1 5") is Result.UNKNOWN
        for pin, role in ((6, "BL0937CF1"), (7, "BL0937CF"), (24, "BL0937SEL")):
            console.execute(f"SetPinRole {pin} {role}")
        console.execute("startDriver BL0937")
        assert console.execute("VCPPublishIntervals 1 5") is Result.OK
        assert rig.device.energy
        console.execute("VCPPublishThreshold 1 0.1 5 2")
        sensors = rig.device.energy.sensors
        assert sensors["power_reactive"].threshold == 5
        assert sensors["energycounter_3_days_ago"].threshold == 2
        assert sensors["energycounter"].threshold == 0.1
        console.execute("VCPPrecision 2 1 0 4")
        assert sensors["voltage"].decimals == 2
        assert sensors["energycounter_today"].decimals == 4
        console.execute("ConsumptionThreshold 9999")
        assert rig.device.energy.save_threshold == 5000
        console.execute("stopDriver BL0937")
        assert not rig.device.energy


async def test_changed_role_is_driven_at_once(rig: Rig) -> None:
    console = rig.device.console
    console.execute("SetChannel 1 1")
    assert rig.device.pin_level(26)
    assert rig.meter.relay_closed
    console.execute("SetPinRole 26 Rel_n")
    assert not rig.device.pin_level(26)
    console.execute("SetPinRole 26 None")
    assert not rig.meter.relay_closed


async def test_handlers_of_a_changed_channel(rig: Rig) -> None:
    console = rig.device.console
    console.execute("addEventHandler OnChannelChange 1 SetChannel 5 9")
    assert console.handler_count == 1
    console.execute("SetChannel 1 1")
    assert rig.device.channel(5) == 9


async def test_remembering_begins_with_the_next_change(rig: Rig) -> None:
    """The command does not save the present state, as the page does."""
    rig.device.console.execute("backlog SetChannel 1 1; SetStartValue 1 -1")
    await rig.until(lambda: not rig.device.settings.changed)
    await rig.power_cycle()
    assert not rig.device.relay(1)
    rig.device.console.execute("SetChannel 1 1")
    await rig.power_cycle()
    assert rig.device.relay(1)


async def test_twelve_channels_are_remembered(rig: Rig) -> None:
    for channel in (11, 12):
        rig.device.console.execute(f"SetStartValue {channel} -1")
        rig.device.console.execute(f"SetChannel {channel} 40000")
    await rig.until(lambda: not rig.device.settings.changed)
    await rig.power_cycle()
    # Sixteen bits of each.
    assert rig.device.channel(11) == 40000 - 0x10000
    assert rig.device.channel(12) == 0


async def test_restart_in_no_time_never_comes(rig: Rig) -> None:
    for argument in ("0", "abc", "-5"):
        rig.device.console.execute("restart 2")
        assert rig.device.console.execute(f"restart {argument}") is Result.OK
        await rig.seconds(5)
        assert rig.restarts == 0
    rig.device.console.execute("restart 2")
    await rig.until(lambda: rig.restarts == 1)


@pytest.mark.parametrize(
    "number", ["-1e400", "1e39", "nan", "5%1e39", "1/0", "0xfffffffff", "$FLAG99", "(("]
)
async def test_odd_numbers_do_not_end_the_device(rig: Rig, number: str) -> None:
    for command in (
        "SetChannel", "AddChannel", "SetFlag", "PowerSave", "SetStartValue",
        "PingInterval", "Choice", "if 1 then SetChannel 1",
    ):  # fmt: skip
        rig.device.console.execute(f"{command} {number} {number} {number}")
    await rig.uptime(10)


async def test_power_sets_any_channel_to_any_number(rig: Rig) -> None:
    console = rig.device.console
    console.execute("POWER 2")
    assert rig.device.channel(1) == 2
    console.execute("POWER2 1")
    assert rig.device.channel(2) == 1
    console.execute("POWER toggle")
    assert rig.device.channel(1) == 0
    console.execute("POWER ON")
    assert rig.device.channel(1) == 1
    # A blank behind it makes it a word that is no number.
    console.execute("POWER ON ")
    assert rig.device.channel(1) == 0


async def test_commands_of_the_time_server_come_with_its_driver(rig: Rig) -> None:
    console = rig.device.console
    console.execute("backlog startDriver NTP; ntp_setServer 10.0.0.1")
    assert rig.device.settings.values.ntp_server == "10.0.0.1"


async def test_configuration_can_be_cleared(rig: Rig) -> None:
    rig.device.console.execute("clearConfig")
    assert not rig.device.settings.values.wifi_ssid
    assert not any(rig.device.settings.values.roles)


async def test_drivers_of_old_releases() -> None:
    release = Release(version="1.17.360", built="Dec 17 2023 10:00:00")
    async with Rig(None, configuration(1), release=release) as rig:
        rig.device.console.execute("startDriver MDNS")
        assert "MDNS" not in rig.device.drivers
        rig.device.release = Release()
        rig.device.console.execute("startDriver MDNS")
        assert "MDNS" in rig.device.drivers


async def test_network_time(rig: Rig) -> None:
    clock = rig.device.device_clock
    rig.device.console.execute("backlog startDriver NTP; ntp_timeZoneOfs -3:30")
    await rig.until(lambda: clock.synced)
    assert clock.utc == pytest.approx(datetime.now(UTC).timestamp(), abs=120)
    assert clock.local - clock.utc == -12600
    assert clock.zone_text == "-03:30"


async def test_unreachable_time_server(rig: Rig) -> None:
    rig.device.device_clock.ntp_answers = False
    rig.device.console.execute("startDriver NTP")
    await rig.clock.sleep(5)
    assert not rig.device.device_clock.synced
    assert rig.device.device_clock.utc == 0


@pytest.mark.parametrize(
    "command", ["time_setDST 0 3 1 2 60 0 10 1 3 0", "clock_calcDST 0 10 1 3 0 3 1 2"]
)
async def test_no_rules_of_summer_time(rig: Rig, command: str) -> None:
    assert rig.device.console.execute(command) is Result.UNKNOWN


async def test_server_of_time_has_the_last_word(rig: Rig) -> None:
    clock = rig.device.device_clock
    rig.device.console.execute("startDriver NTP")
    await rig.until(lambda: clock.synced)
    now = clock.utc
    rig.device.console.execute("time_setTime 5000000")
    assert clock.utc < now
    await rig.until(lambda: clock.utc >= now)


async def test_older_releases_take_a_host_to_ping() -> None:
    config = configuration(1, mqtt_host="")
    async with Rig(None, config, release=Release(version="1.17.360")) as rig:
        for line in ("PingHost 192.168.1.1", "PingInterval 30"):
            assert rig.device.console.execute(line) is Result.OK
        values = rig.device.settings.values
        assert (values.ping_host, values.ping_interval) == ("192.168.1.1", 30)
