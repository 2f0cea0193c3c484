"""The firmware's BL0937 driver: pulses to readings, readings to messages."""

from collections.abc import Callable
from dataclasses import dataclass, field
import json
from math import sqrt
from random import Random
import struct
from typing import Final

from custom_components.openbk.pyopenbk.roles import PinRole
from simulator.meter import AMPERES_PER_HERTZ, VOLTS_PER_HERTZ, WATTS_PER_HERTZ, Bl0937

from .device_clock import DeviceClock
from .pins import Pins
from .release import Release
from .settings import Flag, Settings
from .variables import StoredEnergy, Variables

_TICK_MS: Final = 2
"""A tick of the RTOS: the finest that elapsed time is measured in."""
_SAVE_SECONDS: Final = 6 * 3600
_DEFAULT_POWER_MAX: Final = 3680.0
_LOWEST_FACTOR: Final = 0.001

type Publish = Callable[[str, str, int], None]
"""Publish ``(name, text, qos)`` below the socket's own topic."""


def single(value: float) -> float:
    """Round to single precision, which the firmware reckons with."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded


def cut(value: float, decimals: int) -> str:
    """Return a number as published: six decimals printed, then cut off, not rounded."""
    text = f"{value:.6f}"
    return text[: text.index(".") + 1 + decimals] if decimals else f"{int(value)}"


@dataclass(slots=True)
class Sensor:
    """A quantity and how it was last published."""

    topic: str
    name: str
    unit: str
    device_class: str
    suffix: str
    """End of its unique id in Home Assistant's discovery."""
    decimals: int
    threshold: float
    reading: float = 0.0
    sent: float = 0.0
    silent: int = field(default=0)
    """Evaluations since the last message."""


def _sensors() -> dict[str, Sensor]:
    rows = (
        ("voltage", "Voltage", "V", "voltage", "0", 1, 0.25),
        ("current", "Current", "A", "current", "1", 3, 0.002),
        ("power", "Power", "W", "power", "2", 2, 0.25),
        ("power_apparent", "Apparent Power", "VA", "apparent_power", "9", 2, 0.25),
        ("power_reactive", "Reactive Power", "var", "reactive_power", "10", 2, 0.25),
        ("power_factor", "Power Factor", "", "power_factor", "11", 2, 0.05),
        ("energycounter", "Energy Total", "Wh", "energy", "3", 3, 0.1),
        (LAST_HOUR, "Energy Last Hour", "Wh", "energy", "4", 3, 0.1),
        ("energycounter_today", "Energy Today", "Wh", "energy", "7", 3, 0.1),
        ("energycounter_yesterday", "Energy Yesterday", "Wh", "energy", "6", 3, 0.1),
        ("energycounter_2_days_ago", "Energy 2 Days Ago", "Wh", "energy", "12", 3, 0.1),
        ("energycounter_3_days_ago", "Energy 3 Days Ago", "Wh", "energy", "13", 3, 0.1),
        (CLEAR_DATE, "Energy Clear Date", "", "timestamp", "8", 0, 86400),
    )
    return {row[0]: Sensor(*row) for row in rows}


LAST_HOUR: Final = "energycounter_last_hour"
CLEAR_DATE: Final = "energycounter_clear_date"
DERIVED_POWER: Final = frozenset({"power_apparent", "power_reactive", "power_factor"})
DAILY: Final = (
    "energycounter_today",
    "energycounter_yesterday",
    "energycounter_2_days_ago",
    "energycounter_3_days_ago",
)
_OLDER_DAYS: Final = frozenset(DAILY[2:])
_STORED: Final = ("energycounter", *DAILY)


@dataclass(slots=True)
class _Statistics:
    """What SetupEnergyStats switches on."""

    interval: int
    samples: list[float]
    as_json: bool
    stamp: float
    index: int = 0


class EnergyDriver:
    """Counts for a second, scales, derives, integrates and publishes."""

    def __init__(
        self,
        *,
        meter: Bl0937,
        settings: Settings,
        variables: Variables,
        pins: Pins,
        device_clock: DeviceClock,
        release: Release,
        publish: Publish,
        now: float,
        jitter: float,
        seed: int,
    ) -> None:
        """Start the driver at the simulated moment ``now``.

        ``jitter`` is the standard deviation of a window's length in seconds.
        """
        self._meter = meter
        self._settings = settings
        self._variables = variables
        self._pins = pins
        self._clock = device_clock
        self._release = release
        self._publish = publish
        self._jitter = jitter
        self._random = Random(seed)
        self.sensors = _sensors()
        if not release.derives_power:
            for topic in DERIVED_POWER | _OLDER_DAYS:
                del self.sensors[topic]
        self.quiet_evaluations = 5
        self.forced_evaluations = 60
        self.save_threshold = 10.0
        self.messages_sent = 0
        self.messages_skipped = 0
        self._select_high = True
        self._window_start = now
        self._energy_stamp = now
        self._save_stamp = now
        self._pulses = [0, 0, 0]
        self._last_valid_power = 0.0
        self._statistics: _Statistics | None = None
        self._restore()

    @property
    def select_level(self) -> bool:
        """Return the level on the pin SEL."""
        return self._select_high

    def reading(self, topic: str) -> float:
        """Return the latest value of a quantity in single precision; 0 without it."""
        sensor = self.sensors.get(topic)
        return single(sensor.reading) if sensor else 0.0

    def every_second(self, now: float, *, uptime: int, online: bool) -> None:
        """Read, integrate and publish; ``now`` in simulated seconds."""
        voltage, current, power = self._read(now)
        if not self._settings.has_flag(Flag.ALLOW_NEGATIVE_POWER):
            voltage, current, power = max(0, voltage), max(0, current), max(0, power)
        if (
            self._settings.has_flag(Flag.ZERO_POWER_WHEN_OPEN)
            and self._pins.all_relays_open()
        ):
            current = power = 0.0
        self._store(voltage, current, power)
        energy = power * (now - self._energy_stamp) / 3600
        self._energy_stamp = now
        self._add(energy)
        self._follow_days(now)
        self._sample(now, energy, uptime=uptime, online=online)
        for sensor in self.sensors.values():
            self._evaluate(sensor, online=online)
        stored = self._variables.energy
        if (
            self._total.reading - stored.counters[0] >= self.save_threshold
            or now - self._save_stamp >= _SAVE_SECONDS
        ):
            self.save(now)

    def calibrate(self, index: int, true: float) -> bool:
        """Set the factor of voltage (0), current (1) or power (2) by a true value.

        From the last window's pulse count, whatever its length. Returns whether that gave
        a factor: no pulses, no factor.
        """
        pulses = self._pulses[index]
        factor = single(single(true) / pulses) if pulses else 0.0
        if abs(factor) < _LOWEST_FACTOR:
            return False
        self._settings.change_entry("calibration", index, factor)
        return True

    def set_power_max(self, watts: float) -> None:
        """Set the power above which a reading counts as a fault; 200 to 7200 W only."""
        if 200 < watts < 7200:
            self._settings.change_entry("calibration", 3, single(watts))

    def reset(self, total: float | None, now: float) -> None:
        """Begin to count anew, or set the total alone to so many Wh."""
        self._energy_stamp = now
        if total is not None:
            self._total.reading = total
        else:
            self._total.reading = 0.0
            for topic in DAILY:
                if topic in self.sensors:
                    self.sensors[topic].reading = 0.0
            if self._statistics:
                self._statistics.samples = [0.0] * len(self._statistics.samples)
                self._statistics.index = 0
                self._statistics.stamp = now
        self._variables.energy.cleared_at = self._clock.local
        self.save(now)

    def set_up_statistics(
        self, interval: int, count: int, *, as_json: bool, now: float
    ) -> None:
        """Sum the last ``count`` samples of ``interval`` seconds as the last hour."""
        interval = min(max(interval, 10), 900)
        samples = [0.0] * min(max(count, 10), 180)
        self._statistics = _Statistics(interval, samples, as_json, now)

    def stop_statistics(self) -> None:
        """Forget the samples; the last sum stays."""
        self._statistics = None

    def save(self, now: float) -> None:
        """Write the counters to the flash."""
        stored = self._variables.energy
        self._variables.energy = StoredEnergy(
            tuple(self.reading(topic) for topic in _STORED),
            day_of_month=stored.day_of_month,
            cleared_at=stored.cleared_at,
            saves=stored.saves + 1,
        )
        self._variables.save()
        self._save_stamp = now

    @property
    def _total(self) -> Sensor:
        return self.sensors["energycounter"]

    def _restore(self) -> None:
        counters = self._variables.energy.counters
        for topic, value in zip(_STORED, counters, strict=True):
            if topic in self.sensors:
                self.sensors[topic].reading = value

    def _factor(self, index: int, default: float) -> float:
        return self._settings.values.calibration[index] or single(default)

    def _read(self, now: float) -> tuple[float, float, float]:
        end = now + self._random.gauss(0, self._jitter) if self._jitter else now
        end = max(end, self._window_start + _TICK_MS / 1000)
        cf, cf1 = self._meter.count(
            self._window_start, end, select_high=self._select_high
        )
        milliseconds = round((end - self._window_start) * 1000 / _TICK_MS) * _TICK_MS
        self._window_start = end
        inverted = any(self._pins.with_role(frozenset({PinRole.BL0937SEL_N})))
        self._pulses[0 if self._select_high is not inverted else 1] = cf1
        self._pulses[2] = cf
        self._select_high = not self._select_high
        if self._release.divides_by_elapsed:
            stretch = 1000 / milliseconds
        else:
            stretch = milliseconds / 1000
        volts, amperes, watts = (
            single(single(pulses * self._factor(index, default)) * stretch)
            for index, (pulses, default) in enumerate(
                zip(
                    self._pulses,
                    (VOLTS_PER_HERTZ, AMPERES_PER_HERTZ, WATTS_PER_HERTZ),
                    strict=True,
                )
            )
        )
        if watts > self._factor(3, _DEFAULT_POWER_MAX):
            watts = self._last_valid_power
        else:
            self._last_valid_power = watts
        return volts, amperes, watts

    def _store(self, voltage: float, current: float, power: float) -> None:
        apparent = single(voltage * current)
        values = {
            "voltage": voltage,
            "current": current,
            "power": power,
            "power_apparent": apparent,
            "power_reactive": (
                single(sqrt(single(single(apparent**2) - single(power**2))))
                if apparent > abs(power)
                else 0.0
            ),
            "power_factor": single(power / apparent) if apparent else 1.0,
        }
        for topic, value in values.items():
            if topic in self.sensors:
                self.sensors[topic].reading = value

    def _add(self, energy: float) -> None:
        self._total.reading += energy
        self.sensors["energycounter_today"].reading += energy

    def _follow_days(self, now: float) -> None:
        today = self._clock.day_of_month
        if today == -1:
            return
        stored = self._variables.energy
        if not stored.cleared_at:
            stored.cleared_at = self._clock.local
        if stored.day_of_month == -1:
            stored.day_of_month = today
        if stored.day_of_month == today:
            return
        stored.day_of_month = today
        days = [topic for topic in DAILY if topic in self.sensors]
        for older, newer in zip(reversed(days), reversed(days[:-1]), strict=False):
            self.sensors[older].reading = self.sensors[newer].reading
        self.sensors[days[0]].reading = 0.0
        self.save(now)

    def _sample(self, now: float, energy: float, *, uptime: int, online: bool) -> None:
        statistics = self._statistics
        if statistics is None:
            return
        if now - statistics.stamp >= statistics.interval:
            hour = sum(statistics.samples)
            self.sensors[LAST_HOUR].reading = hour
            if statistics.as_json and online:
                self._publish_statistics(statistics, uptime)
            statistics.samples = [0.0, *statistics.samples[:-1]]
            statistics.stamp = now
            statistics.index += 1
        statistics.samples[0] += energy

    def _publish_statistics(self, statistics: _Statistics, uptime: int) -> None:
        message: dict[str, object] = {
            "uptime": uptime,
            "consumption_total": self._in_unit("energycounter"),
            "consumption_last_hour": self._in_unit(LAST_HOUR),
            "consumption_stat_index": statistics.index,
            "consumption_sample_count": len(statistics.samples),
            "consumption_sampling_period": statistics.interval,
        }
        if self._clock.synced:
            message["consumption_today"] = self._in_unit("energycounter_today")
            message["consumption_yesterday"] = self._in_unit("energycounter_yesterday")
            message["consumption_clear_date"] = self._clear_date()
        message["consumption_samples"] = [single(wh) for wh in statistics.samples]
        if self._clock.synced:
            message["consumption_daily"] = [
                self.reading(topic) for topic in DAILY if topic in self.sensors
            ]
        self._publish(
            "consumption_stats", json.dumps(message, separators=(",", ":")), 1
        )
        self.messages_sent += 1

    def _evaluate(self, sensor: Sensor, *, online: bool) -> None:
        moved = abs(sensor.sent - sensor.reading) > sensor.threshold
        if not (
            (moved and sensor.silent >= self.quiet_evaluations)
            or sensor.silent >= self.forced_evaluations
        ):
            sensor.silent += 1
            self.messages_skipped += 1
            return
        sensor.silent = 0
        # Remembered as sent even while there is no broker to send it to.
        sensor.sent = sensor.reading
        if not online:
            return
        self.messages_sent += 1
        if sensor.topic == CLEAR_DATE:
            sensor.reading = float(self._variables.energy.cleared_at)
            self._publish(sensor.topic, self._clear_date(), 1)
        else:
            text = cut(self._in_unit(sensor.topic), sensor.decimals)
            self._publish(sensor.topic, text, self._release.energy_qos)

    def _in_unit(self, topic: str) -> float:
        sensor = self.sensors[topic]
        if sensor.unit == "Wh" and self._settings.has_flag(Flag.ENERGY_IN_KWH):
            return single(sensor.reading * 0.001)
        return single(sensor.reading)

    def _clear_date(self) -> str:
        return self._clock.minute_text(self._variables.energy.cleared_at)
