"""A socket's pins as a form and as a table: what a person reads and corrects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import re
from typing import Any, Final

from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
import probatio

from ..pyopenbk.foreign_text import markdown_text
from ..pyopenbk.obk.templates import DeviceTemplate
from ..pyopenbk.profile import (
    HIGHEST_CHANNEL,
    PinAssignment,
    ProfileProblem,
    SocketProfile,
)
from ..pyopenbk.roles import (
    BUTTON_ROLES,
    INPUT_ROLES,
    LED_ROLES,
    RELAY_ROLES,
    TOGGLE_ROLES,
    WIFI_LED_ROLES,
    PinRole,
    role_from_name,
)
from ..pyopenbk.tuya import PinReading
from ..pyopenbk.tuya.pins import WarningKind
from ..pyopenbk.tuya.storage import ProblemKind
from .talking import Words

CONF_METER: Final = "meter"
CONF_MORE: Final = "more"
CONF_OTHERS: Final = "others"
_INVERTED: Final = "_inverted"

_LINE: Final = re.compile(
    r"P?(?P<pin>\d{1,2})\s*[:=\s]\s*(?P<role>\w+)"
    r"(?:\s*[;,\s]\s*(?P<channel>\d{1,2}))?(?:\s*[;,\s]\s*(?P<channel2>\d{1,2}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One question of the form: a pin for this purpose, and whether it is inverted."""

    key: str
    role: PinRole
    inverted: PinRole | None = None
    channel: int = 0

    @property
    def roles(self) -> tuple[PinRole, ...]:
        """Return the roles that this question covers."""
        return (self.role,) if self.inverted is None else (self.role, self.inverted)


_MAIN: Final = (
    Slot(key="relay", role=PinRole.REL, inverted=PinRole.REL_N, channel=1),
    Slot(key="button", role=PinRole.BTN, inverted=PinRole.BTN_N, channel=1),
    Slot(key="led", role=PinRole.LED, inverted=PinRole.LED_N, channel=1),
    Slot(key="wifi_led", role=PinRole.WIFI_LED, inverted=PinRole.WIFI_LED_N),
)
_METER: Final = (
    Slot(key="meter_cf", role=PinRole.BL0937CF),
    Slot(key="meter_cf1", role=PinRole.BL0937CF1),
    Slot(key="meter_sel", role=PinRole.BL0937SEL, inverted=PinRole.BL0937SEL_N),
)
_KINDS: Final[tuple[tuple[frozenset[PinRole], str], ...]] = (
    (RELAY_ROLES, "relay"),
    (frozenset({PinRole.BRIDGE_FWD}), "relay_on"),
    (frozenset({PinRole.BRIDGE_REV}), "relay_off"),
    (BUTTON_ROLES, "button"),
    (INPUT_ROLES, "input"),
    (TOGGLE_ROLES, "toggle"),
    (LED_ROLES, "led"),
    (WIFI_LED_ROLES, "wifi_led"),
    (frozenset({PinRole.BL0937CF}), "meter_cf"),
    (frozenset({PinRole.BL0937CF1}), "meter_cf1"),
    (frozenset({PinRole.BL0937SEL, PinRole.BL0937SEL_N}), "meter_sel"),
)
_ERRORS: Final = {
    ProfileProblem.NO_RELAY: "pins_no_relay",
    ProfileProblem.PIN_USED_TWICE: "pins_used_twice",
    ProfileProblem.METER_INCOMPLETE: "pins_meter_incomplete",
    ProfileProblem.COILS_INCOMPLETE: "pins_coils_incomplete",
}
# Uses that have no role here, so that their own name says most.
_NAMED_USES: Final = frozenset({WarningKind.PIN_WITHOUT_ROLE})
# Of the whole socket: the text says itself what it is about, and Tuya's parameter tells a person nothing.
_OF_THE_SOCKET: Final = frozenset(
    {
        WarningKind.METER_DISABLED,
        WarningKind.METER_OVER_UART,
        WarningKind.METER_ON_UART,
        WarningKind.METER_HLW8012,
        WarningKind.CHANNEL_COUNT,
        WarningKind.LIGHT,
        WarningKind.OTHER_CHIP,
    }
)


class LineError(ValueError):
    """A line of the other pins is not one; ``args[0]`` is the line."""


def problem_of(profile: SocketProfile) -> str | None:
    """Return the key of the first reason why these pins must not be written, or None."""
    return _ERRORS[profile.problems[0]] if profile.problems else None


def kind_of(role: PinRole) -> str:
    """Return the word, as a key, for what a pin of this role is."""
    return next((kind for roles, kind in _KINDS if role in roles), "other")


def table(profile: SocketProfile, word: Words) -> str:
    """Return the rows of a Markdown table: pin, purpose, OpenBeken's role, channel."""
    return "\n".join(_rows(profile, word))


def changes(before: SocketProfile, after: SocketProfile, word: Words) -> str:
    """Return the rows of a Markdown table: a pin that differs, what it was and what it is."""

    def told(pin: PinAssignment | None) -> str:
        if pin is None:
            return word("pin_kind", "none")
        numbers = f" {_channels(pin)}" if pin.role.has_channel else ""
        return (
            f"{word('pin_kind', kind_of(pin.role))}: {pin.role.firmware_name}{numbers}"
        )

    was = {pin.pin: pin for pin in before.pins}
    now = {pin.pin: pin for pin in after.pins}
    rows = [
        f"| P{pin} | {told(was.get(pin))} | {told(now.get(pin))} |"
        for pin in sorted(was | now)
        if was.get(pin) != now.get(pin)
    ]
    if before.meter != after.meter:
        known = before.meter or word("pin_kind", "none")
        rows.append(f"| {word('pin_kind', 'meter')} | {known} | {after.meter} |")
    return "\n".join(rows)


def summary(profile: SocketProfile, word: Words) -> str:
    """Return in a few words what the socket has."""
    parts = [
        f"{len(pins)} × {word('pin_kind', kind)}"
        if len(pins) > 1
        else word("pin_kind", kind)
        for kind, pins in (
            ("relay", profile.relays),
            ("button", profile.buttons),
            ("input", profile.inputs),
            ("led", profile.leds),
            ("wifi_led", profile.wifi_leds),
        )
        if pins
    ]
    if profile.has_meter:
        parts.append(word("pin_kind", "meter"))
    return ", ".join(parts)


def notes(reading: PinReading, word: Words) -> str:
    """Return what is doubtful about the pins, as a Markdown list; empty where nothing is."""
    lines = [
        f"P{conflict.pin}: {word('pin_warning', 'conflict')} "
        f"({', '.join(use.assignment.role.firmware_name for use in conflict.dropped)})"
        for conflict in reading.conflicts
    ]
    for warning in reading.warnings:
        text = word("pin_warning", warning.kind)
        if warning.kind in _OF_THE_SOCKET and warning.pin is None:
            lines.append(f"{text[0].upper()}{text[1:]}.")
            continue
        about = f"P{warning.pin}" if warning.pin is not None else ""
        if warning.kind in _NAMED_USES or not about:
            about = f"{about} {markdown_text(warning.key)}".strip()
        lines.append(f"{about}: {text}")
    if any(pin.polarity_guessed for pin in reading.profile.pins):
        lines.append(word("pin_warning", "polarity_guessed"))
    if reading.damage:
        kinds = {found.kind for found in reading.damage}
        older = kinds == {ProblemKind.OLDER_COPY_USED}
        lines.append(word("pin_warning", "older_copy" if older else "damaged_store"))
    return "\n".join(f"- {line}" for line in lines)


def template_notes(template: DeviceTemplate, word: Words) -> str:
    """Return what is left out of a template and why, as a Markdown list."""
    return "\n".join(
        f"- {markdown_text(note.about)}: {word('pin_warning', note.kind)}"
        for note in template.notes
    )


def without_entity(profile: SocketProfile, word: Words) -> str:
    """Return what Home Assistant will have nothing of, as a Markdown list."""
    return "\n".join(
        f"- P{pin.pin} {markdown_text(pin.role.firmware_name)}: "
        f"{word('pin_warning', 'without_entity')}"
        for pin in profile.without_entity
    )


def _rows(profile: SocketProfile, word: Words) -> Iterator[str]:
    kinds = [kind for _, kind in _KINDS]
    for pin in sorted(
        profile.pins, key=lambda pin: (*kinds, "other").index(kind_of(pin.role))
    ):
        purpose = word("pin_kind", kind_of(pin.role))
        if pin.polarity_guessed:
            purpose += f" ({word('pin_kind', 'guessed')})"
        channel = str(pin.channel) if pin.role.has_channel else ""
        yield f"| P{pin.pin} | {purpose} | {pin.role.firmware_name} | {channel} |"


def schema(highest: int) -> probatio.Schema:
    """Return the form in which the pins 0 to ``highest`` are chosen by hand."""
    pins = SelectSelector(
        SelectSelectorConfig(
            options=[f"P{pin}" for pin in range(highest + 1)],
            mode=SelectSelectorMode.DROPDOWN,
        )
    )
    return probatio.Schema(
        dict(_fields(_MAIN, pins))
        | {
            probatio.Required(CONF_METER): section(
                probatio.Schema(dict(_fields(_METER, pins))), {"collapsed": False}
            ),
            probatio.Required(CONF_MORE): section(
                probatio.Schema(
                    {
                        probatio.Optional(CONF_OTHERS): TextSelector(
                            TextSelectorConfig(multiline=True)
                        )
                    }
                ),
                {"collapsed": True},
            ),
        }
    )


def _fields(slots: Iterable[Slot], pins: SelectSelector) -> Iterator[tuple[Any, Any]]:
    for slot in slots:
        yield probatio.Optional(slot.key), pins
        if slot.inverted is not None:
            yield (
                probatio.Required(slot.key + _INVERTED, default=False),
                BooleanSelector(),
            )


def to_form(profile: SocketProfile) -> dict[str, Any]:
    """Return the values with which the form shows a profile."""
    left = list(profile.pins)
    values = _fill(_MAIN, left)
    values[CONF_METER] = _fill(_METER, left)
    values[CONF_MORE] = {CONF_OTHERS: "\n".join(_line(pin) for pin in left)}
    return values


def _fill(slots: Iterable[Slot], left: list[PinAssignment]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for slot in slots:
        pin = next(
            (
                pin
                for pin in left
                if pin.role in slot.roles and pin.channel in (slot.channel, 0)
            ),
            None,
        )
        if pin is not None:
            left.remove(pin)
            values[slot.key] = f"P{pin.pin}"
        if slot.inverted is not None:
            values[slot.key + _INVERTED] = pin is not None and pin.role is slot.inverted
    return values


def _line(pin: PinAssignment) -> str:
    return f"P{pin.pin} {pin.role.firmware_name} {_channels(pin)}"


def _channels(pin: PinAssignment) -> str:
    return f"{pin.channel} {pin.channel2}" if pin.channel2 else str(pin.channel)


def from_form(
    values: Mapping[str, Any], before: SocketProfile | None, highest: int
) -> SocketProfile:
    """Return the profile that a filled form stands for; raises LineError.

    What the form does not ask for is as it was.
    """
    pins = [
        *_chosen(_MAIN, values),
        *_chosen(_METER, values[CONF_METER]),
        *read_lines(values[CONF_MORE].get(CONF_OTHERS) or "", highest),
    ]
    if before is None:
        return SocketProfile.of(pins)
    return before.with_pins(pins)


def _chosen(
    slots: Iterable[Slot], values: Mapping[str, Any]
) -> Iterator[PinAssignment]:
    for slot in slots:
        if (name := values.get(slot.key)) is None:
            continue
        inverted = slot.inverted if values.get(slot.key + _INVERTED) else None
        yield PinAssignment(
            pin=int(name.removeprefix("P")),
            role=inverted or slot.role,
            channel=slot.channel,
        )


def read_lines(text: str, highest: int) -> Iterator[PinAssignment]:
    """Yield the pins of a text with one on each line, such as P9 Rel 2; raises LineError.

    ``highest`` is the last that there is.
    """
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _LINE.fullmatch(line)
        role = role_from_name(match["role"]) if match else None
        if match is None or role is None or role is PinRole.NONE:
            raise LineError(line)
        pin, channel = int(match["pin"]), int(match["channel"] or 0)
        channel2 = int(match["channel2"] or 0)
        if pin > highest or max(channel, channel2) > HIGHEST_CHANNEL:
            raise LineError(line)
        yield PinAssignment(pin=pin, role=role, channel=channel, channel2=channel2)
