"""Somebody's own start-up command does what it did, now and at every boot, with ours in it."""

from datetime import timedelta

import pytest

from custom_components.openbk.pyopenbk.obk.startup import (
    LONGEST_STARTUP_COMMAND,
    Obstacle,
    Part,
    add,
    own_parts,
    parse,
    runs_lines,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import BLOW

OWN = own_parts(BLOW, timedelta(hours=1))
EVERYTHING = add("", OWN).text
WITHOUT_CLOCK = EVERYTHING.replace("startDriver NTP; ntp_timeZoneOfs +1:0; ", "")
METER = "VCPPublishIntervals 3 89; SetupEnergyStats 1 60 60"


def test_all_of_ours_is_one_backlog() -> None:
    assert EVERYTHING == (
        "backlog startDriver NTP; ntp_timeZoneOfs +1:0; VCPPublishIntervals 3 89;"
        " SetupEnergyStats 1 60 60;"
        " addEventHandler OnClick 11 publish button single;"
        " addEventHandler OnDblClick 11 publish button double;"
        " addEventHandler On3Click 11 publish button triple;"
        " addEventHandler OnHoldStart 11 publish button hold;"
        " addEventHandler OnRelease 11 publish button release"
    )
    assert add("", OWN).commands == sum(OWN.values(), ())
    # Nothing is added twice, and another zone, as of another season, is left.
    assert add(EVERYTHING, OWN).commands == ()
    assert add(EVERYTHING, own_parts(BLOW, timedelta(hours=2))).commands == ()


@pytest.mark.parametrize(
    ("theirs", "with_ours"),
    [
        # What was a body of a handler stays one: ours has a line of its own.
        (
            "addChangeHandler Channel1 == 1 backlog delay_s 5; setChannel 1 0",
            f"{EVERYTHING}\n"
            "addChangeHandler Channel1 == 1 backlog delay_s 5; setChannel 1 0",
        ),
        (
            "addEventHandler OnClick 8 backlog echo A; echo B\n"
            "addChangeHandler noMQTTTime > 600 reboot",
            f"{EVERYTHING}\n"
            "addEventHandler OnClick 8 backlog echo A; echo B\n"
            "addChangeHandler noMQTTTime > 600 reboot",
        ),
        (
            "startDriver BL0942; PowerSave 1",
            f"{EVERYTHING}\nstartDriver BL0942; PowerSave 1",
        ),
        ("// mine\nPowerSave 1\n\n", f"{EVERYTHING}\n// mine\nPowerSave 1\n\n"),
        ('echo "a;b"', f'{EVERYTHING}\necho "a;b"'),
        (
            "again:\necho A\ndelay_s 5\ngoto again",
            f"{EVERYTHING}\nagain:\necho A\ndelay_s 5\ngoto again",
        ),
        # A backlog goes on as it was, without a blank more in its first command.
        (
            "backlog PowerSave 1; startDriver SSDP",
            f"{EVERYTHING};PowerSave 1; startDriver SSDP",
        ),
        ("  Backlog PowerMax 3500", f"{EVERYTHING};PowerMax 3500"),
        # Handlers of their own on the same events, and a topic that only begins like ours.
        (
            "backlog addEventHandler OnDblClick 11 publish button_action scene_2; PowerMax 3500",
            f"{EVERYTHING};addEventHandler OnDblClick 11 publish button_action scene_2;"
            " PowerMax 3500",
        ),
    ],
)
def test_theirs_follows_ours_unchanged(theirs: str, with_ours: str) -> None:
    addition = add(theirs, OWN)
    assert addition.text == with_ours
    assert addition.left_out == {}
    assert addition.commands == sum(OWN.values(), ())
    # Once more, there is nothing to add.
    assert add(with_ours, OWN).text == with_ours
    assert add(with_ours, OWN).commands == ()


@pytest.mark.parametrize(
    ("theirs", "left_out"),
    [
        ("addClockEvent 15:30 0xff 1 POWER TOGGLE", {Part.CLOCK}),
        ("waitFor NTPState 1\nsetChannel 1 1", {Part.CLOCK}),
        ("if $hour>=22 then POWER OFF", {Part.CLOCK}),
        ("time_setTZ 8", {Part.CLOCK}),
        # Whose own program sets the clock as well, to another zone or for what it does at a time.
        ("backlog startDriver NTP; ntp_timeZoneOfs 8", {Part.CLOCK}),
        ("startDriver NTP\nntp_timeZoneOfs -1:30", {Part.CLOCK}),
        (
            "backlog startDriver NTP; ntp_timeZoneOfs +1:00; addClockEvent 15:30 0xff 1 POWER ON",
            {Part.CLOCK},
        ),
        ("startDriver TuyaMCU", {Part.CLOCK}),
        ("backlog startDriver NTP; stopDriver NTP", {Part.CLOCK}),
        ("VCPPublishIntervals 1 5", {Part.REPORTING}),
        ("VCPPublishThreshold 0.5 0.1 1", {Part.REPORTING}),
        # The events of readings are fired when these are published.
        ("addChangeHandler Power > 3000 POWER OFF", {Part.REPORTING}),
        ("alias guard addChangeHandler Current > 10 POWER OFF", {Part.REPORTING}),
        ("SetupEnergyStats 1 10 60", {Part.STATISTICS}),
        (
            "addEventHandler energycounter_last_hour 5 echo A",
            {Part.REPORTING, Part.STATISTICS},
        ),
        ("addEventHandler OnClick 11 publish button scene_1", {Part.BUTTONS}),
        (
            "addChangeHandler Channel1 == 0 backlog echo A; clearAllHandlers",
            {Part.BUTTONS},
        ),
        # A name with a number is the same command, and so is one that is cut down to it.
        ("clearAllHandlers2", {Part.BUTTONS}),
        (
            f"backlog echo {'x' * 40}; {'y' * 109} clearAllHandlersAndMore",
            {Part.BUTTONS},
        ),
        # Somebody adds the same at another time.
        (
            "addEventHandler OnClick 11 publish button single\nreturn\n"
            "addEventHandler OnDblClick 11 publish button double",
            {Part.BUTTONS},
        ),
        (
            "addRepeatingEvent 5 1 addEventHandler OnClick 11 publish button single",
            {Part.BUTTONS},
        ),
        *(
            (theirs, {*Part} - {Part.METER})
            for theirs in (
                "startScript mine.bat",
                "startScript this",
                "startScript this nowhere",
                "goto *",
                "goto mine.bat start",
                "exec mine.bat",
                "addEventHandler OnClick 8 StartupCommand echo",
                'Json ["clearAllHandlers"]',
            )
        ),
    ],
)
def test_what_could_change_theirs_is_left_out(theirs: str, left_out: set[Part]) -> None:
    addition = add(theirs, OWN)
    assert addition.left_out.keys() == left_out
    if left_out == {*Part} - {Part.METER}:
        assert set(addition.left_out.values()) == {Obstacle.ELSEWHERE}
        assert addition.text == theirs
        assert addition.commands == ()
    else:
        assert set(addition.left_out.values()) == {Obstacle.USED}
        assert addition.text.endswith(theirs.removeprefix("backlog "))
        kept = [
            command
            for part, own in OWN.items()
            if part not in left_out
            for command in own
        ]
        assert list(addition.commands) == kept


def test_words_in_comments_and_in_the_names_of_others_are_no_obstacles() -> None:
    theirs = "// clearAllHandlers VCPPublishIntervals\npublish clock power"
    assert add(theirs, OWN).left_out == {}


def test_half_of_ours_is_completed() -> None:
    theirs = "backlog startDriver NTP; addEventHandler OnClick 11 publish button single"
    addition = add(theirs, OWN)
    assert addition.left_out == {}
    assert "addEventHandler OnClick 11 publish button single" not in addition.commands
    assert addition.commands[:3] == (
        "startDriver NTP",
        "ntp_timeZoneOfs +1:0",
        "VCPPublishIntervals 3 89",
    )
    assert len(addition.commands) == 8


@pytest.mark.parametrize("zone", ["1", "+1:00", "2:00", "+0:0"])
def test_a_zone_of_the_other_half_of_the_year_is_no_other(zone: str) -> None:
    theirs = f"backlog startDriver NTP; ntp_timeZoneOfs {zone}"
    addition = add(theirs, OWN)
    assert addition.left_out == {}
    assert addition.text.endswith(f";startDriver NTP; ntp_timeZoneOfs {zone}")
    assert addition.text.count("NTP") == 1


def test_a_label_of_this_script_is_no_other_script() -> None:
    theirs = "addEventHandler OnClick 8 startScript this blink 7\nreturn\nblink:\nPOWER TOGGLE"
    assert add(theirs, OWN).left_out == {}


def test_scripts_beside_it_count() -> None:
    script = "addClockEvent 7:00 0xff 1 POWER ON\nclearAllHandlers"
    addition = add("PowerSave 1", OWN, files=(script,))
    assert addition.left_out.keys() == {Part.CLOCK, Part.BUTTONS}
    assert addition.text == f"backlog {METER}\nPowerSave 1"


def test_two_relays_with_two_buttons_fit() -> None:
    profile = SocketProfile.of(
        [
            PinAssignment(pin=26, role=PinRole.REL, channel=1),
            PinAssignment(pin=14, role=PinRole.REL, channel=2),
            PinAssignment(pin=11, role=PinRole.BTN, channel=1),
            PinAssignment(pin=10, role=PinRole.BTN, channel=2),
            *(pin for pin in BLOW.pins if pin.role.name.startswith("BL0937")),
        ]
    )
    addition = add("", own_parts(profile, timedelta(hours=1)))
    assert 511 < len(addition.text) <= LONGEST_STARTUP_COMMAND
    assert sum("addEventHandler" in command for command in addition.commands) == 10


def test_what_does_not_fit_is_left_out_from_the_end() -> None:
    theirs = "echo " + "x" * (LONGEST_STARTUP_COMMAND - len("echo ") - 110)
    addition = add(theirs, OWN)
    assert addition.left_out == {Part.BUTTONS: Obstacle.NO_ROOM}
    assert addition.text.endswith(f"SetupEnergyStats 1 60 60\n{theirs}")
    full = "x" * LONGEST_STARTUP_COMMAND
    assert add(full, OWN).left_out == dict.fromkeys(OWN, Obstacle.NO_ROOM)
    assert add(full, OWN).text == full


@pytest.mark.parametrize(
    ("theirs", "with_ours"),
    [
        ("", EVERYTHING),
        ("backlog PowerSave 1; echo A", f"{EVERYTHING};PowerSave 1; echo A"),
        ("PowerSave 1", f"{EVERYTHING};PowerSave 1"),
        # All of it is one command: what follows a semicolon would be split from it.
        ("addEventHandler OnClick 8 backlog echo A; echo B", None),
        ("addEventHandler OnClick 8 delay_s 5", None),
        ("PowerSave 1\necho A", None),
        ("echo " + "x" * 123, None),
    ],
)
def test_old_firmware_runs_a_single_command(theirs: str, with_ours: str | None) -> None:
    addition = add(theirs, OWN, lines=False)
    if with_ours is None:
        assert addition.text == theirs
        assert addition.left_out == dict.fromkeys(OWN, Obstacle.SINGLE_COMMAND)
    else:
        assert addition.text == with_ours
        assert addition.left_out == {}


def test_old_firmware_stores_less_on_its_page() -> None:
    theirs = f"backlog echo {'x' * 100}; echo {'y' * 100}"
    addition = add(theirs, OWN, lines=False)
    assert addition.left_out == {Part.BUTTONS: Obstacle.NO_ROOM}
    assert (
        addition.text
        == f"{EVERYTHING.partition('; addEvent')[0]};{theirs.removeprefix('backlog ')}"
    )


@pytest.mark.parametrize(
    ("build", "lines"),
    [
        ("Built on Nov 29 2026 08:02:51 version 1.18.299", True),
        ("OpenBK7231N 1.18.24 Jan 24 2025 10:00:00", True),
        ("OpenBK7231N 1.19.0", True),
        ("OpenBK7231N 2.0.0", True),
        ("OpenBK7231N 1.18.23", False),
        ("Built on Dec 17 2023 14:11:38 version 1.17.360", False),
        ("Built by somebody", False),
        ("", False),
    ],
)
def test_which_firmware_runs_lines(build: str, lines: bool) -> None:
    assert runs_lines(build) is lines


@pytest.mark.parametrize(
    ("text", "run"),
    [
        (
            "backlog a 1; B;; c\n// no\nlabel:\n\t d  2 \r\n",
            ["a 1", "b", "", "c", "d 2"],
        ),
        ("backlog a; delay_s 1; // b; c", ["a", "delay_s 1", "c"]),
        ('backlog echo "a; b"', ['echo "a', 'b"']),
        (f"backlog echo {'x' * 200}; b", [f"echo {'x' * 122}", "b"]),
        ("a\nif $CH1 then goto b\nc", ["a"]),
        ("a\nreturn\nb", ["a"]),
        ("a\rb", ["a b"]),
    ],
)
def test_what_is_run_at_boot(text: str, run: list[str]) -> None:
    """As recorded from OpenBeken 1.18.299."""
    assert list(parse(text).run_at_boot()) == run
