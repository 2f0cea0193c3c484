"""Every quantity that a socket measures, described once for entities and discovery alike."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One measured quantity.

    Units, device classes and state classes are Home Assistant's names as plain text. ``topic`` is
    the firmware's name of it below the client id, without ``/get``; ``factor`` turns the
    firmware's number into one in ``unit``. ``decimals`` is how many digits are worth showing.
    What is outside ``lowest`` to ``highest``, in ``unit``, was not measured by any socket.
    """

    key: str
    name: str
    """In English, for consumers that have no translations of ours."""
    topic: str
    unit: str | None
    device_class: str
    state_class: str | None
    decimals: int
    highest: float
    lowest: float = 0.0
    factor: float = 1.0
    computed: bool = False
    """Found from voltage, current and power, as the firmware mixes samples of different loads."""
    enabled: bool = True
    days_ago: int | None = None
    """Which of the socket's days it is about, 0 for the current one; None for no day."""

    @property
    def needs_clock(self) -> bool:
        """Return whether it means nothing until the socket has the time."""
        return self.days_ago is not None

    @property
    def grows(self) -> bool:
        """Return whether it is a counter, which grows until the socket forgets or is reset."""
        return self.state_class == "total_increasing"

    @property
    def is_over(self) -> bool:
        """Return whether it is the energy of a period that is over."""
        return self.device_class == "energy" and not self.grows

    def is_plausible(self, number: float) -> bool:
        """Return whether a socket can have measured this number, in ``unit``."""
        return self.lowest <= number <= self.highest

    def text(self, number: float) -> str:
        """Return a number as a person reads it, with its unit."""
        return f"{number:.{self.decimals}f} {self.unit or ''}".rstrip()


# The highest that PowerMax takes, in W; the firmware drops every reading above its PowerMax
# (1.17.360 to 1.18.300).
HIGHEST_POWER: Final = 7200.0
# Mains of 240 V with a factor that is twice what it should be; what is merely unlikely is shown,
# and told as a contradiction.
_HIGHEST_VOLTAGE: Final = 500.0
# The firmware has no limit of its own. Twice what a fuse of 32 A lets through for a while; CSE7766
# without its factor says 75,841 A (1.18.299).
_HIGHEST_CURRENT: Final = 100.0
_HIGHEST_APPARENT: Final = _HIGHEST_VOLTAGE * _HIGHEST_CURRENT
# Thirty years at 3680 W come to 967 MWh.
_HIGHEST_ENERGY: Final = 1_000_000.0
# A day has 25 hours once a year; what is called the last hour has up to 180 samples of 900 s.
_HIGHEST_OF_DAY: Final = HIGHEST_POWER / 1000 * 25
_HIGHEST_OF_SAMPLES: Final = HIGHEST_POWER / 1000 * 45

VOLTAGE: Final = Quantity(
    key="voltage",
    name="Voltage",
    topic="voltage",
    unit="V",
    device_class="voltage",
    state_class="measurement",
    decimals=1,
    highest=_HIGHEST_VOLTAGE,
)
CURRENT: Final = Quantity(
    key="current",
    name="Current",
    topic="current",
    unit="A",
    device_class="current",
    state_class="measurement",
    decimals=3,
    highest=_HIGHEST_CURRENT,
)
POWER: Final = Quantity(
    key="power",
    name="Power",
    topic="power",
    unit="W",
    device_class="power",
    state_class="measurement",
    decimals=1,
    highest=HIGHEST_POWER,
)
ANY_POWER: Final = replace(
    POWER,
    lowest=-_HIGHEST_VOLTAGE / 2 * _HIGHEST_CURRENT,
    highest=_HIGHEST_VOLTAGE / 2 * _HIGHEST_CURRENT,
)
"""The power of any meter: one on a serial line has no PowerMax, and a solar inverter behind the
socket feeds in, which flag 25 lets the firmware say."""
APPARENT_POWER: Final = Quantity(
    key="apparent_power",
    name="Apparent power",
    topic="power_apparent",
    unit="VA",
    device_class="apparent_power",
    state_class="measurement",
    decimals=1,
    highest=_HIGHEST_APPARENT,
    computed=True,
)
REACTIVE_POWER: Final = Quantity(
    key="reactive_power",
    name="Reactive power",
    topic="power_reactive",
    unit="var",
    device_class="reactive_power",
    state_class="measurement",
    decimals=1,
    highest=_HIGHEST_APPARENT,
    computed=True,
)
POWER_FACTOR: Final = Quantity(
    key="power_factor",
    name="Power factor",
    topic="power_factor",
    unit=None,
    device_class="power_factor",
    state_class="measurement",
    decimals=2,
    highest=1.0,
    computed=True,
)
ENERGY: Final = Quantity(
    key="energy",
    name="Energy",
    topic="energycounter",
    unit="kWh",
    device_class="energy",
    state_class="total_increasing",
    decimals=3,
    highest=_HIGHEST_ENERGY,
    factor=0.001,
)
ENERGY_TODAY: Final = Quantity(
    key="energy_today",
    name="Energy today",
    topic="energycounter_today",
    unit="kWh",
    device_class="energy",
    state_class="total_increasing",
    decimals=3,
    highest=_HIGHEST_OF_DAY,
    factor=0.001,
    days_ago=0,
)
# None of the next grows until it is reset: statistics would take every fall for a new meter.
ENERGY_YESTERDAY: Final = Quantity(
    key="energy_yesterday",
    name="Energy yesterday",
    topic="energycounter_yesterday",
    unit="kWh",
    device_class="energy",
    state_class=None,
    decimals=3,
    highest=_HIGHEST_OF_DAY,
    factor=0.001,
    days_ago=1,
)
# Since 2024-03.
ENERGY_TWO_DAYS_AGO: Final = replace(
    ENERGY_YESTERDAY,
    key="energy_two_days_ago",
    name="Energy two days ago",
    topic="energycounter_2_days_ago",
    days_ago=2,
    enabled=False,
)
ENERGY_THREE_DAYS_AGO: Final = replace(
    ENERGY_YESTERDAY,
    key="energy_three_days_ago",
    name="Energy three days ago",
    topic="energycounter_3_days_ago",
    days_ago=3,
    enabled=False,
)
ENERGY_LAST_HOUR: Final = Quantity(
    key="energy_last_hour",
    name="Energy last hour",
    topic="energycounter_last_hour",
    unit="kWh",
    device_class="energy",
    state_class=None,
    decimals=3,
    highest=_HIGHEST_OF_SAMPLES,
    factor=0.001,
)
METER: Final = (
    VOLTAGE,
    CURRENT,
    POWER,
    APPARENT_POWER,
    REACTIVE_POWER,
    POWER_FACTOR,
    ENERGY,
    ENERGY_TODAY,
    ENERGY_YESTERDAY,
    ENERGY_TWO_DAYS_AGO,
    ENERGY_THREE_DAYS_AGO,
    ENERGY_LAST_HOUR,
)

# SPECIAL_CHANNEL_OBK_FREQUENCY: not among METER, as one kind of meter alone has it.
FREQUENCY: Final = Quantity(
    key="frequency",
    name="Frequency",
    topic="138",
    unit="Hz",
    device_class="frequency",
    state_class="measurement",
    decimals=2,
    # Grids have 50 or 60 Hz; it was seen to publish up to 54 where there were 50.
    lowest=30.0,
    highest=90.0,
)

SIGNAL: Final = Quantity(
    key="rssi",
    name="Signal strength",
    topic="rssi",
    unit="dBm",
    device_class="signal_strength",
    state_class="measurement",
    decimals=0,
    lowest=-127.0,
    highest=0.0,
    enabled=False,
)
TEMPERATURE: Final = Quantity(
    key="temp",
    name="Chip temperature",
    topic="temp",
    unit="°C",
    device_class="temperature",
    state_class="measurement",
    decimals=1,
    lowest=-60.0,
    highest=200.0,
    enabled=False,
)
DIAGNOSTICS: Final = (SIGNAL, TEMPERATURE)
CALIBRATED: Final = (VOLTAGE.key, CURRENT.key, POWER.key)
"""The keys of what a meter measures and a correction applies to; all else follows from them."""
