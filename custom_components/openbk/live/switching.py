"""Who switched a relay last: Home Assistant, the button of the socket, or somebody else."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

# The socket says a new state and the press behind it within a second, in either order.
_TOGETHER: Final = 2.0
# What Home Assistant asked for is said within this time, or somebody else did it.
_OBEYED_WITHIN: Final = 10.0

type Now = Callable[[], float]
type Later = Callable[[float, Callable[[], None]], CALLBACK_TYPE]


class SwitchedBy(StrEnum):
    """Who it was."""

    HOME_ASSISTANT = "home_assistant"
    BUTTON = "button"
    ELSEWHERE = "elsewhere"
    """The web page of the socket, another MQTT client, or a program of the socket's own."""


class Switching:
    """Compares what relays do with who was at work just then."""

    def __init__(self, now: Now, later: Later) -> None:
        """Prepare; ``now`` is a steady clock in seconds."""
        self.last: SwitchedBy | None = None
        """None as long as nobody switched anything since Home Assistant started."""
        self.listeners: list[CALLBACK_TYPE] = []
        self._now = now
        self._later = later
        self._values: dict[int, int] = {}
        self._asked: dict[int, float] = {}
        self._pressed = float("-inf")
        self._timer: CALLBACK_TYPE | None = None

    @callback
    def ask(self, channel: int) -> None:
        """Take note that Home Assistant switches."""
        self._asked[channel] = self._now()

    @callback
    def pressed(self, _gesture: object) -> None:
        """Take note of the button."""
        self._pressed = self._now()

    @callback
    def moved(self, channel: int, value: int | None) -> None:
        """Take a value of a relay's channel; the first one after a start or a loss is no switching."""
        if value is None:
            self._values.pop(channel, None)
            return
        before = self._values.get(channel)
        self._values[channel] = value
        if before is None or bool(before) == bool(value):
            return
        asked = self._asked.pop(channel, None)
        if asked is not None and self._now() - asked < _OBEYED_WITHIN:
            self._note(SwitchedBy.HOME_ASSISTANT)
        else:
            self.stop()
            self._timer = self._later(_TOGETHER, self._judge)

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _judge(self) -> None:
        self._timer = None
        near = self._now() - self._pressed < 2 * _TOGETHER
        self._note(SwitchedBy.BUTTON if near else SwitchedBy.ELSEWHERE)

    def _note(self, who: SwitchedBy) -> None:
        self.stop()
        self.last = who
        for listener in self.listeners:
            listener()
