"""What a socket can be told to do once."""

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.pyopenbk.profile import SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.sockets import ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that is online."""
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect((1, 2))
    await until(lambda: entry.runtime_data.online)
    return socket


async def press(hass: HomeAssistant, name: str) -> None:
    """Press a button of the socket."""
    entity_id = f"button.washing_machine_{name}"
    assert hass.states.get(entity_id)
    await hass.services.async_call(
        "button", "press", {"entity_id": entity_id}, blocking=True
    )


async def test_restart(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    await press(hass, "restart")
    await until(lambda: ("cmnd/obk8C123456/restart", "") in scripted.heard)


async def test_identify_borrows_an_led_and_gives_it_back(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    await press(hass, "identify")
    last = ("cmnd/obk8C123456/Backlog", "SetPinRole 8 WifiLED_n")
    await until(lambda: last in scripted.heard)
    said = [item for item in scripted.heard if "2/set" in item[0] or "log" in item[0]]
    assert said[0] == (
        "cmnd/obk8C123456/Backlog",
        "SetPinChannel 8 2; SetPinRole 8 LED_n",
    )
    assert [payload for _, payload in said[1:-1]] == ["1", "0"] * 5


async def test_identify_leaves_an_led_to_what_was_chosen_meanwhile(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    pressed = hass.async_create_task(press(hass, "identify"))
    await until(lambda: ("obk8C123456/2/set", "1") in scripted.heard)
    await hass.services.async_call(
        "select",
        "select_option",
        {"entity_id": "select.washing_machine_wi_fi_led_mode", "option": "relay"},
        blocking=True,
    )
    await pressed
    await hass.async_block_till_done(wait_background_tasks=True)
    [entry] = hass.config_entries.async_entries("openbk")
    chosen = SocketProfile.from_dict(entry.data["profile"])
    assert (8, PinRole.LED_N, 1) in {(p.pin, p.role, p.channel) for p in chosen.pins}
    told = [text for topic, text in scripted.heard if topic.endswith("Backlog")]
    assert told[0] == "SetPinChannel 8 2; SetPinRole 8 LED_n"
    assert set(told[1:]) == {"SetPinChannel 8 1; SetPinRole 8 LED_n"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_identify_gives_an_led_back_when_the_socket_is_there_again(
    hass: HomeAssistant, scripted: ScriptedSocket, restarted: bool
) -> None:
    back = ("cmnd/obk8C123456/Backlog", "SetPinRole 8 WifiLED_n")
    pressed = hass.async_create_task(press(hass, "identify"))
    await until(lambda: ("obk8C123456/2/set", "1") in scripted.heard)
    await scripted.say("connected", "offline", retain=True)
    with pytest.raises(HomeAssistantError, match="cannot be reached"):
        await pressed
    [entry] = hass.config_entries.async_entries("openbk")
    if restarted:
        await hass.config_entries.async_reload(entry.entry_id)
    assert back not in scripted.heard
    await scripted.say("connected", "online", retain=True)
    await until(lambda: back in scripted.heard)
    await until(lambda: entry.data.keys().isdisjoint({"borrowed_led"}))
    await scripted.say("connected", "offline", retain=True)
    await until(lambda: not entry.runtime_data.online)
    scripted.heard.clear()
    await scripted.say("connected", "online", retain=True)
    await until(lambda: entry.runtime_data.online)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert back not in scripted.heard


async def test_reset_energy_is_followed(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    energy = "sensor.washing_machine_energy"
    await scripted.say("energycounter/get", "5.000")
    await until(lambda: hass.states.get(energy).state == "0.005")
    await press(hass, "reset_energy")
    await until(lambda: ("cmnd/obk8C123456/EnergyCntReset", "") in scripted.heard)
    await scripted.say("energycounter/get", "0.000")
    await until(lambda: hass.states.get(energy).state == "0.0")
