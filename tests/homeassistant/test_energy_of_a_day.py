"""What Home Assistant counts over power cuts is what the simulated socket consumed."""

from homeassistant.core import HomeAssistant, callback
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENERGY = "sensor.washing_machine_energy"
RELAY = "switch.washing_machine"


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


async def test_three_power_cuts_in_three_kilowatt_hours(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    await add_socket(hass, socket_entry())
    seen: list[float] = []

    def shown() -> float | None:
        state = hass.states.get(ENERGY)
        assert state
        return float(state.state) if state.state[0].isdigit() else None

    @callback
    def note(_: object) -> None:
        if (energy := shown()) is not None:
            seen.append(energy)

    hass.bus.async_listen("state_changed", note)
    config = configuration(mosquitto, start_values=(0, 1, *([0] * 62)))
    async with plugged_in(config, watts=3000, speed=120) as plugged:
        for kilowatt_hours in (0.8, 1.6, 2.4):
            target = 1000 * kilowatt_hours
            await until(lambda target=target: plugged.meter.energy_wh >= target)
            await plugged.power_off()
            await until(lambda: shown() is None)
            plugged.power_on()
            await until(lambda: shown() is not None)
        await until(lambda: plugged.meter.energy_wh >= 3100)
        await hass.services.async_call("switch", "turn_off", {"entity_id": RELAY})
        await until(lambda: not plugged.firmware.relay(1))
        true = plugged.meter.energy_wh / 1000
        await until(lambda: shown() == pytest.approx(true, rel=0.01))
    assert seen == sorted(seen)
