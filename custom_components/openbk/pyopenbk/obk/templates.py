"""OpenBeken's device templates: JSON as its web application and its forum have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import json
import re
from typing import Any, Final

from ..beken.chips import BK7231N, Chip
from ..errors import OpenBekenError
from ..foreign_text import one_line
from ..pasted_json import JsonObject, load_object
from ..profile import HIGHEST_CHANNEL, PinAssignment, SocketProfile
from ..roles import role_from_name
from .flags import UNWANTED_FLAGS
from .startup import LONGEST_STARTUP_COMMAND, meter_of

_PIN: Final = re.compile(r"\d{1,2}", re.ASCII)
_CHANNEL: Final = re.compile(r"\s*(\d{1,2})?\s*")
_LONGEST_SHOWN: Final = 32
# The firmware's flags end at 51 (OpenBeken 1.18.300).
_FLAGS: Final = (1 << 52) - 1
_UNWANTED: Final = sum(flag.mask for flag in UNWANTED_FLAGS)
_FLAG_WORD: Final = re.compile(r"\d{1,19}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Commands that set somebody else's network, broker or login.
_ACCESS: Final = re.compile(r"passw|ssid|mqtt(?:host|user|client)|psk", re.IGNORECASE)


class TemplateError(OpenBekenError):
    """The text is no template of a device."""


class NoteKind(StrEnum):
    """What somebody should know of a template before its pins are used."""

    UNKNOWN_ROLE = "unknown_role"
    """The pin has a role that OpenBeken on this chip does not have; it was left out."""
    NO_PIN = "no_pin"
    """The chip has no such pin, or what it does is not to be read; it was left out."""
    BAD_CHANNEL = "bad_channel"
    """The pin is on a channel that does not exist; it was left out."""
    NAMED_TWICE = "named_twice"
    """It has more than one use, of which the last one was taken."""
    OTHER_CHIP = "template_chip"
    """The template is for another chip."""
    ODD_MODULE = "odd_module"
    """The name of the module is none; it was left out."""
    ODD_COMMAND = "odd_command"
    """The start-up command is too long, unprintable, or sets a login; it was left out."""
    ODD_FLAGS = "odd_flags"
    """The flags are no number; they were left out."""
    UNWANTED_FLAGS = "unwanted_flags"
    """Some of the flags would keep Home Assistant from hearing the socket; they were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateNote:
    """One thing to know: its kind, the pin or the text that it is about."""

    kind: NoteKind
    about: str = ""
    """Foreign text of at most 32 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTemplate:
    """A template: the pins, and what else it says of its device."""

    profile: SocketProfile
    chip: str | None
    name: str | None = None
    """What its author calls the device, in one short line."""
    command: str = ""
    """What the device runs at each boot: a program of whoever made the template."""
    flags: int = 0
    """The flags that it sets, as a word of 64 bits, without those that nobody wants here."""
    notes: tuple[TemplateNote, ...] = ()


def parse_template(text: str, chip: Chip = BK7231N) -> DeviceTemplate:
    """Read a template for a chip; text around its outermost braces does not count.

    Forgives what the published and the pasted ones have: other spellings of roles, blanks, missing
    channels, channels at roles that take none, comments, commas too many, typographic quotes. What
    cannot be read is left out with a note. Raises a TemplateError where no pin is left.
    """
    try:
        template = load_object(text)
    except ValueError as err:
        raise TemplateError("the text is not JSON") from err
    return read_template(template, chip)


def read_template(template: Mapping[str, Any], chip: Chip = BK7231N) -> DeviceTemplate:
    """Read a template out of its JSON; raises a TemplateError where it has no pins."""
    pins = template.get("pins")
    if not isinstance(pins, dict) or not pins:
        raise TemplateError("the text has no pins")
    notes = [
        _note(NoteKind.NAMED_TWICE, name)
        for part in (template, pins)
        if isinstance(part, JsonObject)
        for name in part.repeated
        if part is pins or name == "pins"
    ]
    read = [
        pin for name, use in pins.items() if (pin := _read_pin(name, use, chip, notes))
    ]
    if not read:
        raise TemplateError("none of the pins can be read")
    profile = SocketProfile.of(read, _text(template, "board"))
    if _text(template, "board") and profile.module is None:
        notes.append(_note(NoteKind.ODD_MODULE, _text(template, "board")))
    named = _text(template, "chip")
    if named is not None and named.upper() != chip.name:
        notes.append(_note(NoteKind.OTHER_CHIP, named))
    command = _read_command(template.get("command"), notes)
    if (started := meter_of(command)) is not None:
        profile = profile.with_meter(*started)
    return DeviceTemplate(
        profile=profile,
        chip=named,
        name=one_line(name) if (name := _text(template, "name")) else None,
        command=command,
        flags=_read_flags(template.get("flags"), notes),
        notes=tuple(notes),
    )


def _read_pin(
    name: str, use: object, chip: Chip, notes: list[TemplateNote]
) -> PinAssignment | None:
    """Read one pin, such as ``"26": "Rel;1"``."""
    has_pin = _PIN.fullmatch(name) and int(name) <= chip.highest_pin
    if not has_pin or not isinstance(use, str):
        notes.append(_note(NoteKind.NO_PIN, name))
        return None
    pin = int(name)
    role_name, *numbers = use.split(";")
    if (role := role_from_name(role_name)) is None:
        notes.append(_note(NoteKind.UNKNOWN_ROLE, f"P{pin} {role_name.strip()}"))
        return None
    channels = [0, 0]
    if role.has_channel:
        for place, number in enumerate(numbers[:2]):
            match = _CHANNEL.fullmatch(number)
            channel = int(match[1] or 0) if match else HIGHEST_CHANNEL + 1
            if channel > HIGHEST_CHANNEL:
                notes.append(_note(NoteKind.BAD_CHANNEL, f"P{pin} {use.strip()}"))
                return None
            channels[place] = channel
    return PinAssignment(pin=pin, role=role, channel=channels[0], channel2=channels[1])


def _read_command(command: object, notes: list[TemplateNote]) -> str:
    if command is None or command == "":
        return ""
    text = command if isinstance(command, str) else json.dumps(command)
    text = text.replace("\r\n", "\n").strip()
    size = len(text.encode(errors="replace"))
    if (
        not isinstance(command, str)
        or size > LONGEST_STARTUP_COMMAND
        or text.encode(errors="replace").decode() != text
        or _UNPRINTABLE.search(text)
        or _ACCESS.search(text)
    ):
        notes.append(_note(NoteKind.ODD_COMMAND, text))
        return ""
    return text


def _read_flags(flags: object, notes: list[TemplateNote]) -> int:
    """Return the flags of a word that is written as a number or as its digits."""
    if flags is None or flags == "":
        return 0
    text = str(flags).strip() if isinstance(flags, str | int) else ""
    if isinstance(flags, bool) or not _FLAG_WORD.fullmatch(text):
        notes.append(_note(NoteKind.ODD_FLAGS, str(flags)[:_LONGEST_SHOWN]))
        return 0
    word = int(text) & _FLAGS
    if unwanted := word & _UNWANTED:
        notes.append(
            _note(NoteKind.UNWANTED_FLAGS, ", ".join(map(str, bits(unwanted))))
        )
    return word & ~_UNWANTED


def bits(flags: int) -> list[int]:
    """Return the numbers of the flags that are set in a word."""
    return [number for number in range(flags.bit_length()) if flags >> number & 1]


def _note(kind: NoteKind, about: str | None) -> TemplateNote:
    return TemplateNote(kind=kind, about=(about or "")[:_LONGEST_SHOWN])


def _text(template: Mapping[str, Any], key: str) -> str | None:
    value = template.get(key)
    return value.strip() or None if isinstance(value, str) else None
