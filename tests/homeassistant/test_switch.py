"""The relay switch shows what the relay does."""

from homeassistant.components.switch.const import DATA_COMPONENT
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.support.broker import Broker
from tests.support.sockets import (
    MAC,
    ScriptedSocket,
    add_socket,
    search_over,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

RELAY = "switch.washing_machine"


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that is on the broker and set up, but not yet online."""
    await add_socket(hass, socket_entry())
    return ScriptedSocket(hass)


def state(hass: HomeAssistant) -> str:
    """Return the state of the relay."""
    entity = hass.states.get(RELAY)
    assert entity
    return entity.state


async def test_unavailable_until_the_relay_is_known(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    """A retained state is not believed, an answer is."""
    await scripted.say("1/get", "1", retain=True)
    assert state(hass) == "unavailable"
    await scripted.connect()
    await until(lambda: state(hass) == "off")


async def test_switching_follows_the_socket(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    """The state changes with the echo of the socket."""
    await scripted.connect()
    await until(lambda: state(hass) == "off")
    await hass.services.async_call("switch", "turn_on", {"entity_id": RELAY})
    await until(lambda: state(hass) == "on")
    assert scripted.channels[1] == 1
    await scripted.say("1/get", "0")
    await until(lambda: state(hass) == "off")


async def test_lost_when_the_will_is_published(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    """Nothing of an unreachable socket is shown as true."""
    await scripted.connect()
    await until(lambda: state(hass) == "off")
    await scripted.say("connected", "offline", retain=True)
    await until(lambda: state(hass) == "unavailable")
    # Core leaves out unavailable entities without a word: a person sees a switch that cannot be
    # moved, and an automation goes on. So only a command under way meets the error.
    scripted.heard.clear()
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": RELAY}, blocking=True
    )
    assert not scripted.heard
    relay = hass.data[DATA_COMPONENT].get_entity(RELAY)
    assert relay
    with pytest.raises(HomeAssistantError) as raised:
        await relay.async_turn_on()
    assert raised.value.translation_key == "socket_unreachable"
    assert str(raised.value).startswith("Washing machine cannot be reached")


async def test_command_without_echo_is_checked(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    """A socket that does not answer is asked again, and then not believed any more."""
    await scripted.connect()
    await until(lambda: state(hass) == "off")
    scripted.deaf = True
    await hass.services.async_call("switch", "turn_on", {"entity_id": RELAY})
    await until(lambda: scripted.heard.count(("obk8C123456/1/get", "")) >= 3)
    assert state(hass) == "off"
    await until(lambda: state(hass) == "unavailable")
    scripted.deaf = False
    await scripted.say("1/get", "1")
    await until(lambda: state(hass) == "on")


async def test_broker_restart(
    hass: HomeAssistant, scripted: ScriptedSocket, mosquitto: Broker
) -> None:
    """The state is lost with the broker and found again with the socket."""
    await scripted.connect()
    await until(lambda: state(hass) == "off")
    client = hass.data["mqtt"].client
    await search_over(hass)
    mosquitto.stop()
    await until(lambda: state(hass) == "unavailable")
    mosquitto.start()
    scripted.channels[1] = 1
    await until(lambda: client.connected)
    await scripted.say("connected", "online", retain=True)
    await until(lambda: state(hass) == "on")


async def test_two_sockets_of_one_name_are_two_switches(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """A name is no identity."""
    sockets = []
    for client_id, mac in (("one", MAC), ("two", "c8:47:8c:99:99:99")):
        await add_socket(hass, socket_entry(mac=mac, client_id=client_id))
        sockets.append(ScriptedSocket(hass, client_id))
        await sockets[-1].connect()
    for number, entity in enumerate((RELAY, f"{RELAY}_2")):
        await until(lambda: hass.states.is_state(entity, "off"))  # noqa: B023
        await hass.services.async_call("switch", "turn_on", {"entity_id": entity})
        await until(lambda: hass.states.is_state(entity, "on"))  # noqa: B023
        assert [socket.channels[1] for socket in sockets] == [1, number]
    for entry in hass.config_entries.async_loaded_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)
