"""The guided calibration, walked as a person walks it."""

import asyncio
from dataclasses import replace
import re
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS
from custom_components.openbk.pyopenbk.obk.console import Streams
from tests.support.broker import Broker
from tests.support.metered import OFF, Calibrated, calibrated
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


class Person:
    """Walks through the options of a socket."""

    def __init__(self, hass: HomeAssistant, socket: Calibrated) -> None:
        self.hass = hass
        self.socket = socket
        self.flow_id = ""
        self.seen: list[dict[str, str]] = []

    async def begin(self) -> ConfigFlowResult:
        flow = self.hass.config_entries.options
        result = await flow.async_init(self.socket.entry.entry_id)
        self.flow_id = result["flow_id"]
        return await self.choose("calibration")

    async def choose(self, option: str) -> ConfigFlowResult:
        return await self.go({"next_step_id": option})

    async def type(self, **values: Any) -> ConfigFlowResult:
        return await self.go(values)

    async def go(self, given: dict[str, Any]) -> ConfigFlowResult:
        flow = self.hass.config_entries.options
        result = await flow.async_configure(self.flow_id, given)
        async with asyncio.timeout(30):
            while result["type"] is FlowResultType.SHOW_PROGRESS:
                shown = dict(result["description_placeholders"] or {})
                if shown and shown not in self.seen:
                    self.seen.append(shown)
                await asyncio.sleep(0.02)
                result = await flow.async_configure(self.flow_id)
        return result


async def test_two_loads_and_save(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        person = Person(hass, socket)
        menu = await person.begin()
        assert menu["menu_options"] == ["watt_meter", "multimeter", "known_load"]
        plug = await person.choose("watt_meter")
        assert plug["step_id"] == "watt_meter"
        asked = await person.type()
        assert asked["step_id"] == "reference"
        # While it measured, the page said what it read and for how long.
        seconds = [int(shown["seconds"]) for shown in person.seen]
        assert len(seconds) > 5
        assert seconds == sorted(seconds)
        assert {shown["moving"] for shown in person.seen} == {
            "Nothing has moved so far."
        }
        assert asked["description_placeholders"]["power"].startswith("185")

        refused = await person.type(power=2.0)
        assert refused["errors"] == {"base": "wrong_unit"}
        assert refused["description_placeholders"]["reference"] == "2.0\u00a0W"
        assert "trust" in refused["data_schema"].schema
        result = await person.type(power=2000, voltage=230)
        assert result["step_id"] == "result"
        assert result["menu_options"] == [
            "save",
            "save_in_socket",
            "second_load",
            "reference",
            "stop",
        ]
        assert "2000.0\u00a0W" in result["description_placeholders"]["table"]
        live = socket.entry.runtime_data
        assert not live.calibration.known

        await socket.load(60)
        assert (await person.choose("second_load"))["step_id"] == "second_load"
        assert (await person.type())["step_id"] == "reference"
        result = await person.type(power=60)
        assert "save_in_socket" not in result["menu_options"]
        assert not live.calibration.known
        done = await person.choose("save")
        assert done["type"] is FlowResultType.CREATE_ENTRY
        assert set(live.calibration.known) == {"voltage", "power"}
        power = live.calibration.known["power"].correction
        assert power.gain == pytest.approx(1.08, rel=0.003)
        assert power.offset == pytest.approx(1.2, abs=0.3)
        await until(lambda: socket.shown("power") == pytest.approx(60, abs=1.6))

        again = await person.begin()
        assert again["menu_options"][-2:] == ["undo", "reset"]
        await person.choose("undo")
        assert not live.calibration.known


async def test_a_known_load_and_the_sockets_own_gain(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        hass.config.language = "de"
        person = Person(hass, socket)
        await person.begin()
        await person.choose("known_load")
        await person.type()
        result = await person.type(
            rated_power=2000, rated_voltage=230, kind="heater", voltage=230, tolerance=9
        )
        assert result["step_id"] == "result"
        table = result["description_placeholders"]["table"]
        assert "2000,0\u00a0W" in table
        # A hundred watts and more have no exponent.
        assert re.search("±\u00a01[0-9]0\u00a0W", table)
        done = await person.choose("save_in_socket")
        assert done["type"] is FlowResultType.CREATE_ENTRY
        energy = socket.plugged.firmware.energy
        assert energy is not None
        assert energy.reading("power") == pytest.approx(2000, rel=0.005)
        assert socket.entry.options["calibration"]["factors"]["power"] > 1.6


@pytest.mark.slow
async def test_a_changing_load_is_seen_and_can_be_insisted_on(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, watts=1000) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("multimeter")

        async def fidget() -> None:
            watts = 1000.0
            while True:
                watts = 2000.0 if watts == 1000.0 else 1000.0
                await socket.load(watts)
                await socket.settle(12)

        fidgeting = hass.async_create_background_task(fidget(), "fidget")
        page = await person.type()
        fidgeting.cancel()
        assert page["step_id"] == "unsteady"
        moving = {shown["moving"] for shown in person.seen}
        assert "It started over because the current moved." in moving
        await person.choose("reference")
        refused = await person.type(voltage=230, current=6.5, resistive=True)
        assert refused["errors"] == {"base": "unsteady"}
        result = await person.type(voltage=230, current=6.5, resistive=True, trust=True)
        assert result["step_id"] == "result"
        stopped = await person.choose("stop")
        assert stopped["reason"] == "nothing_changed"
        assert not socket.entry.runtime_data.calibration.known


async def test_nothing_to_measure_is_said_at_once(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, watts=0) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        page = await person.type()
        assert page["step_id"] == "no_load"
        live = socket.entry.runtime_data
        assert not live.calibration.lock.locked()
        await socket.load(1000)
        assert (await person.choose("measure"))["step_id"] == "reference"

        await person.begin()
        await person.choose("watt_meter")
        await live.async_set_channel(1, 0)
        await until(lambda: live.value("channel_1") == 0)
        refused = await person.type()
        assert refused["errors"] == {"base": "relay_off"}


async def test_abandoning_changes_nothing_and_lets_others_calibrate(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        options = dict(socket.entry.options)
        flow = hass.config_entries.options
        result = await flow.async_configure(person.flow_id, {})
        assert result["type"] is FlowResultType.SHOW_PROGRESS
        live = socket.entry.runtime_data
        await until(live.calibration.lock.locked)
        flow.async_abort(person.flow_id)
        await until(lambda: not live.calibration.lock.locked())
        assert not live.calibration.known
        assert {**socket.entry.options, **options} == socket.entry.options
        await socket.call("calibrate", power=2000, seconds=10)


async def test_abandoning_between_two_turns_lets_others_calibrate(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        flow = hass.config_entries.options
        result = await flow.async_configure(person.flow_id, {})
        while result["description_placeholders"]["seconds"] == "0":
            await asyncio.sleep(0.02)
            result = await flow.async_configure(person.flow_id)
        assert result["type"] is FlowResultType.SHOW_PROGRESS
        flow.async_abort(person.flow_id)
        live = socket.entry.runtime_data
        await until(lambda: not live.calibration.lock.locked())
        assert not live.calibration.known


async def test_only_one_calibrates_a_socket_at_a_time(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        other = hass.async_create_task(socket.call("calibrate", power=2000, seconds=10))
        await until(socket.entry.runtime_data.calibration.lock.locked)
        refused = await person.type()
        assert refused["step_id"] == "watt_meter"
        assert refused["errors"] == {"base": "busy"}
        await other
        assert (await person.type())["step_id"] == "reference"


async def test_a_label_without_watts_is_no_reference(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("known_load")
        await person.type()
        refused = await person.type(rated_power=0, rated_voltage=230, kind="heater")
        assert refused["errors"] == {"base": "no_reference"}
        refused = await person.type(rated_power=2000, rated_voltage=0, kind="heater")
        assert refused["errors"] == {"base": "zero_reading"}
        # Nobody can know better than that.
        assert "trust" not in refused["data_schema"].schema
        assert not socket.entry.runtime_data.calibration.known


async def test_another_load_is_added_to_what_is_known_and_all_is_taken_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        calibration = socket.entry.runtime_data.calibration
        await socket.call("calibrate", power=2000, seconds=10)
        await socket.load(60)
        person = Person(hass, socket)
        await person.begin()
        page = await person.choose("watt_meter")
        assert "keep" in page["data_schema"].schema
        await person.type(keep=True)
        await person.type(power=60)
        await person.choose("save")
        points = calibration.known["power"].points
        assert [point.reference for point in points] == [2000, 60]

        menu = await person.begin()
        assert "reset" in menu["menu_options"]
        done = await person.choose("reset")
        assert done["type"] is FlowResultType.CREATE_ENTRY
        assert not calibration.known


async def test_what_nobody_foresaw_is_a_page_and_not_a_crash(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto, power=OFF) as socket:
        reach = hass.data[SOCKET_ACCESS]

        async def break_down(_host: str, _port: int) -> Streams:
            raise RuntimeError("the network is not what it was")

        broken = replace(reach, connect=break_down)
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        hass.data[SOCKET_ACCESS] = broken
        assert (await person.type())["step_id"] == "interrupted"
        hass.data[SOCKET_ACCESS] = reach
        assert (await person.choose("measure"))["step_id"] == "reference"
        await person.type(power=2000)
        hass.data[SOCKET_ACCESS] = broken
        assert (await person.choose("save_in_socket"))["step_id"] == "socket_not_set"
        live = socket.entry.runtime_data
        assert not live.calibration.known
        assert not live.calibration.lock.locked()
        assert (await person.choose("stop"))["reason"] == "nothing_changed"


async def test_a_socket_that_is_not_loaded_is_not_calibrated(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        await hass.config_entries.async_unload(socket.entry.entry_id)
        assert (await Person(hass, socket).begin())["reason"] == "not_loaded"


async def test_a_socket_that_goes_away_is_a_page_and_not_a_crash(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with calibrated(hass, mosquitto) as socket:
        person = Person(hass, socket)
        await person.begin()
        await person.choose("watt_meter")
        flow = hass.config_entries.options
        await flow.async_configure(person.flow_id, {})
        await until(socket.entry.runtime_data.calibration.lock.locked)
        await socket.plugged.power_off()
        page = await person.go({})
        assert page["step_id"] == "interrupted"
        await hass.config_entries.async_unload(socket.entry.entry_id)
        gone = await person.choose("measure")
        assert gone["type"] is FlowResultType.MENU or gone["reason"] == "not_loaded"
