"""A command arrives as it is meant, or is refused before it is sent."""

from datetime import timedelta
from ipaddress import IPv4Address
from math import inf, nan

import pytest

from custom_components.openbk.pyopenbk.obk.commands import (
    LONGEST_ARGUMENTS,
    LONGEST_MESSAGE,
    LONGEST_PART,
    MOST_WATT_HOURS,
    Command,
    CommandError,
    CommandProblem,
    backlog,
    channel_command,
    check_over_mqtt,
    energy_command,
    flag_command,
    full_boot_time_command,
    mqtt_password_command,
    mqtt_user_command,
    pin_commands,
    reading_command,
    reporting_command,
    start_value_command,
    text_argument,
    threshold_command,
    time_server_command,
    typed_command,
    utc_offset_command,
)
from custom_components.openbk.pyopenbk.obk.flags import Flag, StartValue
from custom_components.openbk.pyopenbk.obk.settings import LedUse, with_led_use
from tests.support.sockets import BLOW


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("plain123", "plain123"),
        ("correct horse battery", '"correct horse battery"'),
        (" lead", '" lead"'),
        ("trail ", '"trail "'),
        ("", '""'),
        ("a&b=c+d%20", "a&b=c+d%20"),
        (r"back\\slash", r"back\\slash"),
        ("it's;semi", "it's;semi"),
        ("pay$ there", '"pay$ there"'),
        ("pay$", "pay$"),
        # The last byte of this letter is a blank to an Arm compiler.
        ("voilà", '"voilà"'),
        ("żółć😀", "żółć😀"),
    ],
)
def test_a_text_is_quoted_as_the_tokenizer_reads_it(text: str, argument: str) -> None:
    assert text_argument("password", text, 127) == argument


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$ecret99", CommandProblem.NOT_TO_BE_QUOTED),
        ("$two words", CommandProblem.NOT_TO_BE_QUOTED),
        ('correct "horse" $battery', CommandProblem.NOT_TO_BE_QUOTED),
        ('"quoted"', CommandProblem.NOT_TO_BE_QUOTED),
        # Kept by today's firmware, but 1.17.360 ends the word there.
        ('ab"cd', CommandProblem.NOT_TO_BE_QUOTED),
        ("nul\0", CommandProblem.UNPRINTABLE),
        ("tab\there", CommandProblem.UNPRINTABLE),
        ("line\nfeed", CommandProblem.UNPRINTABLE),
        ("\ud800", CommandProblem.UNPRINTABLE),
        ("x" * 128, CommandProblem.TOO_LONG),
        ("ż" * 64, CommandProblem.TOO_LONG),
    ],
)
def test_what_the_tokenizer_cannot_carry_is_refused(
    text: str, problem: CommandProblem
) -> None:
    with pytest.raises(CommandError) as refused:
        mqtt_password_command(text, 127)
    assert refused.value.field == "password"
    assert refused.value.problem is problem
    assert text not in str(refused.value)
    assert refused.value.limit == (127 if problem is CommandProblem.TOO_LONG else None)


def test_a_login_is_cleared_by_an_empty_text() -> None:
    assert mqtt_user_command("", 63) == 'MqttUser ""'
    assert mqtt_password_command("", 127) == 'MqttPassword ""'


def test_a_backlog_holds_what_its_parts_can_hold() -> None:
    first, second = flag_command(Flag.STATE_ON_CONNECT, True), channel_command(1, 0)
    line = backlog([first, second])
    assert line == "Backlog SetFlag 10 1; SetChannel 1 0"
    part = "echo " + "x" * (LONGEST_PART - len("echo "))
    assert backlog([Command(part)])
    with pytest.raises(CommandError) as refused:
        backlog([Command(part + "x")])
    assert refused.value.limit == LONGEST_PART
    with pytest.raises(CommandError) as refused:
        backlog([Command(part)] * (LONGEST_MESSAGE // LONGEST_PART + 1))
    assert refused.value.limit == LONGEST_MESSAGE


@pytest.mark.parametrize(
    "part",
    [
        mqtt_password_command("se;cret", 127),
        Command('StartupCommand "a\nb"'),
        Command("backlog delay_s 1"),
        Command("addEventHandler OnClick 8 waitFor MQTTState 1"),
    ],
)
def test_what_a_backlog_would_take_apart_is_refused(part: Command) -> None:
    with pytest.raises(CommandError) as refused:
        backlog([part])
    assert refused.value.problem is CommandProblem.NOT_IN_BACKLOG


def test_numbers_that_the_firmware_would_take_wrongly_are_refused() -> None:
    assert start_value_command(63, StartValue.LAST) == "SetStartValue 63 -1"
    for channel in (-1, 64):
        with pytest.raises(CommandError):
            channel_command(channel, 1)
        with pytest.raises(CommandError):
            start_value_command(channel, 1)
    assert reading_command("PowerSet", 60.25) == "PowerSet 60.25"
    for reference in (0, -5, inf, nan):
        with pytest.raises(CommandError):
            reading_command("PowerSet", reference)
    assert energy_command() == "EnergyCntReset"
    assert energy_command(0) == "EnergyCntReset 0.0"
    assert energy_command(1234.56) == "EnergyCntReset 1234.6"
    assert energy_command(MOST_WATT_HOURS) == "EnergyCntReset 90000000.0"
    for energy in (-1, inf, nan, MOST_WATT_HOURS + 1):
        with pytest.raises(CommandError):
            energy_command(energy)


def test_an_energy_leaves_the_firmware_room_to_print_it_for_years() -> None:
    """It has 16 bytes for six decimals and a zero; 10 MWh are a hundred days of 3680 W."""
    grown = MOST_WATT_HOURS + 9_999_000
    assert len(f"{grown:f}") < 16
    assert len(f"{grown + 1000:f}") == 16


@pytest.mark.parametrize(
    ("offset", "argument"),
    [
        (timedelta(), "+0:0"),
        (timedelta(hours=1), "+1:0"),
        (timedelta(hours=9, minutes=30), "+9:30"),
        (timedelta(hours=-3, minutes=-30), "-3:30"),
        (timedelta(hours=-8), "-8:0"),
        (timedelta(hours=5, minutes=45), "+5:45"),
    ],
)
def test_utc_offset_is_never_read_as_octal(offset: timedelta, argument: str) -> None:
    assert utc_offset_command(offset) == f"ntp_timeZoneOfs {argument}"


def test_a_time_server_is_an_address() -> None:
    server = IPv4Address("192.168.1.1")
    assert time_server_command(server) == "ntp_setServer 192.168.1.1"


def test_a_role_comes_behind_its_channel_and_always() -> None:
    """A channel alone leaves the pin as it is; a role drives it, even the one that it has."""
    on_wifi = with_led_use(BLOW, 8, LedUse.WIFI)
    on_relay = with_led_use(BLOW, 8, LedUse.RELAY)
    by_itself = with_led_use(BLOW, 8, LedUse.INDEPENDENT)
    assert pin_commands(on_wifi, on_relay) == [
        "SetPinChannel 8 1",
        "SetPinRole 8 LED_n",
    ]
    assert pin_commands(on_relay, by_itself) == [
        "SetPinChannel 8 2",
        "SetPinRole 8 LED_n",
    ]
    assert pin_commands(by_itself, on_wifi) == ["SetPinRole 8 WifiLED_n"]
    assert pin_commands(by_itself, by_itself) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  ", CommandProblem.EMPTY),
        ("se;tFlag 1", CommandProblem.UNPRINTABLE),
        ("SetFlag 1\n2", CommandProblem.UNPRINTABLE),
        ("echo " + "x " * LONGEST_ARGUMENTS, CommandProblem.TOO_LONG),
        # The firmware copies it into 128 bytes of the heap, whatever its length.
        ("echo " + "x" * 128, CommandProblem.LONG_WORD),
        ("StartupCommand a " + "x" * 128, CommandProblem.LONG_WORD),
        ('echo "a', CommandProblem.OPEN_QUOTE),
        # Published, it would end the firmware, and be in its flash.
        ("EnergyCntReset 123456789", CommandProblem.OUT_OF_RANGE),
        ('energycntreset "1e8"', CommandProblem.OUT_OF_RANGE),
        # Each part of a backlog is cut after 127 bytes, and what is left of it is run.
        ("Backlog SetFlag 1 1;echo " + "x " * 62, CommandProblem.TOO_LONG),
    ],
)
def test_what_a_person_types_is_refused_where_the_console_would_not_live_on(
    line: str, problem: CommandProblem
) -> None:
    with pytest.raises(CommandError) as refused:
        typed_command(line)
    assert refused.value.problem is problem


def test_what_a_person_types_arrives_as_it_was_typed() -> None:
    assert typed_command("  restart ") == "restart"
    assert typed_command('echo  "a b" c') == 'echo "a b" c'
    assert typed_command("EnergyCntReset 1234.5") == "EnergyCntReset 1234.5"
    assert typed_command("EnergyCntReset $CH1") == "EnergyCntReset $CH1"
    assert typed_command("echo " + "x" * 127)
    assert typed_command("StartupCommand " + "x" * LONGEST_ARGUMENTS)
    assert typed_command("backlog SetFlag 1 1;echo " + "x " * 61)
    # It is run later, as a script, of which nothing is cut.
    assert typed_command("backlog delay_s 1;echo " + "x " * 62)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("Status 0", CommandProblem.ONLY_OVER_HTTP),
        ("Backlog SetFlag 1 1; STATUS 8", CommandProblem.ONLY_OVER_HTTP),
        ("echo " + "x" * LONGEST_MESSAGE, CommandProblem.TOO_LONG),
    ],
)
def test_what_floods_a_broker_or_does_not_arrive_whole_is_not_sent_over_it(
    command: str, problem: CommandProblem
) -> None:
    with pytest.raises(CommandError) as refused:
        check_over_mqtt(Command(command))
    assert refused.value.problem is problem
    check_over_mqtt(Command("SetFlag 1 1"))


def test_numbers_that_would_become_others_are_refused() -> None:
    """An interval below a second is none, and the time of a good start is kept in one byte."""
    assert reporting_command(4, 31) == "VCPPublishIntervals 3 30"
    assert full_boot_time_command(255) == "FullBootTime 255"
    assert threshold_command(0.25, 0.002, 0.25) == "VCPPublishThreshold 0.25 0.002 0.25"
    for every, at_rest in ((0, 31), (5, 4)):
        with pytest.raises(CommandError):
            reporting_command(every, at_rest)
    for seconds in (0, 256):
        with pytest.raises(CommandError):
            full_boot_time_command(seconds)
    for watts in (-1.0, nan, inf):
        with pytest.raises(CommandError):
            threshold_command(0.25, 0.002, watts)
