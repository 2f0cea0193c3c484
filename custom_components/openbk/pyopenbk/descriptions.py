"""Pasted descriptions of a socket's pins, whichever project's form they have."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
import json
import re
from typing import Any, Final

from .beken.chips import BK7231N, Chip
from .errors import OpenBekenError
from .obk.templates import DeviceTemplate, read_template
from .pasted_json import load_object
from .profile import SocketProfile
from .tuya.pins import PinReading, profile_from_user_params
from .tuya.reader import TuyaMcuError
from .tuya.summary import SummaryError, read_summary
from .tuya.user_params import parse_user_params

# Under these names the text lies in what tools read out of a dump, and in published device files.
_PARAMETERS: Final = frozenset({"user_param_key", "device_configuration"})
# Such a device has a second controller, which owns the pins.
_SERIAL_LINE: Final = frozenset({"baud_cfg", "uart_adapt_params"})


_PINS: Final = "pins"
_OTHER_BLANKS: Final = re.compile(r"[^\S\r\n\t ]")
# As the source of a page has it, or a text inside of another.
_QUOTED_OTHERWISE: Final = ("&quot;", "&#34;", '\\"')


class DescriptionError(OpenBekenError):
    """The text describes no pins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a text says of a socket's pins: either a template or Tuya's data."""

    profile: SocketProfile
    reading: PinReading | None = None
    """Where it is Tuya's data: what is doubtful about it."""
    template: DeviceTemplate | None = None


def read_description(text: str, chip: Chip = BK7231N) -> Description:
    """Read, for a chip, an OpenBeken template, Tuya's parameters, or the flash tool's summary of them.

    Of Tuya's data the whole of what a tool read out of a dump will do, and so will what is between
    its braces. Raises TemplateError for a template without pins, TuyaMcuError, and DescriptionError
    for any other text.
    """
    # Pages put blanks of their own between words.
    text = _OTHER_BLANKS.sub(" ", text)
    try:
        return _read(text, chip)
    except DescriptionError:
        if not any(quote in text for quote in _QUOTED_OTHERWISE):
            raise
        return _read(unescape(text).replace('\\"', '"'), chip)


def _read(text: str, chip: Chip) -> Description:
    with suppress(ValueError):
        found = _innermost(load_object(text))
        if _PINS in found:
            template = read_template(found, chip)
            return Description(profile=template.profile, template=template)
        if found.keys() & _SERIAL_LINE and not found.keys() & _PARAMETERS:
            raise TuyaMcuError("the text has settings of a serial line instead of pins")
        text = _find_parameters(found)
    reading = _read_tuya(text, chip)
    return Description(profile=reading.profile, reading=reading)


def _innermost(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the only object in there that describes a device, or the whole."""
    inner = [*_descriptions_in(found)]
    return inner[0] if len(inner) == 1 else found


def _descriptions_in(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get(_PINS), dict) or value.keys() & _PARAMETERS:
            yield value
            return
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _descriptions_in(each)


def _find_parameters(found: Mapping[str, Any]) -> str:
    """Return Tuya's text, which may have an object around it."""
    for key in _PARAMETERS:
        match found.get(key):
            case str() as text:
                return text
            case dict() as parameters:
                return json.dumps(parameters)
    return json.dumps(found)


def _read_tuya(text: str, chip: Chip) -> PinReading:
    with suppress(OpenBekenError):
        reading = profile_from_user_params(
            parse_user_params(text[max(text.find("{"), 0) :]), chip=chip
        )
        # What is known as a lamp's, say, is told as that and not as no data at all.
        if reading.profile.pins or reading.warnings or reading.chip:
            return reading
    with suppress(SummaryError):
        return read_summary(text, chip)
    with suppress(OpenBekenError):
        # Whoever marks the lines of a text to copy them may leave its braces out.
        pairs = ",".join(text.splitlines())
        reading = profile_from_user_params(parse_user_params(f"{{{pairs}}}"), chip=chip)
        if reading.profile.pins:
            return reading
    raise DescriptionError("neither a template nor Tuya's data")
