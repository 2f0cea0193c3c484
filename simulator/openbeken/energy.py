"""What all meter drivers share: readings become counters and messages (drv_bl_shared)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite, isnan, sqrt
from typing import Final

from .device_clock import DeviceClock
from .floats import single
from .meter_drivers import Measured, MeterDriver
from .pins import Pins
from .release import Release
from .settings import Flag, Settings
from .variables import StoredEnergy, Variables

_SAVE_SECONDS: Final = 6 * 3600
_LONGEST_NUMBER: Final = 15
"""Characters of a number in the buffer that it is printed into, decimals and all."""

type Publish = Callable[[str, str, int], None]
"""Publish ``(name, text, qos)`` below the socket's own topic."""


class FirmwareCrash(Exception):
    """The firmware wrote beyond one of its buffers."""


def cut(value: float, decimals: int) -> str:
    """Return a number as published: six decimals printed, then cut off, not rounded.

    Raises FirmwareCrash where the six decimals do not fit into the firmware's buffer.
    """
    text = f"{value:.6f}"
    if len(text) > _LONGEST_NUMBER:
        raise FirmwareCrash(f"{text} has more than {_LONGEST_NUMBER} characters")
    whole, point, fraction = text.partition(".")
    return f"{whole}{point}{fraction[:decimals]}" if decimals else whole


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
    reading: float | None = 0.0
    """None where the meter does not measure it."""
    sent: float = 0.0
    silent: int = field(default=0)
    """Evaluations since the last message."""


def _sensors() -> dict[str, Sensor]:
    rows = (
        ("voltage", "Voltage", "V", "voltage", "0", 1, 0.25),
        ("current", "Current", "A", "current", "1", 3, 0.002),
        ("power", "Power", "W", "power", "2", 2, 0.25),
        (FREQUENCY, "Frequency", "Hz", "frequency", "138", 2, 0.02),
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
    sensors = {row[0]: Sensor(*row) for row in rows}
    sensors[FREQUENCY].reading = None
    return sensors


FREQUENCY: Final = "138"
"""The topic of the frequency, which goes by the number of a special channel."""
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
    """Derives, integrates and publishes what the driver of a meter reads."""

    def __init__(
        self,
        *,
        driver: MeterDriver,
        settings: Settings,
        variables: Variables,
        pins: Pins,
        device_clock: DeviceClock,
        release: Release,
        publish: Publish,
        now: float,
    ) -> None:
        """Start at the simulated moment ``now`` with the counters that were saved."""
        self._driver = driver
        self._settings = settings
        self._variables = variables
        self._pins = pins
        self._clock = device_clock
        self._release = release
        self._publish = publish
        self.sensors = _sensors()
        if not release.derives_power:
            for topic in DERIVED_POWER | _OLDER_DAYS:
                del self.sensors[topic]
        if not release.reports_frequency:
            del self.sensors[FREQUENCY]
        self.quiet_evaluations = 5
        self.forced_evaluations = 60
        self.save_threshold = 10.0
        self.may_save = True
        """Nothing is saved while firmware comes over the air."""
        self.messages_sent = 0
        self.messages_skipped = 0
        self._energy_stamp = now
        self._save_stamp = now
        self._statistics: _Statistics | None = None
        self._restore()

    @property
    def driver(self) -> MeterDriver:
        """Return the driver that reads the meter."""
        return self._driver

    @property
    def select_level(self) -> bool | None:
        """Return the level on the pin SEL; None for a meter that has none."""
        return self._driver.select_level

    def reading(self, topic: str) -> float:
        """Return the latest value of a quantity in single precision; 0 without it."""
        sensor = self.sensors.get(topic)
        return single(sensor.reading or 0.0) if sensor else 0.0

    def every_second(self, now: float, *, uptime: int, online: bool) -> None:
        """Read, integrate and publish; ``now`` in simulated seconds.

        Raises FirmwareCrash where a number is too long for the firmware.
        """
        measured = self._driver.read(now)
        if measured is None:
            return
        voltage, current, power = measured.volts, measured.amperes, measured.watts
        if not self._settings.has_flag(Flag.ALLOW_NEGATIVE_POWER):
            voltage, current, power = max(0, voltage), max(0, current), max(0, power)
        if (
            self._settings.has_flag(Flag.ZERO_POWER_WHEN_OPEN)
            and self._pins.all_relays_open()
        ):
            current = power = 0.0
        self._store(voltage, current, power)
        if FREQUENCY in self.sensors:
            self.sensors[FREQUENCY].reading = measured.hertz
        energy = self._energy(measured, power, now)
        self._add(energy)
        self._follow_days(now)
        self._sample(now, energy, uptime=uptime, online=online)
        for sensor in self.sensors.values():
            self._evaluate(sensor, online=online)
        self._save_now_and_then(now)

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, value and unit of what the index page shows: rounded, not cut."""
        rows = []
        for sensor in self.sensors.values():
            value, unit = sensor.reading, sensor.unit
            if value is None or sensor.topic == CLEAR_DATE:
                continue
            if sensor.topic == LAST_HOUR and self._statistics is None:
                continue
            if sensor.topic == "energycounter":
                value, unit = value / 1000, "kWh"
            elif sensor.device_class == "energy" and not self._clock.synced:
                continue
            rows.append((sensor.name, f"{value:.{sensor.decimals}f}", unit))
        return rows

    def reset(self, total: float | None, now: float) -> None:
        """Begin to count anew, or set the total alone to so many Wh.

        Only the former sets back what the threshold of saving counts from: a total that
        was set to less is not saved by it before it exceeds the last saved one.
        """
        self._energy_stamp = now
        if total is not None:
            self._total.reading = total
        else:
            self._total.reading = self._threshold_base = 0.0
            for topic in DAILY:
                if topic in self.sensors:
                    self.sensors[topic].reading = 0.0
            if self._statistics:
                self._statistics.samples = [0.0] * len(self._statistics.samples)
                self._statistics.index = 0
                self._statistics.stamp = now
        self._cleared_at = self._clock.local
        if self.may_save:
            self.save(now)

    def set_up_statistics(
        self, interval: int, count: int, *, as_json: bool, now: float
    ) -> None:
        """Sum the last ``count`` samples of ``interval`` seconds as the last hour."""
        interval, count = min(max(interval, 10), 900), min(max(count, 10), 180)
        before = self._statistics
        samples = [0.0] * count
        if before and (before.interval, len(before.samples)) == (interval, count):
            samples = before.samples
        self._statistics = _Statistics(interval, samples, as_json, now)

    def stop_statistics(self) -> None:
        """Forget the samples; the last sum stays."""
        self._statistics = None

    def save(self, now: float) -> None:
        """Write the counters to the flash."""
        self._variables.energy = StoredEnergy(
            tuple(self.reading(topic) for topic in _STORED),
            day_of_month=self._day_of_month,
            cleared_at=self._cleared_at,
            saves=self._variables.energy.saves + 1,
        )
        self._variables.save()
        self._save_stamp = now

    @property
    def cleared_at(self) -> int:
        """Return since when is counted, in local seconds since 1970; 0: not known."""
        return self._cleared_at

    @property
    def _total(self) -> Sensor:
        return self.sensors["energycounter"]

    def _restore(self) -> None:
        stored = self._variables.energy
        for topic, value in zip(_STORED, stored.counters, strict=True):
            if topic in self.sensors:
                self.sensors[topic].reading = value
        self._threshold_base = stored.counters[0]
        self._day_of_month = stored.day_of_month
        self._cleared_at = stored.cleared_at

    def _energy(self, measured: Measured, power: float, now: float) -> float:
        elapsed = now - self._energy_stamp
        self._energy_stamp = now
        if measured.watt_hours is not None:
            return max(0.0, measured.watt_hours)
        return max(0.0, power * elapsed / 3600)

    def _save_now_and_then(self, now: float) -> None:
        total = self._total.reading or 0.0
        if self.may_save and (
            total - self._threshold_base >= self.save_threshold
            or now - self._save_stamp >= _SAVE_SECONDS
        ):
            self._threshold_base = single(total)
            self.save(now)

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
        for topic in ("energycounter", DAILY[0]):
            sensor = self.sensors[topic]
            sensor.reading = (sensor.reading or 0.0) + energy
        # The total waits in RAM for whatever is saved next, the days do not.
        self._variables.energy.counters = (
            self.reading("energycounter"),
            *self._variables.energy.counters[1:],
        )

    def _follow_days(self, now: float) -> None:
        if not self._clock.synced:
            return
        today = self._clock.day_of_month
        self._cleared_at = self._cleared_at or self._clock.local
        if self._day_of_month == -1:
            self._day_of_month = today
        if self._day_of_month == today:
            return
        # Any other day will do, a former one or that of another zone too.
        self._day_of_month = today
        days = [topic for topic in DAILY if topic in self.sensors]
        for older, newer in zip(reversed(days), reversed(days[:-1]), strict=False):
            self.sensors[older].reading = self.sensors[newer].reading
        self.sensors[days[0]].reading = 0.0
        if self.may_save:
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
        self._publish("consumption_stats", _json(message), 1)
        self.messages_sent += 1

    def _evaluate(self, sensor: Sensor, *, online: bool) -> None:
        if sensor.reading is None or isnan(sensor.reading):
            return
        moved = single(abs(single(sensor.sent) - single(sensor.reading)))
        if not (
            (
                moved > single(sensor.threshold)
                and sensor.silent >= self.quiet_evaluations
            )
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
            sensor.reading = float(self._cleared_at)
            text = self._clear_date()
            if not self._release.tells_zone_of_reset:
                text = f"{text[:16].replace('T', ' ')}:00".replace(
                    "0000-00-00", "1970-01-01"
                )
            self._publish(sensor.topic, text, 1)
        else:
            text = cut(self._in_unit(sensor.topic), sensor.decimals)
            self._publish(sensor.topic, text, self._release.energy_qos)

    def _in_unit(self, topic: str) -> float:
        sensor = self.sensors[topic]
        reading = single(sensor.reading or 0.0)
        if sensor.unit == "Wh" and self._settings.has_flag(Flag.ENERGY_IN_KWH):
            return single(reading * single(0.001))
        return reading

    def _clear_date(self) -> str:
        return self._clock.minute_text(self._cleared_at)


def _json(value: object) -> str:
    """Return JSON as the firmware prints it: whole numbers, or five decimals."""
    if isinstance(value, dict):
        return ",".join(f'"{key}":{_json(item)}' for key, item in value.items()).join(
            "{}"
        )
    if isinstance(value, list):
        return ",".join(map(_json, value)).join("[]")
    if isinstance(value, str):
        return f'"{value}"'
    assert isinstance(value, int | float)
    if not isfinite(value):
        return "null"
    return f"{int(value)}" if value == int(value) else f"{value:.5f}"
