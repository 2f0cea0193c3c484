"""Every action, called in a real Home Assistant for a simulated socket."""

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from simulator.meter import Response
from tests.support.broker import Broker
from tests.support.metered import OFF, calibrated
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


LOADS = (5, 10, 25, 60, 150, 400, 1000, 2000, 3000, 3600)


async def test_two_points_bring_a_socket_within_bounds_over_its_whole_range(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        first = await socket.call("calibrate", power=2000, voltage=230)
        assert first["method"] == "http"
        assert first["changed"] == {
            "home_assistant": ["voltage", "power"],
            "socket": [],
        }
        assert first["power"]["before"] == pytest.approx(2000 / 1.08, rel=0.01)
        assert first["power"]["after"] == pytest.approx(2000, rel=0.001)
        assert first["power"]["samples"] == 60
        await socket.load(60)
        second = await socket.call("add_calibration_point", power=60)
        assert second["power"]["points"] == 2
        assert second["power"]["gain"] == pytest.approx(1.08, rel=0.003)
        assert second["power"]["offset"] == pytest.approx(1.2, abs=0.15)
        assert second["power"]["quality"] == "excellent"

        for watts in LOADS:
            await socket.load(watts)
            said = await socket.call("calibrate", power=watts, seconds=60, trust=True)
            await socket.call("undo_calibration")
            allowed = max(0.005 * watts, 0.3)
            assert said["power"]["before"] == pytest.approx(watts, abs=allowed)
