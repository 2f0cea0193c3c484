"""A calibrated socket shows the same numbers over MQTT discovery as its own entities do."""

from collections.abc import Callable
from itertools import pairwise
import json

from homeassistant.components import mqtt
from homeassistant.components.mqtt.const import DOMAIN as MQTT
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.meter import Response
from tests.support.broker import Broker
from tests.support.metered import OFF, Calibrated, calibrated
from tests.support.sockets import MAC, listen
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOPIC = "device/openbk_c8478c123456/config"
# Half of the last digit that is shown of an energy, and what the other one saw a message earlier.
SAME_ENERGY = 0.0007


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Core's MQTT client leaves its periodic timer behind."""
    return True


def number(hass: HomeAssistant, key: str, platform: str) -> float:
    """Return what an entity of one of the two worlds shows, minus one without a number."""
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id("sensor", platform, f"{MAC}_{key}")
    state = hass.states.get(entity_id) if entity_id else None
    try:
        return float(state.state) if state else -1.0
    except ValueError:
        return -1.0


async def show_to_both(hass: HomeAssistant, socket: Calibrated) -> None:
    """Let core's MQTT integration, too, discover what is meant for another program."""

    @callback
    def bridge(message: mqtt.ReceiveMessage) -> None:
        hass.async_create_task(
            mqtt.async_publish(hass, f"homeassistant/{TOPIC}", message.payload, 1)
        )

    await listen(hass, f"others/{TOPIC}", bridge)
    hass.config_entries.async_update_entry(
        socket.entry,
        options={
            **socket.entry.options,
            "mode": "both",
            "discovery_prefix": "others",
        },
    )
    await hass.config_entries.async_reload(socket.entry.entry_id)
    await until(lambda: socket.entry.runtime_data.online)
    await until(lambda: number(hass, "power", MQTT) >= 0)
    await until(lambda: number(hass, "energy", MQTT) >= 0)


def same(hass: HomeAssistant, key: str, tolerance: float = 0.0) -> Callable[[], bool]:
    """Return whether both worlds show the same number."""

    def is_same() -> bool:
        ours, theirs = number(hass, key, "openbk"), number(hass, key, MQTT)
        return ours > 0 and abs(ours - theirs) <= tolerance

    return is_same


def energies(hass: HomeAssistant) -> list[float]:
    """Return a list that grows with every total that core's entity shows."""
    shown: list[float] = []
    entity_id = er.async_get(hass).async_get_entity_id("sensor", MQTT, f"{MAC}_energy")

    @callback
    def changed(event: Event) -> None:
        if event.data["entity_id"] == entity_id:
            shown.append(number(hass, "energy", MQTT))

    hass.bus.async_listen("state_changed", changed)
    return shown


async def test_power_voltage_and_current_are_the_same(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(
        hass,
        mosquitto,
        power=OFF,
        voltage=Response(gain=0.97),
        current=Response(gain=1.03, offset=0.05),
    ) as socket:
        await show_to_both(hass, socket)
        for watts, action in ((2000, "calibrate"), (200, "add_calibration_point")):
            await socket.load(watts)
            await socket.call(
                action, power=watts, voltage=230, current=watts / 230, seconds=30
            )
        known = socket.entry.runtime_data.calibration.known
        assert known["power"].correction.offset
        assert known["current"].correction.offset
        for watts in (0, 40, 1500):
            await socket.load(watts)
            close = pytest.approx(watts, rel=0.02, abs=2)
            await until(lambda close=close: number(hass, "power", MQTT) == close)
            await until(same(hass, "voltage"))
            if watts:
                await until(same(hass, "power"))
                await until(same(hass, "current"))
        await socket.call("undo_calibration")
        await socket.call("undo_calibration")
        await until(lambda: number(hass, "power", MQTT) < 1450)
        await until(same(hass, "power"))


@pytest.mark.parametrize("offset", [-1.2 / 1.08, 3.0], ids=["behind", "ahead"])
async def test_energy_is_the_same_and_never_runs_backwards(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    offset: float,
) -> None:
    power = Response(gain=1 / 1.08, offset=offset, cutoff=0.3)
    async with calibrated(hass, mosquitto, power=power) as socket:
        # A total that a gain alone would change by kilowatt-hours.
        await socket.call("set_energy", energy=100)
        await show_to_both(hass, socket)
        await until(lambda: number(hass, "energy", MQTT) > 100)
        shown = energies(hass)
        await socket.call("calibrate", power=2000, seconds=30)
        await socket.load(60)
        await socket.call("add_calibration_point", power=60, seconds=30, trust=True)
        assert socket.entry.runtime_data.calibration.known["power"].correction.offset
        await until(same(hass, "energy", SAME_ENERGY))
        for watts in (20, 1000):
            await socket.load(watts)
            await socket.settle(150)
        await until(same(hass, "energy", SAME_ENERGY))
        await socket.call("undo_calibration")
        await hass.config_entries.async_reload(socket.entry.entry_id)
        await until(lambda: socket.entry.runtime_data.online)
        await socket.settle(100)
        await until(same(hass, "energy", SAME_ENERGY))
        await socket.call("reset_calibration")
        await socket.settle(100)
        await until(same(hass, "energy", SAME_ENERGY))
        assert all(before <= after for before, after in pairwise(shown)), shown

        # Only a person sets it back.
        await socket.load(20)
        await socket.call("set_energy", energy=1)
        await until(lambda: 1 <= number(hass, "energy", MQTT) < 50)
        await until(same(hass, "energy", SAME_ENERGY))


async def test_a_socket_that_was_never_calibrated_is_described_plainly(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        payloads: list[str] = []
        await listen(
            hass, f"others/{TOPIC}", lambda message: payloads.append(message.payload)
        )
        await show_to_both(hass, socket)
        await until(same(hass, "energy"))
    components = json.loads(payloads[-1])["cmps"]
    template = components["energy"]["val_tpl"]
    assert template.startswith("{{ (value | float * 0.001) | round(6) if 0 <= ")
    assert components["power"]["val_tpl"].startswith("{{ value if 0 <= ")


async def test_what_cannot_be_true_is_said_without_entities_of_ours_too(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, speed=60, watts=100) as socket:
        hass.config_entries.async_update_entry(
            socket.entry, options={"mode": "discovery"}
        )
        await hass.config_entries.async_reload(socket.entry.entry_id)
        socket.meter.inverted_select = True
        issue_id = f"implausible_{socket.entry.entry_id}"
        await until(lambda: ir.async_get(hass).async_get_issue("openbk", issue_id))
