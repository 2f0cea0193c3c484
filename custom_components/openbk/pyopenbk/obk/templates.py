"""OpenBeken's device templates: JSON as its web application and its forum have it."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import re
from typing import Any, Final

from ..errors import OpenBekenError
from ..profile import HIGHEST_CHANNEL, HIGHEST_PIN, PinAssignment, SocketProfile
from ..roles import role_from_name

_PIN: Final = re.compile(r"\d{1,2}")
_CHANNEL: Final = re.compile(r"\s*(\d{1,2})?\s*")


class TemplateError(OpenBekenError):
    """The text is no template of a device."""


class UnknownRoleError(TemplateError):
    """A pin has a role that OpenBeken does not know."""

    def __init__(self, pin: int, role: str) -> None:
        """Keep the pin and what the template calls its role."""
        super().__init__(f"P{pin} is {role}, which is no role")
        self.pin = pin
        self.role = role


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTemplate:
    """A template: the pins, and what else it says of its device."""

    profile: SocketProfile
    chip: str | None
    name: str | None


def parse_template(text: str) -> DeviceTemplate:
    """Read a template; text around its outermost braces does not count.

    Forgives what the published ones have: other spellings of roles, blanks, missing channels,
    channels at roles that take none. Raises a TemplateError.
    """
    try:
        template = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError) as err:
        raise TemplateError("the text is not JSON") from err
    pins = template.get("pins")
    if not isinstance(pins, dict) or not pins:
        raise TemplateError("the text has no pins")
    return DeviceTemplate(
        profile=SocketProfile.of(
            (_read_pin(pin, use) for pin, use in pins.items()), _text(template, "board")
        ),
        chip=_text(template, "chip"),
        name=_text(template, "name"),
    )


def _read_pin(pin: str, use: object) -> PinAssignment:
    """Read one pin, such as ``"26": "Rel;1"``."""
    if not _PIN.fullmatch(pin) or int(pin) > HIGHEST_PIN or not isinstance(use, str):
        raise TemplateError(f"{pin[:16]!r} is not a pin of this chip")
    name, *numbers = use.split(";")
    if (role := role_from_name(name)) is None:
        raise UnknownRoleError(int(pin), name.strip()[:32])
    channels = [0, 0]
    if role.has_channel:
        for place, number in enumerate(numbers[:2]):
            channels[place] = _read_channel(pin, number)
    return PinAssignment(
        pin=int(pin), role=role, channel=channels[0], channel2=channels[1]
    )


def _read_channel(pin: str, number: str) -> int:
    if not (match := _CHANNEL.fullmatch(number)):
        raise TemplateError(f"P{pin} is on a channel that is no number")
    channel = int(match[1] or 0)
    if channel > HIGHEST_CHANNEL:
        raise TemplateError(f"P{pin} is on channel {channel}, the last is 63")
    return channel


def _text(template: Mapping[str, Any], key: str) -> str | None:
    value = template.get(key)
    return value.strip() or None if isinstance(value, str) else None
