"""Pins that somebody changed on the socket's own page are read again, and nothing in it is changed."""

from dataclasses import replace

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.profile import PinAssignment, SocketProfile
from custom_components.openbk.pyopenbk.roles import PinRole
from tests.homeassistant.options import add, begin, go_on, move
from tests.support.addresses import refuse
from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in, stranger
from tests.support.sockets import BLOW
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def test_the_entry_follows_what_was_changed_on_the_page(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        assert (await begin(hass, entry, "pins"))["reason"] == "pins_same"
        for line in (
            "SetPinRole 24 BL0937SEL_n",
            "SetPinRole 10 None",
            "SetPinRole 9 Rel",
            "SetPinChannel 9 2",
        ):
            plugged.firmware.console.execute(line)
        has = plugged.firmware.settings.values

        page = await begin(hass, entry, "pins")
        assert page["description_placeholders"]["pins"].splitlines() == [
            "| P9 | nothing | Relay: Rel 2 |",
            "| P10 | LED: LED_n 1 | nothing |",
            "| P24 | Meter: selection (SEL): BL0937SEL | Meter: selection (SEL): BL0937SEL_n |",
        ]
        # Nothing happens to who only looks.
        assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
        assert (await go_on(hass, page))["reason"] == "pins_taken"
        profile = SocketProfile.from_dict(entry.data["profile"])
        roles = {pin.pin: pin.role for pin in profile.pins}
        assert roles[24] is PinRole.BL0937SEL_N
        assert [relay.channel for relay in profile.relays] == [1, 2]
        assert (profile.leds, profile.module) == ((), BLOW.module)
        await until(
            lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data.online
        )
        await until(lambda: len(hass.states.async_entity_ids("switch")) == 3)
        assert (await begin(hass, entry, "pins"))["reason"] == "pins_same"
        # It has saved its own change since.
        now = replace(plugged.firmware.settings.values, change_counter=0)
        assert now == replace(has, change_counter=0)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_meter_on_a_serial_line_is_told_too(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    relay = SocketProfile.of((PinAssignment(pin=26, role=PinRole.REL, channel=1),))
    config = stranger(mosquitto, relay, startup_command="startDriver BL0942")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, profile=relay)
        page = await begin(hass, entry, "pins")
        told = page["description_placeholders"]["pins"]
        assert told == "| Energy meter | nothing | BL0942 |"
        assert (await go_on(hass, page))["reason"] == "pins_taken"
        profile = SocketProfile.from_dict(entry.data["profile"])
        assert (profile.meter, profile.pins) == ("BL0942", relay.pins)
        await until(
            lambda: entry.state is ConfigEntryState.LOADED and entry.runtime_data.online
        )
    await hass.config_entries.async_unload(entry.entry_id)


async def test_pins_of_no_socket_are_not_taken(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        plugged.firmware.console.execute("SetPinRole 26 None")
        assert (await begin(hass, entry, "pins"))["reason"] == "pins_unusable"
        assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
    await hass.config_entries.async_unload(entry.entry_id)


async def test_only_the_page_of_this_socket_tells(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = configuration(mosquitto, web_password="correct")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        page = await begin(hass, entry, "pins")
        assert page["step_id"] == "pins_password"
        page = await go_on(hass, page, password="wrong")
        assert page["errors"] == {"password": "socket_password"}
        assert (await go_on(hass, page, password="correct"))["reason"] == "pins_same"
        assert "correct" not in str(entry.as_dict())

        plugged.firmware.settings.change(web_password="")
        move(hass, entry, mac="c8:47:8c:65:43:21")
        assert (await begin(hass, entry, "pins"))["reason"] == "other_socket"
        move(hass, entry, address=None)
        assert (await begin(hass, entry, "pins"))["reason"] == "pins_closed"
        move(hass, entry, address="127.0.0.1")
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        assert (await begin(hass, entry, "pins"))["reason"] == "pins_closed"
        await plugged.power_off()
        await until(lambda: not entry.runtime_data.online)
        assert (await begin(hass, entry, "pins"))["reason"] == "not_loaded"
    await hass.config_entries.async_unload(entry.entry_id)
