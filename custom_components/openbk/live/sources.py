"""The values of one socket: what each is made of, and who wants to know of a new one.

There are some twenty thousand of them in a large house, so each is no more than a few slots.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final, override

from homeassistant.components import mqtt
from homeassistant.core import callback

from ..pyopenbk.obk import messages
from ..pyopenbk.obk.messages import Decoder, Value
from ..pyopenbk.quantities import ANY_POWER, POWER
from .calibration import SocketCalibration
from .clock import SocketClock
from .meter import SocketMeter
from .presence import Presence

type Listener = Callable[[Any], None]

# So many seconds apart two handlers say one press.
_AT_ONCE: Final = 0.1


class Source:
    """One key: its last value and those who want to know of a new one."""

    __slots__ = ("listeners", "value")

    def __init__(self) -> None:
        """Start without a value."""
        self.listeners: tuple[Listener, ...] = ()
        self.value: Value | None = None

    def add(self, listener: Listener) -> None:
        """Call a listener from now on with each new value, and with None when it is lost."""
        self.listeners = (*self.listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Call a listener no more."""
        listeners = [*self.listeners]
        listeners.remove(listener)
        self.listeners = tuple(listeners)

    def tell(self, value: Value | None) -> None:
        """Take over a value and call the listeners with it."""
        self.value = value
        for listener in self.listeners:
            listener(value)

    def lose(self) -> None:
        """Forget a value that may be wrong by now."""
        if self.value is not None:
            self.tell(None)


class Computed(Source):
    """A value worked out from others.

    It may be None although the socket is there: without a load there is no power factor.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Start without a result."""
        super().__init__()
        self._known = False

    def take(self, value: Value | None) -> None:
        """Take over a result, if it is a new one."""
        if not self._known or value != self.value:
            self._known = True
            self.tell(value)

    @override
    def lose(self) -> None:
        """Forget a result that may be wrong by now."""
        if self._known:
            self._known = False
            self.tell(None)


class Topic(Source):
    """A key with a topic of its own.

    A text that was received before is dropped unread, and so is a retained one: what the broker
    kept may be older than the last button press. What cannot be true is dropped and counted.
    """

    __slots__ = ("_decode", "_presence", "heard_at", "interval", "refused", "text")

    is_answer: ClassVar[bool] = False
    """Whether it is what a socket is asked for to prove that it is there."""

    def __init__(self, presence: Presence, decode: Decoder) -> None:
        """Read the payloads of the topic with this decoder while the socket is there."""
        super().__init__()
        self._presence = presence
        self._decode = decode
        self.text: str | None = None
        self.refused = 0
        """How many payloads were unreadable, or cannot be true."""
        self.heard_at: float | None = None
        """When the last message came, in seconds of the monotonic clock."""
        self.interval: float | None = None
        """Seconds between the last two messages."""

    def shown(self, value: Value) -> Value | None:
        """Return what is shown for what the socket says, None where that must not be shown."""
        return value

    def show_again(self) -> None:
        """Tell what the last text says now, where that has become something else."""
        if self.text is None or (said := self._decode(self.text)) is None:
            return
        value = self.shown(said)
        if value is not None and value != self.value:
            self.tell(value)

    @callback
    def received(self, message: mqtt.ReceiveMessage) -> None:
        """Take over what a live message says, if it is something new."""
        # Subscribed with an encoding, so it is text.
        text: str = message.payload  # type: ignore[assignment]
        if message.retain:
            return
        if text:
            if self._presence.waits:
                self._presence.spoke(answer=self.is_answer)
            if self.heard_at is not None:
                self.interval = message.timestamp - self.heard_at
            self.heard_at = message.timestamp
        if text == self.text:
            return
        if (said := self._decode(text)) is None:
            # An empty one is a question, which the socket reads on the topic of its answers.
            self.refused += bool(text)
            return
        if not self._presence.heard(answer=self.is_answer):
            return
        if (value := self.shown(said)) is None:
            return
        self.text = text
        if value != self.value:
            self.tell(value)

    @override
    def lose(self) -> None:
        """Forget a value that may be wrong by now; the same text says something new then."""
        self.text = None
        super().lose()


class Channel(Topic):
    """The value of a channel, which can be asked for."""

    __slots__ = ("unanswered",)

    is_answer: ClassVar[bool] = True

    def __init__(self, presence: Presence) -> None:
        """Start without an open question."""
        super().__init__(presence, messages.decode_channel)
        self.unanswered = False

    @callback
    @override
    def received(self, message: mqtt.ReceiveMessage) -> None:
        """Take over an answer; our own question comes back on the same topic."""
        if message.payload and not message.retain:
            # What proved that the socket is there was said before it was asked for this.
            self.unanswered &= not self._presence.online
            super().received(message)


class Event(Topic):
    """A topic whose every live message counts, also one that says the same again.

    But not at once: the firmware keeps a handler that was added twice twice, as after settings were
    optimized, put back and optimized again without a restart (cmd_eventHandlers.c, 1.18.299), and
    then says each press twice. The button itself needs 0.3 s from one press to the next.
    """

    __slots__ = ("_said", "_said_at")

    def __init__(self, presence: Presence, decode: Decoder) -> None:
        """Start without a message."""
        super().__init__(presence, decode)
        self._said = ""
        self._said_at = float("-inf")

    @callback
    @override
    def received(self, message: mqtt.ReceiveMessage) -> None:
        """Pass on what a live message says."""
        if message.retain:
            return
        text = str(message.payload)
        if (value := self._decode(text)) is None:
            self.refused += bool(text)
            return
        since, self._said_at = self._said_at, message.timestamp
        said, self._said = self._said, text
        if not self._presence.heard(answer=False):
            return
        if text == said and message.timestamp - since < _AT_ONCE:
            return
        for listener in self.listeners:
            listener(value)


class Reading(Topic):
    """A quantity that is shown as its calibration corrects it."""

    __slots__ = ("_calibration", "_key", "again")

    def __init__(
        self, presence: Presence, key: str, calibration: SocketCalibration
    ) -> None:
        """Correct the quantity of this key."""
        super().__init__(presence, messages.decoder_of(key))
        self._key = key
        self._calibration = calibration
        self.again: Listener | None = None
        """Wants to know also of a sample that says the same again."""

    @callback
    @override
    def received(self, message: mqtt.ReceiveMessage) -> None:
        """Take over a sample."""
        super().received(message)
        if (
            self.again is not None
            and self.value is not None
            and message.payload == self.text
            and not message.retain
        ):
            self.again(self.value)

    @override
    def shown(self, value: Value) -> Value | None:
        """Return the corrected reading."""
        return self._calibration.correct(self._key, value)


_decode_power: Final = messages.decode_quantity(ANY_POWER)


class Power(Reading):
    """The power, which also tells what the energy counters can have counted."""

    __slots__ = ("_meter",)

    def __init__(
        self, presence: Presence, calibration: SocketCalibration, meter: SocketMeter
    ) -> None:
        """Correct the power, and let the meter know of it as it was measured."""
        super().__init__(presence, POWER.key, calibration)
        self._decode = _decode_power
        self._meter = meter

    @override
    def shown(self, value: Value) -> Value | None:
        """Return the corrected power, None for one that this socket cannot have measured."""
        if not self._meter.lowest_power <= float(value) <= self._meter.highest_power:
            self.refused += 1
            return None
        self._meter.power(float(value))
        return super().shown(value)


class Energy(Topic):
    """An energy, made steady and corrected."""

    __slots__ = ("_key", "_meter")

    def __init__(self, presence: Presence, key: str, meter: SocketMeter) -> None:
        """Follow the quantity of this key."""
        super().__init__(presence, messages.decoder_of(key))
        self._key = key
        self._meter = meter

    @override
    def shown(self, value: Value) -> Value | None:
        """Return the steady, corrected number."""
        return self._meter.energy(self._key, float(value))


class DailyEnergy(Energy):
    """An energy counter of days, which mean nothing while the socket does not have the time.

    The firmware counts days from its start then, or from nowhere.
    """

    __slots__ = ("_clock",)

    def __init__(
        self, presence: Presence, key: str, meter: SocketMeter, clock: SocketClock
    ) -> None:
        """Follow the quantity of this key while the clock is right."""
        super().__init__(presence, key, meter)
        self._clock = clock

    @override
    def shown(self, value: Value) -> Value | None:
        """Return the number, None without the time."""
        return super().shown(value) if self._clock.right else None
