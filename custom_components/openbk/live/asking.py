"""Questions to one socket: for its channels until they are answered, its readings and its list."""

from collections.abc import Callable, Sequence
from typing import Final

from homeassistant.core import CALLBACK_TYPE, callback

from ..pyopenbk.obk import messages
from ..pyopenbk.obk.messages import Publication
from .clock import Send
from .presence import Later
from .values import SocketValues

# How long a socket may take to answer, in seconds, each time it is asked again. The first is
# short: a socket says "online" a moment before its own subscriptions are in place.
_PATIENCE: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# From this question on nobody answers, and what was known is no longer true.
_GIVEN_UP_AFTER: Final = 4
# A socket sends its list for 12 s after it connects. What is missing then has to be asked for.
_LIST_COMPLETE_AFTER: Final = 20.0
# It says its readings by itself up to a minute later. Asked again, as the factors of a calibrated
# socket are read first, which may hold readings back for 5 s, and as it may learn its unit by then.
_READINGS_AFTER: Final = (0.5, 2.0, 6.0)

type Question = Callable[[], Publication | None]
"""Returns what a socket is asked for its readings with, None where it cannot be."""


class Asking:
    """Asks one socket while it is there."""

    def __init__(
        self,
        client_id: str,
        values: SocketValues,
        send: Send,
        later: Later,
        silent: CALLBACK_TYPE,
        readings: Question,
    ) -> None:
        """Prepare for a socket; ``silent`` is called when it answers no more."""
        self._client_id = client_id
        self._values = values
        self._send = send
        self._later = later
        self._silent = silent
        self._readings = readings
        self._asked = 0
        self._ask_timer: CALLBACK_TYPE | None = None
        self._timers: list[CALLBACK_TYPE] = []

    @callback
    def begin(self) -> None:
        """Ask a socket that has just appeared for everything."""
        for _, source in self._values.channels():
            source.unanswered = True
        self._asked = 0
        self._ask()
        self._timers = [self._later(_LIST_COMPLETE_AFTER, self._ask_for_list)]
        if self._values.lack_of_readings:
            self._timers += [
                self._later(seconds, self._ask_for_readings)
                for seconds in _READINGS_AFTER
            ]

    @callback
    def stop(self) -> None:
        """Leave no timer behind."""
        if self._ask_timer is not None:
            self._ask_timer()
            self._ask_timer = None
        while self._timers:
            self._timers.pop()()

    @callback
    def for_channel(self, channel: int) -> None:
        """Ask for a channel that was set.

        A command that changes nothing has no echo, so silence proves nothing.
        """
        for number, source in self._values.channels():
            if number == channel:
                source.unanswered = True
                self._ask_later()

    @callback
    def for_a_sign_of_life(self) -> None:
        """Ask a socket that may not be there, so that one which is answers."""
        channels = [number for number, _ in self._values.channels()]
        self._send(
            self._questions(channels)
            if channels
            else [messages.publish_all(self._client_id)]
        )

    @callback
    def after_command(self, word: str | None) -> None:
        """Ask a socket that was just sent a command, for a word where its firmware can say one."""
        if word is not None:
            self._send([messages.ask_for_word(self._client_id, word)])
            return
        for channel, _ in self._values.channels():
            self._send([messages.ask_channel(self._client_id, channel)])
            return
        self.for_list()

    @callback
    def for_list(self) -> None:
        """Ask for everything that the socket says of itself."""
        self._send([messages.publish_all(self._client_id)])

    @callback
    def _ask(self) -> None:
        """Ask for the channels that did not answer yet, again and again."""
        self._ask_timer = None
        waiting = [item for item in self._values.channels() if item[1].unanswered]
        if not waiting:
            self._asked = 0
            return
        if self._asked >= _GIVEN_UP_AFTER:
            for _, source in waiting:
                source.lose()
        self._send(self._questions([channel for channel, _ in waiting]))
        self._ask_later()
        self._asked += 1
        if self._asked == _GIVEN_UP_AFTER + 1:
            self._silent()

    def _questions(self, channels: Sequence[int]) -> list[Publication]:
        return [messages.ask_channel(self._client_id, channel) for channel in channels]

    def _ask_later(self) -> None:
        if self._ask_timer is None:
            patience = _PATIENCE[min(self._asked, len(_PATIENCE) - 1)]
            self._ask_timer = self._later(patience, self._ask)

    @callback
    def _ask_for_list(self) -> None:
        """Ask for the list of a socket that connected before we listened."""
        if self._values.lack_of_list:
            self.for_list()

    @callback
    def for_readings(self) -> None:
        """Ask for the readings, also those that were said already."""
        if (question := self._readings()) is not None:
            self._send([question])

    @callback
    def _ask_for_readings(self) -> None:
        """Ask for the readings of a socket that has said none yet."""
        if self._values.lack_of_readings:
            self.for_readings()
