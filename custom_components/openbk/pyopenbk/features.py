"""What each feature needs, and so on which chips it works; docs/devices.md is made from this."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from .beken.chips import FLASHABLE, Chip
from .beken.update_slots import UPDATE_SLOTS


class Need(Enum):
    """Something that a feature cannot do without; the value is how to say it."""

    MQTT = "it reports to Home Assistant's broker"
    PAGE = "its web page can be reached"
    ADDRESS = "it is known where the chip keeps its configuration in the flash"
    METER = "the kind of its meter is known"
    UPDATE = "it is known how the chip takes an update"
    LOADER = "its chip is one that is written over UART here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing that can be done with a socket."""

    name: str
    short: str
    """Its name as the head of a column."""
    needs: frozenset[Need]

    def works_on(self, chip: Chip) -> bool:
        """Return whether it can work on a chip, as far as it is the chip that decides."""
        return all(_has(chip, need) for need in self.needs)


FEATURES: Final = (
    Feature(
        name="entities: relays, readings, inputs, button presses; discovery for other programs",
        short="entities",
        needs=frozenset({Need.MQTT}),
    ),
    Feature(
        name="correcting readings in Home Assistant",
        short="calibration",
        needs=frozenset({Need.MQTT}),
    ),
    Feature(
        name="its pins, the names of its relays, improving its settings and taking that back, "
        "what its button and a power cut do",
        short="settings",
        needs=frozenset({Need.MQTT, Need.PAGE}),
    ),
    Feature(
        name="calibrating second by second, and setting the socket's own gain",
        short="own gain",
        needs=frozenset({Need.MQTT, Need.PAGE, Need.ADDRESS, Need.METER}),
    ),
    Feature(
        name="moving it to another broker",
        short="other broker",
        needs=frozenset({Need.PAGE, Need.ADDRESS}),
    ),
    Feature(
        name="updating its firmware from Home Assistant",
        short="updates",
        needs=frozenset({Need.MQTT, Need.PAGE, Need.ADDRESS, Need.UPDATE}),
    ),
    Feature(
        name="flashing it by wire, with a backup before and a way back",
        short="flashing",
        needs=frozenset({Need.LOADER}),
    ),
)


def is_flashed_here(chip: Chip) -> bool:
    """Return whether the wizard writes this chip."""
    return chip in FLASHABLE


def _has(chip: Chip, need: Need) -> bool:
    match need:
        case Need.ADDRESS:
            return chip.config_address is not None
        case Need.UPDATE:
            return chip.name in UPDATE_SLOTS
        case Need.LOADER:
            return is_flashed_here(chip)
        case _:
            return True
