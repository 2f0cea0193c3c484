"""The firmware's rules of publishing readings; the recording is held to them as well."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
import re

DECIMALS = {
    "voltage": 1,
    "current": 3,
    "power": 2,
    "power_apparent": 2,
    "power_reactive": 2,
    "power_factor": 2,
}
CLEAR_DATE = "energycounter_clear_date"
# Recorded times are whole seconds.
ROUNDING = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One published reading; ``at`` in seconds."""

    at: float
    name: str
    text: str
    qos: int


def check_cadence(readings: Sequence[Reading]) -> None:
    """At most one message in six seconds for each reading, and one in 61 at least."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for reading in readings:
        by_name[reading.name].append(reading.at)
    end = max(reading.at for reading in readings)
    for name, moments in by_name.items():
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert all(6 - ROUNDING <= gap <= 61 + ROUNDING for gap in gaps), name
        assert end - moments[-1] <= 61 + ROUNDING, name
    # They are not sent in step with each other.
    assert len(set(map(tuple, by_name.values()))) > 3


def check_forms(readings: Sequence[Reading]) -> None:
    """Text with a fixed number of decimals, QoS 0; the clear date with QoS 1."""
    for reading in readings:
        if reading.name == CLEAR_DATE:
            assert reading.text == "0000-00-00T00:00+00:00"
            assert reading.qos == 1
            continue
        decimals = DECIMALS.get(reading.name, 3)
        assert re.fullmatch(rf"\d+\.\d{{{decimals}}}", reading.text), reading
        assert reading.qos == 0


def check_first_value_straddles(
    readings: Sequence[Reading], step: float, *, high: float, low: float
) -> None:
    """The first power after a load step is between, the right one six seconds later."""
    powers = [r for r in readings if r.name == "power" and r.at > step]
    first, second = powers[0], powers[1]
    if first.at - step <= 1:
        # The reading was quiet before, so this is of the very second of the step.
        assert low + 1 < float(first.text) < high - 1
        assert second.at - first.at >= 6 - ROUNDING
    assert abs(float(second.text) - low) <= 1.6


def check_freeze_above_maximum(
    readings: Sequence[Reading], start: float, end: float
) -> None:
    """Above PowerMax the last valid power stays, while voltage and current go on."""
    during = [r for r in readings if start + 2 < r.at <= end]
    assert all(float(r.text) <= 3680 for r in during if r.name == "power")
    currents = [float(r.text) for r in during if r.name == "current"]
    assert currents
    assert all(current > 17 for current in currents)
