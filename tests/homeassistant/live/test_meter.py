"""Energies follow what is known of the power of the same minutes."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.live.energy_store import ENERGY_STORE, EnergyStore
from custom_components.openbk.live.meter import SocketMeter
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.metering.correction import Correction
from custom_components.openbk.pyopenbk.quantities import ENERGY

OFFSET = Correction(gain=1.0, offset=1.0)
START = 1_800_000_000.0


class Counting:
    """A meter that counts in kWh, and the clock that it is judged by."""

    def __init__(self, hass: HomeAssistant, at_rest: float = 90.0) -> None:
        """Stop the clock."""
        self.now = START
        hass.data[SOCKET_ACCESS] = SocketAccess(time=lambda: self.now)
        hass.data[ENERGY_STORE] = EnergyStore(hass)
        self.meter = SocketMeter(
            hass,
            "a socket",
            lambda: OFFSET,
            lambda: 1,
            in_kwh=True,
            unit_found=lambda in_kwh: None,
            at_rest=at_rest,
        )
        self.meter.begin()

    def says(self, kilowatt_hours: float, after: float) -> float:
        """Let it say what it has counted, so many seconds after the last; return what is shown."""
        self.now += after
        shown = self.meter.energy(ENERGY.key, kilowatt_hours / 1000)
        assert shown is not None
        return shown


async def test_a_small_load_behind_a_large_one(hass: HomeAssistant) -> None:
    socket = Counting(hass)
    socket.meter.power(3600.0)
    for second in range(11):
        before = socket.says(10.0 + second / 1000, after=1)
    socket.meter.power(5.0)
    # It shows no power now and then, as a second may have no pulse.
    socket.meter.power(0.0)
    for step in range(1, 6):
        shown = socket.says(10.01 + step / 1000, after=720)
    assert shown - before == pytest.approx(0.005 * 6 / 5, abs=1e-6)


@pytest.mark.parametrize(("at_rest", "counted"), [(90.0, 10.002), (600.0, 0.002)])
async def test_a_reset_at_the_socket_is_told_when_that_says_it_at_last(
    hass: HomeAssistant, at_rest: float, counted: float
) -> None:
    socket = Counting(hass, at_rest)
    socket.meter.uptime(100_000)
    socket.meter.cleared("2026-11-01T10:00+00:00")
    for number in (10.0, 0.0, 0.001):
        socket.says(number, after=60)
    socket.now += 500
    socket.meter.cleared("2026-11-30T10:00+00:00")
    assert socket.says(0.002, after=60) == pytest.approx(counted, abs=0.1)
