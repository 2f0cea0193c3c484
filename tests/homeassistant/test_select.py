"""Choices are written into the running socket and remembered."""

import asyncio
from itertools import permutations

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in
from tests.support.sockets import TWO_COILS, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

LED = "select.washing_machine_relay_led_mode"
WIFI_LED = "select.washing_machine_wi_fi_led_mode"
BUTTON = "select.washing_machine_button_action"
POWER_CUT = "select.washing_machine_power_on_behavior"
SWITCH = "switch.washing_machine"
LIGHT = "light.washing_machine_relay_led"


@pytest.fixture
async def scripted(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> ScriptedSocket:
    """Return a socket that is online."""
    await add_socket(hass, socket_entry())
    socket = ScriptedSocket(hass)
    await socket.connect((1, 2, 3))
    await until(lambda: state(hass, LED) == "relay")
    return socket


def state(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return a state, or None without one."""
    return entity.state if (entity := hass.states.get(entity_id)) else None


async def choose(hass: HomeAssistant, entity_id: str, option: str) -> None:
    """Choose an option and wait until the entry is loaded anew."""
    await hass.services.async_call(
        "select",
        "select_option",
        {"entity_id": entity_id, "option": option},
        blocking=True,
    )
    await hass.async_block_till_done()
    await until(lambda: state(hass, entity_id) == option)


async def test_led_keeps_its_name_whatever_it_shows(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    await choose(hass, WIFI_LED, "relay")
    await choose(hass, LED, "independent")
    for entity_id, name in (
        (WIFI_LED, "Washing machine Wi-Fi LED mode"),
        (LED, "Washing machine Relay LED mode"),
        (LIGHT, "Washing machine Relay LED"),
    ):
        assert (shown := hass.states.get(entity_id))
        assert shown.attributes["friendly_name"] == name


async def test_led_becomes_a_light_and_follows_the_relay_again(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    assert state(hass, LIGHT) is None
    await choose(hass, LED, "independent")
    await until(
        lambda: (
            ("cmnd/obk8C123456/Backlog", "SetPinChannel 10 2; SetPinRole 10 LED_n")
            in scripted.heard
        )
    )
    await until(lambda: state(hass, LIGHT) == "off")
    await hass.services.async_call("light", "turn_on", {"entity_id": LIGHT})
    await until(lambda: state(hass, LIGHT) == "on")
    assert scripted.channels[2] == 1
    await choose(hass, LED, "relay")
    await until(
        lambda: (
            ("cmnd/obk8C123456/Backlog", "SetPinChannel 10 1; SetPinRole 10 LED_n")
            in scripted.heard
        )
    )
    assert state(hass, LIGHT) in (None, "unavailable")


async def test_led_is_kept_dark(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    await choose(hass, LED, "off")
    expected = (
        "SetStartValue 2 0; SetChannel 2 0; SetPinChannel 10 2; SetPinRole 10 LED_n"
    )
    await until(lambda: ("cmnd/obk8C123456/Backlog", expected) in scripted.heard)
    assert state(hass, LIGHT) is None


async def test_wifi_led(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    assert state(hass, WIFI_LED) == "wifi"
    await choose(hass, WIFI_LED, "independent")
    expected = "SetPinChannel 8 2; SetPinRole 8 LED_n"
    await until(lambda: ("cmnd/obk8C123456/Backlog", expected) in scripted.heard)
    await choose(hass, WIFI_LED, "wifi")
    expected = "SetPinRole 8 WifiLED_n"
    await until(lambda: ("cmnd/obk8C123456/Backlog", expected) in scripted.heard)


async def test_button_only_reports(
    hass: HomeAssistant, scripted: ScriptedSocket
) -> None:
    assert state(hass, BUTTON) == "toggle"
    await choose(hass, BUTTON, "events_only")
    expected = "SetPinRole 11 Btn_ScriptOnly"
    await until(lambda: ("cmnd/obk8C123456/Backlog", expected) in scripted.heard)
    await choose(hass, BUTTON, "toggle")
    await until(
        lambda: ("cmnd/obk8C123456/Backlog", "SetPinRole 11 Btn") in scripted.heard
    )


async def test_after_a_power_cut(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    assert state(hass, POWER_CUT) == "last"
    for option, value in (("on", 1), ("off", 0), ("last", -1)):
        await choose(hass, POWER_CUT, option)
        expected = ("cmnd/obk8C123456/Backlog", f"SetStartValue 1 {value}")
        await until(lambda expected=expected: expected in scripted.heard)


CHOICES = {WIFI_LED: "off", BUTTON: "events_only", POWER_CUT: "off"}
BEFORE = {WIFI_LED: "wifi", BUTTON: "toggle", POWER_CUT: "last"}


async def set_scene(
    hass: HomeAssistant,
    scripted: ScriptedSocket,
    choices: list[tuple[str, str]],
    at_once: bool,
) -> None:
    """Make choices in an order, and see that each is shown and was said once, within moments."""
    scripted.heard.clear()
    made = [
        hass.services.async_call(
            "select",
            "select_option",
            {"entity_id": entity_id, "option": option},
            blocking=True,
        )
        for entity_id, option in choices
    ]
    before = asyncio.get_running_loop().time()
    if at_once:
        await asyncio.gather(*made)
    else:
        for each in made:
            await each
    assert asyncio.get_running_loop().time() - before < 5, choices
    await hass.async_block_till_done()
    for entity_id, option in choices:
        await until(lambda ask=entity_id, shown=option: state(hass, ask) == shown)
    said = [payload for topic, payload in scripted.heard if topic.endswith("/Backlog")]
    assert len(said) == len(choices), choices


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_scene_that_sets_several_things_has_all_of_them(
    hass: HomeAssistant, scripted: ScriptedSocket, at_once: bool
) -> None:
    """Some have the entry loaded anew, while the socket would answer the others."""
    [entry] = hass.config_entries.async_entries("openbk")
    for order in permutations(CHOICES):
        await set_scene(hass, scripted, [(one, CHOICES[one]) for one in order], at_once)
        pins = {pin["pin"]: pin["role"] for pin in entry.data["profile"]["pins"]}
        assert (pins[8], pins[11]) == ("LED_n", "Btn_ScriptOnly"), order
        assert entry.data["dark_leds"] == [8], order
        assert entry.data["power_cut"] == {"1": "off"}, order
        await set_scene(hass, scripted, [(one, BEFORE[one]) for one in order], at_once)
        pins = {pin["pin"]: pin["role"] for pin in entry.data["profile"]["pins"]}
        assert (pins[8], pins[11]) == ("WifiLED_n", "Btn"), order
        assert entry.data["dark_leds"] == [], order
        assert entry.data["power_cut"] == {"1": "last"}, order


async def test_relay_with_two_coils(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """It keeps its place without power, so nothing opens it when power comes back."""
    entry = socket_entry(TWO_COILS)
    await add_socket(hass, entry)
    async with plugged_in(configuration(mosquitto, TWO_COILS)) as plugged:
        await until(lambda: state(hass, SWITCH) == "off")
        for service, shown in (("turn_on", "on"), ("turn_off", "off")):
            await hass.services.async_call(
                "switch", service, {"entity_id": SWITCH}, blocking=True
            )
            await until(lambda shown=shown: state(hass, SWITCH) == shown)
            closed = shown == "on"
            await until(lambda closed=closed: plugged.firmware.relay(1) is closed)
        choice = hass.states.get(POWER_CUT)
        assert choice is not None
        assert choice.attributes["options"] == ["on", "last"]
        assert state(hass, LED) is None
    await hass.config_entries.async_unload(entry.entry_id)


async def test_child_lock(hass: HomeAssistant, scripted: ScriptedSocket) -> None:
    lock = "switch.washing_machine_child_lock"
    assert state(hass, lock) == "off"
    for service, bit, shown in (("turn_on", 1, "on"), ("turn_off", 0, "off")):
        await hass.services.async_call(
            "switch", service, {"entity_id": lock}, blocking=True
        )
        assert state(hass, lock) == shown
        expected = ("cmnd/obk8C123456/Backlog", f"SetFlag 41 {bit}")
        await until(lambda expected=expected: expected in scripted.heard)


async def test_a_lock_that_the_firmware_does_not_have_is_not_said_to_be_on(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    """Releases before 1.17.184 keep flag 41, and the button works all the same (new_pins.c)."""
    lock = "switch.washing_machine_child_lock"
    build = "Build on Jul 18 2023 10:00:00 version 1.17.183"
    await add_socket(hass, socket_entry(firmware=build, child_lock=True))
    scripted = ScriptedSocket(hass)
    await scripted.connect((1, 2, 3))
    await until(lambda: state(hass, LED) == "relay")
    assert state(hass, lock) == "off"
    with pytest.raises(HomeAssistantError, match=r"1\.17\.183.*1\.17\.184"):
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": lock}, blocking=True
        )
    assert state(hass, lock) == "off"
    assert not [payload for _, payload in scripted.heard if "SetFlag" in payload]


async def test_led_keeps_its_use_over_a_power_cut(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    async with plugged_in(configuration(mosquitto)) as plugged:
        await until(lambda: state(hass, LED) == "relay")
        await choose(hass, LED, "independent")
        await until(lambda: state(hass, LIGHT) == "off")
        # The firmware saves within 1 s.
        await plugged.clock.sleep(5)
        await plugged.power_off()
        await until(lambda: state(hass, LIGHT) == "unavailable")
        plugged.power_on()
        await until(lambda: state(hass, LIGHT) == "off")
        assert plugged.firmware.pin_level(10)
        await hass.services.async_call("light", "turn_on", {"entity_id": LIGHT})
        await until(lambda: state(hass, LIGHT) == "on")
        # Active low, and the relay is another matter.
        assert not plugged.firmware.pin_level(10)
        assert not plugged.firmware.relay(1)
    await hass.config_entries.async_unload(entry.entry_id)


# Every change from one use to another, once.
CHANGES = [
    *("wifi", "relay", "independent", "relay", "off", "wifi"),
    *("independent", "wifi", "off", "independent", "off", "relay"),
]


async def test_an_led_shows_the_right_light_at_once_after_every_change(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    async with plugged_in(configuration(mosquitto)) as plugged:
        await until(lambda: state(hass, SWITCH) == "off")
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": SWITCH}, blocking=True
        )
        await until(lambda: lit(plugged))
        for use in CHANGES:
            await choose(hass, LED, use)
            # Its own light is left on, so that the next time it is on at once.
            lighted = use != "off"
            if use == "independent":
                await until(lambda: state(hass, LIGHT) in ("on", "off"))
                lighted = state(hass, LIGHT) == "on"
                await until(lambda lighted=lighted: lit(plugged) is lighted)
                await hass.services.async_call("light", "turn_on", {"entity_id": LIGHT})
                lighted = True
            await until(lambda lighted=lighted: lit(plugged) is lighted)
            await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


async def test_an_led_shows_the_right_light_after_a_power_cut(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    # Somebody used the channel that the LED gets, and let it come back with its last value.
    starts = (0, -1, -1, *(0,) * 61)
    config = configuration(mosquitto, start_values=starts)
    async with plugged_in(config) as plugged:
        await until(lambda: state(hass, SWITCH) == "off")
        await hass.services.async_call(
            "switch", "turn_on", {"entity_id": SWITCH}, blocking=True
        )
        await until(lambda: lit(plugged))
        # It begins as what shows the relay: from there to the same there would be nothing to change.
        for use in ("wifi", "relay", "independent", "relay", "off"):
            await choose(hass, LED, use)
            await until(lambda: entry.runtime_data.online)
            await plugged.clock.sleep(3)
            await plugged.power_off()
            await until(lambda: state(hass, SWITCH) == "unavailable")
            plugged.power_on()
            await until(lambda: state(hass, SWITCH) == "on")
            lighted = use in ("wifi", "relay")
            await until(lambda lighted=lighted: lit(plugged) is lighted)
            await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)


def lit(plugged: PluggedSocket) -> bool:
    """Return whether the LED on P10, which is active low, is lit now."""
    return not plugged.firmware.pin_level(10)
