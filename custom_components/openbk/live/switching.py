"""Who switched a relay last: Home Assistant, the button of the socket, or somebody else."""

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

from ..helpers import Listeners
from .presence import Later

# The socket says a new state and the press behind it within a second, in either order.
_TOGETHER: Final = 2.0
# What Home Assistant asked for is said within this time, or somebody else did it.
_OBEYED_WITHIN: Final = 10.0
_ASKED_AT_ONCE: Final = 8

type Now = Callable[[], float]


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
        self.listeners: Listeners[[SwitchedBy, int, bool]] = Listeners()
        """Are told who switched the relay of which channel, and whether it is on since."""
        self._now = now
        self._later = later
        self._values: dict[int, int] = {}
        self._asked: dict[int, deque[tuple[bool, float]]] = {}
        self._pressed = float("-inf")
        self._open: dict[int, CALLBACK_TYPE] = {}
        """By the channel: what ends the waiting for the press behind a move."""

    @callback
    def ask(self, channel: int, value: int) -> None:
        """Take note that Home Assistant switches; what is so already moves nothing."""
        now, on = self._now(), bool(value)
        asked = self._asked.setdefault(channel, deque(maxlen=_ASKED_AT_ONCE))
        while asked and now - asked[0][1] >= _OBEYED_WITHIN:
            asked.popleft()
        expected = asked[-1][0] if asked else self._values.get(channel)
        if expected is None or bool(expected) is not on:
            asked.append((on, now))

    @callback
    def pressed(self, gesture: object) -> None:
        """Take note of the button; None is no press, but the loss of the socket."""
        if gesture is not None:
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
        on = bool(value)
        moved_before = self._open.pop(channel, None)
        if moved_before is not None:
            moved_before()
        if not self._was_asked(channel, on):
            self._open[channel] = self._later(
                _TOGETHER, partial(self._judge, channel, on)
            )
            return
        if moved_before is not None:
            # Home Assistant was faster than whoever it was would have been known for sure.
            self._judge(channel, not on)
        self._note(SwitchedBy.HOME_ASSISTANT, channel, on)

    def _was_asked(self, channel: int, on: bool) -> bool:
        """Return whether Home Assistant asked for this; what it asked for before that is over."""
        asked = self._asked.get(channel, ())
        for number, (wanted, since) in enumerate(asked):
            if wanted is on and self._now() - since < _OBEYED_WITHIN:
                for _ in range(number + 1):
                    self._asked[channel].popleft()
                return True
        return False

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        while self._open:
            _, stop = self._open.popitem()
            stop()

    def _judge(self, channel: int, on: bool) -> None:
        self._open.pop(channel, None)
        near = self._now() - self._pressed < 2 * _TOGETHER
        self._note(SwitchedBy.BUTTON if near else SwitchedBy.ELSEWHERE, channel, on)

    def _note(self, who: SwitchedBy, channel: int, on: bool) -> None:
        self.last = who
        self.listeners.tell(who, channel, on)
