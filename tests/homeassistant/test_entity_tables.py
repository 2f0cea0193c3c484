"""Whole tables of entities, as three kinds of sockets get them."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import BLOW, MAC, add_socket, socket_entry

pytestmark = pytest.mark.e2e

STRIP = SocketProfile.of(
    (
        PinAssignment(pin=6, role=PinRole.REL, channel=1),
        PinAssignment(pin=7, role=PinRole.REL, channel=2),
        PinAssignment(pin=8, role=PinRole.WIFI_LED_N),
        PinAssignment(pin=10, role=PinRole.LED_N, channel=3),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
        PinAssignment(pin=24, role=PinRole.BTN, channel=2),
    ),
    "WB2S",
)
PLAIN = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))


@pytest.mark.usefixtures("mqtt_connection")
@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(BLOW, id="BLOW 72-074"),
        pytest.param(STRIP, id="two relays, two buttons and an LED, no meter"),
        pytest.param(PLAIN, id="a relay alone"),
    ],
)
async def test_socket_gets_these_entities(
    hass: HomeAssistant, snapshot: SnapshotAssertion, profile: SocketProfile
) -> None:
    """A name, category or default that changes is seen here before anybody's automation ends."""
    entry: MockConfigEntry = socket_entry(profile)
    await add_socket(hass, entry)
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert "\n".join(sorted(row(hass, entity) for entity in found)) == snapshot


@pytest.mark.usefixtures("mqtt_connection")
async def test_device_page_says_what_it_is(
    hass: HomeAssistant, snapshot: SnapshotAssertion
) -> None:
    entry = socket_entry(BLOW)
    await add_socket(hass, entry)
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    shown = ("name", "manufacturer", "model", "model_id", "sw_version", "hw_version")
    assert {key: getattr(device, key) for key in shown} == snapshot


def row(hass: HomeAssistant, entity: er.RegistryEntry) -> str:
    """Return what a person and an automation see of an entity."""
    state = hass.states.get(entity.entity_id)
    name = state.attributes["friendly_name"] if state else entity.original_name
    return " | ".join(
        [
            entity.entity_id,
            entity.unique_id.replace(MAC, "MAC"),
            str(name),
            str(entity.original_device_class or "-"),
            str(entity.unit_of_measurement or "-"),
            str(entity.entity_category or "-"),
            "disabled" if entity.disabled else "enabled",
        ]
    )
