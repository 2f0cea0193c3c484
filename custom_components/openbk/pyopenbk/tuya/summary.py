"""The plain words in which OpenBeken's flash tool sums up Tuya's parameters."""

from collections.abc import Iterator
import re
from typing import Final

from ..beken.chips import BK7231N, Chip, chip_of_module
from ..errors import OpenBekenError
from ..profile import HIGHEST_CHANNEL, PinAssignment, SocketProfile
from ..roles import METER_ROLES, PinRole
from .pins import PinReading, PinSource, PinWarning, WarningKind

# "- Relay (channel 1) on P26", "- BL0937 VI (CF1) on P6"
_LINE: Final = re.compile(
    r"[\s*•·-]*(?P<what>[A-Za-z][A-Za-z0-9 ()/+_-]{0,60}?)"
    r"(?:\s*\(channel\s+(?P<channel>\d{1,2})\))?\s+on\s+P(?P<pin>\d{1,2})\b",
    re.IGNORECASE,
)
_MODULE: Final = re.compile(r"\b(CB[A-Z0-9]{1,6}|WB[A-Z0-9]{1,6}|T34)\b")
_LONGEST_TEXT: Final = 16 * 1024
# It says nothing of levels; these are what it writes itself.
_ROLES: Final = {
    "relay": PinRole.REL,
    "button": PinRole.BTN,
    "led": PinRole.LED,
    "wifi led": PinRole.WIFI_LED_N,
    "bl0937 sel": PinRole.BL0937SEL,
    "bl0937 vi (cf1)": PinRole.BL0937CF1,
    "bl0937 ele (cf)": PinRole.BL0937CF,
}


class SummaryError(OpenBekenError):
    """The text is no such summary."""


def read_summary(text: str, chip: Chip = BK7231N) -> PinReading:
    """Read one line for each pin of a chip; a use that is not known is left out with a warning.

    Raises SummaryError where no line names a pin.
    """
    if len(text) > _LONGEST_TEXT:
        raise SummaryError("too long a text")
    warnings: list[PinWarning] = []
    pins = list(_read_lines(text, chip, warnings))
    if not pins:
        raise SummaryError("no pins in the text")
    module = found[1] if (found := _MODULE.search(text)) else None
    return PinReading(
        profile=SocketProfile.of(pins, module),
        source=PinSource.TEXT,
        warnings=tuple(warnings),
        chip=chip_of_module(module) if module else None,
    )


def _read_lines(
    text: str, chip: Chip, warnings: list[PinWarning]
) -> Iterator[PinAssignment]:
    for match in filter(None, map(_LINE.match, text.splitlines())):
        what = " ".join(match["what"].split())
        pin, channel = int(match["pin"]), int(match["channel"] or 0)
        role = _ROLES.get(what.casefold())
        if role is None or pin > chip.highest_pin or channel > HIGHEST_CHANNEL:
            warnings.append(
                PinWarning(kind=WarningKind.PIN_WITHOUT_ROLE, key=what, pin=pin)
            )
            continue
        yield PinAssignment(
            pin=pin,
            role=role,
            channel=channel,
            polarity_guessed=role not in METER_ROLES,
        )
