"""Event handlers: console commands that wait for something to happen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
import operator
from typing import Final

from .text import leading_int

# By name in lower case. Codes: cmd_public.h, OpenBeken 1.18.300.
_CODES: Final = {
    "onclick": 1,
    "ondblclick": 2,
    "onhold": 3,
    "onholdstart": 4,
    "onchannelchange": 5,
    "voltage": 70,
    "current": 71,
    "power": 72,
    "frequency": 73,
    "energycounter": 74,
    "energy": 74,
    "energycounter_last_hour": 75,
    "ontoggle": 76,
    "onuart": 77,
    "ir_samsung": 78,
    "ir_rc5": 79,
    "ir_rc6": 80,
    "ir_sony": 81,
    "ir_panasonic": 82,
    "ir_samsung_lg": 83,
    "ir_sharp": 84,
    "ir_nec": 85,
    "mqttstate": 86,
    "onrelease": 87,
    "onpress": 88,
    "ledstate": 89,
    "ipchange": 90,
    "wifistate": 91,
    "on3click": 92,
    "on4click": 93,
    "on5click": 94,
    "nopingtime": 95,
    "tuyamcuparsed": 96,
    "ledmode": 97,
    "nomqtttime": 98,
    "onadcbutton": 99,
    "ntpstate": 100,
    "oncustomdown": 101,
    "oncustomup": 102,
    "missedheartbeats": 103,
    "onmqtt": 104,
    "ondp": 105,
    "onhttp": 106,
    "oncmd": 107,
    "ondiscovery": 108,
    "rc": 109,
}
_CHANNEL: Final = "channel"
_FIRST_CHANNEL_CODE: Final = 6
CHANNEL_CHANGE: Final = _CODES["onchannelchange"]

_RELATIONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def event_code(name: str) -> int | None:
    """Return the number of an event, None for one that the firmware does not know."""
    lower = name.casefold()
    if lower.startswith(_CHANNEL):
        return _FIRST_CHANNEL_CODE + leading_int(lower.removeprefix(_CHANNEL))
    if lower[:1].isdigit():
        return leading_int(lower)
    return _CODES.get(lower)


@dataclass(frozen=True, slots=True)
class Handler:
    """What is run when an event happens."""

    code: int
    argument: int
    command: str
    relation: str | None = None
    """Set for one that waits for a value to come into a relation to ``argument``."""

    def fits_change(self, old: int, new: int) -> bool:
        """Return whether a value has just come into the relation."""
        if self.relation is None:
            return False
        fits = _RELATIONS[self.relation]
        return fits(new, self.argument) and not fits(old, self.argument)


class Handlers:
    """The handlers there are, the newest first, as they are run."""

    def __init__(self, channels: Callable[[], Sequence[int]]) -> None:
        """Begin with none; ``channels()`` returns the present values of all channels."""
        self._channels = channels
        self._handlers: list[Handler] = []
        self._seen: list[int] = []

    def __len__(self) -> int:
        """Return how many handlers there are."""
        return len(self._handlers)

    def __iter__(self) -> Iterator[Handler]:
        """Yield the handlers, the newest first."""
        return iter(tuple(self._handlers))

    def add(self, handler: Handler) -> None:
        """Add a handler; those of an event run after all that were added later."""
        self._handlers.insert(0, handler)
        self._seen = list(self._channels())

    def clear(self) -> None:
        """Forget all handlers."""
        self._handlers.clear()

    def of_event(self, code: int, argument: int) -> list[str]:
        """Return the commands that wait for an event with this argument."""
        return [
            handler.command
            for handler in self._handlers
            if (handler.code, handler.argument) == (code, argument)
        ]

    def of_changed_channel(self, channel: int) -> list[str]:
        """Return the commands that wait for the value that a channel has now."""
        if not self._seen:
            return []
        old, self._seen[channel] = self._seen[channel], self._channels()[channel]
        return [
            handler.command
            for handler in self._handlers
            if handler.code == _FIRST_CHANNEL_CODE + channel
            and handler.fits_change(old, self._seen[channel])
        ]


def is_relation(text: str) -> bool:
    """Return whether a change handler may use this relation."""
    return text in _RELATIONS
