"""Samples a socket's meter for calibration, every second over HTTP or from what MQTT brings."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from math import prod, sqrt
from statistics import fmean, linear_regression, pvariance
from typing import Final, override

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback

from ..const import LOGGER
from ..live.reporting import Reporting
from ..live.state import SocketState
from ..network.consoles import SOCKET_ACCESS, SocketAccess, async_console_of
from ..pyopenbk.metering.series import (
    FROZEN_AFTER,
    Measurement,
    Steadiness,
    SteadySeries,
    is_frozen,
    without_what_is_cut,
)
from ..pyopenbk.metering.session import Method, Sample
from ..pyopenbk.meters import BL0937, Meter
from ..pyopenbk.obk.console import Console, ConsoleError
from ..pyopenbk.obk.messages import decode_number, topic_of
from ..pyopenbk.obk.meter import MeterReading, read_factors, read_meter
from ..pyopenbk.quantities import CALIBRATED, CURRENT, ENERGY, POWER, VOLTAGE

WANTED: Final = 60
"""Seconds of one steady load that make a sample."""

# A lone question may be lost while the socket serves somebody else.
_LOST_IN_A_ROW: Final = 3
# After a load step the first message counts parts of both loads; the right one follows as soon as
# the socket may speak of it again, or so many seconds later.
_STRADDLING: Final = 4.0
# The text of a counter in Wh ends with a mWh, which is 3.6 W for a second, and arrives some 0.1 s
# late or early; one pulse is the rest. Messages come when a value has moved, which favours the
# edges of what it moved between.
_COUNTER_STEP: Final = 3.6
_ARRIVAL: Final = 0.1
_MOVED_SHARE: Final = 0.4
_STEP_RATIO: Final = 0.015


class Sampler(ABC):
    """Collects readings of one steady load; starts over whenever the load changes."""

    method: Method

    def __init__(
        self, access: SocketAccess, keys: Collection[str], wanted: float = WANTED
    ) -> None:
        """Prepare for the quantities that have to be steady, for so many seconds."""
        self._access = access
        self.keys = frozenset(keys)
        self.wanted = wanted
        self.latest: dict[str, float] = {}
        self.moving: str | None = None
        """The quantity whose change made the series start over last."""
        self.restarts = 0

    @property
    @abstractmethod
    def collected(self) -> float:
        """Return the seconds of the present load so far."""

    @property
    def complete(self) -> bool:
        """Return whether the load was steady for long enough."""
        return self.collected >= self.wanted

    @property
    def rare(self) -> bool:
        """Return whether it is not complete though no reading has moved."""
        return not self.complete and not self.restarts

    @abstractmethod
    async def run(self, seconds: float) -> bool:
        """Collect until complete, at most for so long; return whether it is.

        Raises ConsoleError where the socket stopped to answer.
        """

    @abstractmethod
    def sample(self) -> Sample:
        """Return what was collected of the present load, steady or not."""

    def _note_restart(self, key: str) -> None:
        self.moving = key
        self.restarts += 1


class HttpSampler(Sampler):
    """Asks for the readings once in a second."""

    method = Method.HTTP

    def __init__(
        self,
        access: SocketAccess,
        keys: Collection[str],
        wanted: float,
        *,
        console: Console,
        factors: Mapping[str, float],
        meter: Meter = BL0937,
    ) -> None:
        """Prepare to ask a socket that is known to answer, with these factors of its own."""
        super().__init__(access, keys, wanted)
        self.console = console
        self.factors = dict(factors)
        self._series = {
            key: SteadySeries(
                step=meter.steps(factors)[key],
                grain=meter.grains(factors)[key],
                cut=key in meter.cuts,
                wanted=int(wanted),
                alternating=meter.alternates and key != POWER.key,
            )
            for key in CALIBRATED
        }

    @property
    @override
    def collected(self) -> float:
        return float(min(len(self._series[key].readings) for key in self.keys))

    @override
    async def run(self, seconds: float) -> bool:
        moment = self._access.now()
        until = moment + seconds
        lost = 0
        while not self.complete and moment < until:
            try:
                self._add(await read_meter(self.console))
                lost = 0
            except ConsoleError:
                lost += 1
                if lost >= _LOST_IN_A_ROW:
                    raise
            moment = max(moment + 1, self._access.now())
            await self._access.sleep(max(0.0, moment - self._access.now()))
        return self.complete

    async def read(self, count: int) -> list[MeterReading]:
        """Return so many readings of now, which belong to no series; raises ConsoleError."""
        readings = []
        for _ in range(count):
            readings.append(await read_meter(self.console))
            await self.sleep(1)
        return readings

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of the socket's."""
        await self._access.sleep(seconds)

    @override
    def sample(self) -> Sample:
        power = self._series[POWER.key].readings
        apparent = None
        if power:
            apparent = fmean(self._series[VOLTAGE.key].readings) * fmean(
                self._series[CURRENT.key].readings
            )
        return Sample(
            method=self.method,
            seconds=self.collected,
            measurements={
                key: series.measure()
                for key, series in self._series.items()
                if series.readings
            },
            steady=self.complete,
            rare=self.rare,
            frozen=is_frozen(power, volt_amperes=apparent),
        )

    def _add(self, reading: MeterReading) -> None:
        restarted = False
        for key, series in self._series.items():
            self.latest[key] = reading[key]
            if series.add(reading[key]) is Steadiness.RESTARTED and key in self.keys:
                self._note_restart(key)
                restarted = True
        if restarted:
            for series in self._series.values():
                series.restart()


class MqttSampler(Sampler):
    """Takes voltage and current as they come, and power from the growth of the energy counter.

    The last digit of a counter in kWh is a whole Wh: then power is taken as it comes, too.
    """

    method = Method.MQTT

    def __init__(
        self,
        access: SocketAccess,
        keys: Collection[str],
        wanted: float,
        *,
        steps: Mapping[str, float],
        cuts: Collection[str] = (),
        reporting: Reporting,
        counts_wh: Callable[[], bool],
    ) -> None:
        """Prepare to listen to a socket that answers no questions.

        ``steps`` are what its readings go up by, in V, A and W, ``cuts`` of which it loses the part
        of a step each time; ``counts_wh`` returns whether its counter is known to be in Wh.
        """
        super().__init__(access, keys, wanted)
        self._steps = steps
        self._cuts = cuts
        self._reporting = reporting
        self._counts_wh = counts_wh
        self._counter: list[tuple[float, float]] = []
        self._values: dict[str, list[tuple[float, float]]] = {
            key: [] for key in CALIBRATED
        }
        self._first = set(self._values)
        """Of these, the first message may count parts of two loads."""
        self._arrived = asyncio.Event()

    @asynccontextmanager
    async def listening(
        self, hass: HomeAssistant, client_id: str
    ) -> AsyncIterator[None]:
        """Listen to the socket within the block."""
        unsubscribe = []
        try:
            for key in (*CALIBRATED, ENERGY.key):

                @callback
                def received(message: mqtt.ReceiveMessage, key: str = key) -> None:
                    number = decode_number(str(message.payload))
                    if number is not None and not message.retain:
                        self._take(key, number, self._access.now())

                unsubscribe.append(
                    await mqtt.async_subscribe(
                        hass, f"{client_id}/{topic_of(key)}", received
                    )
                )
            yield
        finally:
            for stop in unsubscribe:
                stop()

    @property
    @override
    def collected(self) -> float:
        return min(self._span(key) for key in self.keys)

    @override
    async def run(self, seconds: float) -> bool:
        until = self._access.now() + seconds
        while not self.complete and (left := until - self._access.now()) > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(min(left, 1.0) / self._access.speed):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        return self.complete

    @override
    def sample(self) -> Sample:
        measurements = {
            key: measured
            for key in self._values
            if (measured := self._measure(key)) is not None
        }
        return Sample(
            method=self.method,
            seconds=max(0.0, self.collected),
            measurements=measurements,
            steady=self.complete,
            rare=self.rare,
            frozen=self._is_frozen(measurements),
        )

    def _is_frozen(self, measurements: Mapping[str, Measurement]) -> bool:
        """Return whether the power stood still; a socket speaks again when it moves a pulse."""
        shown = [
            measured.mean
            for key in (VOLTAGE.key, CURRENT.key)
            if (measured := measurements.get(key)) is not None
        ]
        apparent = prod(shown) if len(shown) == 2 else None
        power = {value for _, value in self._values[POWER.key]}
        return len(power) == 1 and is_frozen(
            [*power] * FROZEN_AFTER, volt_amperes=apparent
        )

    def _is_counted(self, key: str) -> bool:
        return key == POWER.key and self._counts_wh()

    def _span(self, key: str) -> float:
        if self._is_counted(key):
            points = self._counter
            return points[-1][0] - points[0][0] if len(points) > 1 else 0.0
        points = self._values[key]
        return self._access.now() - points[0][0] if points else 0.0

    @callback
    def _take(self, key: str, number: float, now: float) -> None:
        self.latest[key] = number
        if key == ENERGY.key:
            if self._counts_wh():
                self._count(now, number)
            else:
                self._counter.clear()
        elif key in self._values:
            points = self._values[key]
            if key in self._first and points:
                self._first.discard(key)
                if now - points[0][0] < self._reporting.every + _STRADDLING:
                    points.clear()
            if points and not self._is_counted(key) and self._is_step(key, number):
                self._restart(key)
            points.append((now, number))
        self._arrived.set()

    def _is_step(self, key: str, number: float) -> bool:
        before = fmean(value for _, value in self._values[key])
        allowed = max(2.5 * self._steps[key], 2 * _STEP_RATIO * before)
        return key in self.keys and abs(number - before) > allowed

    def _count(self, now: float, number: float) -> None:
        points = self._counter
        if points and number < points[-1][1]:
            points.clear()
        if len(points) > 1:
            watts, interval = self._watts(points), now - points[-1][0]
            latest = self._watts([points[-1], (now, number)])
            allowed = (
                2 * (_COUNTER_STEP + self._steps[POWER.key]) + 4 * _ARRIVAL * watts
            ) / max(interval, 1.0) + _STEP_RATIO * watts
            if abs(latest - watts) > allowed:
                self._restart(POWER.key)
        points.append((now, number))

    def _restart(self, key: str) -> None:
        self._note_restart(key)
        self._counter.clear()
        self._first = set(self._values)
        for points in self._values.values():
            points.clear()

    def _watts(self, points: list[tuple[float, float]]) -> float:
        (start, first), (end, last) = points[0], points[-1]
        return (last - first) * 3600 / max(end - start, 1.0)

    def _measure(self, key: str) -> Measurement | None:
        counted = self._is_counted(key)
        measured = self._measure_counted() if counted else self._measure_values(key)
        if measured is None or key not in self._cuts:
            return measured
        return without_what_is_cut(measured)

    def _measure_counted(self) -> Measurement | None:
        points = self._counter
        if len(points) < 2:
            return None
        moments = [moment for moment, _ in points]
        slope, _ = linear_regression(moments, [count for _, count in points])
        watts, seconds = slope * 3600, moments[-1] - moments[0]
        step = self._steps[POWER.key]
        counted = sqrt(_COUNTER_STEP**2 + step**2) / 2
        arrival = _ARRIVAL * sqrt(2) * watts
        return Measurement(
            mean=watts,
            uncertainty=sqrt(counted**2 + arrival**2) / seconds,
            count=len(points),
            step=step,
        )

    def _measure_values(self, key: str) -> Measurement | None:
        points = self._values[key]
        if not points:
            return None
        ends = [moment for moment, _ in points[1:]] + [self._access.now()]
        weights = [end - start for (start, _), end in zip(points, ends, strict=True)]
        values = [value for _, value in points]
        mean = fmean(values, weights=weights) if sum(weights) > 0 else fmean(values)
        # By less than the threshold, a reading moves without a word.
        unsaid = _MOVED_SHARE * max(self._steps[key], self._reporting.thresholds[key])
        return Measurement(
            mean=mean,
            uncertainty=sqrt(pvariance(values) / len(values) + unsaid**2),
            count=len(values),
            step=self._steps[key],
            unsaid=unsaid,
        )


@asynccontextmanager
async def open_sampler(
    hass: HomeAssistant,
    socket: SocketState,
    keys: Collection[str],
    wanted: float = WANTED,
) -> AsyncIterator[Sampler]:
    """Yield the best sampler that the socket allows: every second over HTTP, else MQTT."""
    access = hass.data[SOCKET_ACCESS]
    meter = socket.profile.meter_kind
    # What an unknown meter has stored there may be factors or divisors.
    if meter is not None:
        try:
            console = await async_console_of(hass, socket.entry.data)
            await read_meter(console)
            factors = await read_factors(console, meter)
        except ConsoleError as err:
            LOGGER.debug("%s is sampled over MQTT: %s", socket.client_id, err)
        else:
            yield HttpSampler(
                access, keys, wanted, console=console, factors=factors, meter=meter
            )
            return
    assumed = socket.profile.assumed_meter
    sampler = MqttSampler(
        access,
        keys,
        wanted,
        steps=assumed.steps(socket.calibration.factors),
        cuts=assumed.cuts,
        reporting=Reporting.of(socket.entry.options) or Reporting(),
        counts_wh=lambda: socket.meter.in_kwh is False,
    )
    async with sampler.listening(hass, socket.client_id):
        # What rests may be said a minute and a half from now.
        socket.asking.for_readings()
        yield sampler
