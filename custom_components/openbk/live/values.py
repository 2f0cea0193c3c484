"""The values of one socket: where each comes from, and those that are calculated from others."""

from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..network.addresses import told_address
from ..pyopenbk.metering.load import LoadSplit, LoadTriangle
from ..pyopenbk.obk import messages
from ..pyopenbk.obk.messages import Value
from ..pyopenbk.quantities import (
    APPARENT_POWER,
    CALIBRATED,
    CURRENT,
    ENERGY,
    METER,
    POWER,
    POWER_FACTOR,
    REACTIVE_POWER,
    VOLTAGE,
)
from .calibration import SocketCalibration
from .clock import SocketClock
from .meter import COUNTERS, PAST, SocketMeter
from .presence import Presence
from .sources import (
    Channel,
    Computed,
    DailyEnergy,
    Energy,
    Event,
    Power,
    Reading,
    Source,
    Topic,
)

_COMPUTED: Final = frozenset(item.key for item in METER if item.computed)
_ASKED_FOR: Final = frozenset({*CALIBRATED, ENERGY.key})
_NEED_CLOCK: Final = frozenset(item.key for item in METER if item.needs_clock)


class SocketValues:
    """What one socket said last, by the key of the value."""

    def __init__(
        self,
        hass: HomeAssistant,
        presence: Presence,
        calibration: SocketCalibration,
        clock: SocketClock,
        meter: SocketMeter,
    ) -> None:
        """Begin without any; each is made when somebody asks for it."""
        self.sources: dict[str, Source] = {}
        self._hass = hass
        self._presence = presence
        self._calibration = calibration
        self._clock = clock
        self._meter = meter
        self._triangle: LoadTriangle | None = None
        self._listens_again = False

    def source(self, key: str) -> Source:
        """Return where the value of a key comes from."""
        if (source := self.sources.get(key)) is None:
            source = self.sources[key] = self._make_source(key)
        return source

    def topics(self) -> Iterator[tuple[str, Topic]]:
        """Yield what has a topic of its own, with its key."""
        for key, source in self.sources.items():
            if isinstance(source, Topic):
                yield key, source

    def channels(self) -> Iterator[tuple[int, Channel]]:
        """Yield the channels that somebody wants to know of, with their numbers."""
        for key, source in self.sources.items():
            if isinstance(source, Channel):
                channel = messages.channel_of(key)
                assert channel is not None
                yield channel, source

    @property
    def needs_clock(self) -> bool:
        """Return whether somebody wants to know of a value that means nothing without the time."""
        return any(self.is_wanted(key) for key in _NEED_CLOCK)

    def is_wanted(self, key: str) -> bool:
        """Return whether somebody wants to know of a value."""
        return bool((source := self.sources.get(key)) and source.listeners)

    @property
    def lack_of_list(self) -> bool:
        """Return whether something is missing that the socket says in its list only."""
        return any(
            source.listeners and source.value is None
            for key, source in self.topics()
            if not messages.topic_of(key).endswith("/get")
        )

    @property
    def lack_of_readings(self) -> bool:
        """Return whether somebody waits for a reading that the socket has not said yet."""
        return any(
            source.listeners and source.text is None
            for key, source in self.topics()
            if key in _ASKED_FOR
        )

    @property
    def refused(self) -> dict[str, int]:
        """Return how many payloads cannot have been true, by the key that they were meant for."""
        return {
            key: item.refused for key, item in sorted(self.topics()) if item.refused
        }

    def timing(self, now: float) -> dict[str, dict[str, float | None]]:
        """Return how long ago each topic was heard and after what time, in seconds, by its key.

        ``now`` is the monotonic clock; topics that were never heard are left out, and so
        are those of buttons, which say nothing but what happened.
        """
        return {
            key: {
                "age": round(now - item.heard_at, 1),
                "interval": None if item.interval is None else round(item.interval, 1),
            }
            for key, item in sorted(self.topics())
            if item.heard_at is not None
        }

    @callback
    def lose(self) -> None:
        """Forget everything; nothing of it can be known to be true now."""
        self._clear_triangle()
        for source in self.sources.values():
            source.lose()

    @callback
    def lose_days(self) -> None:
        """Forget what means nothing without the time."""
        for key in _NEED_CLOCK:
            if (source := self.sources.get(key)) is not None:
                source.lose()

    @callback
    def correct_again(self) -> None:
        """Tell the last values again, as they are corrected now."""
        self._clear_triangle()
        for source in self._corrected():
            source.show_again()

    @callback
    def expect_new_readings(self) -> None:
        """Drop what the socket said with factors that it no longer has."""
        for source in self._corrected():
            source.text = None

    @callback
    def read_energy_again(self) -> None:
        """Take the next number of each energy, also one that was read already."""
        for key, source in self.topics():
            if key in COUNTERS or key in PAST:
                source.text = None

    def _corrected(self) -> Iterator[Topic]:
        for key, source in self.topics():
            if key in CALIBRATED or key in PAST:
                yield source

    def _make_source(self, key: str) -> Source:
        presence = self._presence
        if key in _COMPUTED:
            self._compute()
            return Computed()
        if messages.channel_of(key) is not None:
            return Channel(presence)
        if key.startswith(messages.BUTTON_TOPIC):
            return Event(presence, messages.decode_gesture)
        if key == "ip":
            return Topic(presence, partial(told_address, self._hass))
        if key == POWER.key:
            return Power(presence, self._calibration, self._meter)
        if key in CALIBRATED:
            return Reading(presence, key, self._calibration)
        if key in _NEED_CLOCK:
            return DailyEnergy(presence, key, self._meter, self._clock)
        if key in COUNTERS or key in PAST:
            return Energy(presence, key, self._meter)
        return Topic(presence, messages.decoder_of(key))

    def _compute(self) -> None:
        """Start to combine voltage, current and power, once."""
        if self._triangle is None:
            self._triangle = LoadTriangle()
            self.source(VOLTAGE.key).add(self._voltage_changed)
            self.source(CURRENT.key).add(self._current_changed)
            self.source(POWER.key).add(self._power_changed)

    def _clear_triangle(self) -> None:
        if self._triangle is not None:
            self._triangle.clear()

    def _voltage_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_voltage(value))

    def _current_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_current(value, monotonic()))

    def _power_changed(self, value: float | None) -> None:
        if self._triangle is not None and value is not None:
            self._split(self._triangle.set_power(value, monotonic()))

    def _listen_again(self, wanted: bool) -> None:
        """Take samples that say the same again, while those before may be of another load."""
        if wanted is self._listens_again:
            return
        self._listens_again = wanted
        for key, taken in (
            (CURRENT.key, self._current_changed),
            (POWER.key, self._power_changed),
        ):
            if isinstance(source := self.sources.get(key), Reading):
                source.again = taken if wanted else None

    def _split(self, split: LoadSplit | None) -> None:
        self._listen_again(split is None)
        if split is None:
            return
        shown: dict[str, Value | None] = {
            APPARENT_POWER.key: split.apparent_power,
            REACTIVE_POWER.key: split.reactive_power,
            POWER_FACTOR.key: split.power_factor,
        }
        for key, value in shown.items():
            if isinstance(source := self.sources.get(key), Computed):
                source.take(value)
