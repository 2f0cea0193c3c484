"""One hundred simulated sockets on one broker survive what houses do to them."""

import asyncio
from collections.abc import AsyncIterator

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration
from tests.support.sockets import socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COUNT = 100
# Without a meter: a hundred meters at many times their speed are the work of another test.
PROFILE = SocketProfile.of(
    [
        PinAssignment(pin=26, role=PinRole.REL, channel=1),
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
    ]
)


def mac(number: int) -> str:
    """Return the MAC of a socket."""
    return f"c8:47:8c:00:00:{number:02x}"


@pytest.fixture
async def house(
    socket_enabled: None, mosquitto: Broker
) -> AsyncIterator[list[PluggedSocket]]:
    """Yield a hundred sockets that are plugged in."""
    sockets = [
        PluggedSocket(configuration(mosquitto, PROFILE, mac(n)), mac(n), speed=5)
        for n in range(COUNT)
    ]
    for socket in sockets:
        socket.power_on()
    yield sockets
    await asyncio.gather(*(socket.power_off() for socket in sockets))


async def test_restarts_and_a_mass_power_cut(
    hass: HomeAssistant,
    mosquitto: Broker,
    mqtt_connection: MockConfigEntry,
    house: list[PluggedSocket],
) -> None:
    entries = []
    for number in range(COUNT):
        client_id = f"obk{mac(number).replace(':', '')[-8:].upper()}"
        entry = socket_entry(PROFILE, mac(number), client_id)
        entry.add_to_hass(hass)
        entries.append(entry)
    assert await hass.config_entries.async_setup(entries[0].entry_id)
    await hass.async_block_till_done()

    registry = er.async_get(hass)
    names = [
        registry.async_get_entity_id("switch", "openbk", f"{mac(n)}_relay_1") or ""
        for n in range(COUNT)
    ]
    assert all(names)

    def relays() -> list[str | None]:
        return [
            state.state if (state := hass.states.get(relay)) else None
            for relay in names
        ]

    def all_true() -> bool:
        return relays() == [
            "on" if socket.firmware.relay(1) else "off" for socket in house
        ] and all(socket.firmware.mqtt.online for socket in house)

    await until(all_true)

    # Somebody switches every other one, half of them at the socket itself.
    for number in range(0, COUNT, 2):
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": names[number]}
        )
    for number in range(1, COUNT, 4):
        house[number].firmware.press_button(11)
    await until(lambda: relays().count("on") == 75 and all_true())

    # The broker goes, and a button is pressed meanwhile.
    mosquitto.stop()
    await until(lambda: set(relays()) == {"unavailable"})
    house[0].firmware.press_button(11)
    mosquitto.start()
    await until(all_true)
    assert relays().count("on") == 74

    # Home Assistant forgets everything.
    for entry in entries:
        assert await hass.config_entries.async_unload(entry.entry_id)
    house[2].firmware.press_button(11)
    for entry in entries:
        await hass.config_entries.async_setup(entry.entry_id)
    await until(all_true)
    assert relays().count("on") == 73

    # The power of the whole street goes: relays come back as they were.
    await asyncio.gather(*(socket.power_off() for socket in house))
    await until(lambda: set(relays()) == {"unavailable"})
    for socket in house:
        socket.power_on()
    await until(all_true)
    assert relays().count("on") == 73
