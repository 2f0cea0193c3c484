"""What can be changed about a socket that is set up, from its options."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web
from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.dispatcher import async_dispatcher_connect
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.homeassistant.options import add, begin, go_on, move
from tests.support.addresses import lead_to, refuse, server
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, configuration, plugged_in, stranger
from tests.support.sockets import BLOW, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


async def test_tuning_and_taking_it_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        settings = plugged.firmware.settings
        page = await begin(hass, entry, "tune")
        assert page["step_id"] == "tune"
        assert "SetFlag 21 1" in page["description_placeholders"]["commands"]
        # Nothing is ticked, and so nothing is done.
        done = await go_on(hass, page, changes=[])
        assert done["reason"] == "nothing_changed"
        assert settings.values.flags == 1 << 10

        page = await begin(hass, entry, "tune")
        done = await go_on(hass, page, changes=["retain_relays", "startup_command"])
        assert done["reason"] == "tuned"
        await until(lambda: settings.values.flags == 1 << 10 | 1 << 21)
        await until(lambda: "addEventHandler" in settings.values.startup_command)
        await until(lambda: entry.data["tuned"] and entry.runtime_data.online)
        # The flags are read where they are saved, up to a second later.
        while (again := await begin(hass, entry, "tune"))["type"] == "form":
            hass.config_entries.options.async_abort(again["flow_id"])
        assert again["reason"] == "nothing_to_tune"

        await until(lambda: entry.runtime_data.online)
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=["startup_command"])
        assert done["reason"] == "untuned"
        await until(lambda: settings.values.startup_command == "")
        assert settings.values.flags == 1 << 10 | 1 << 21
        assert list(entry.data["undo"]) == ["retain_relays"]
        await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_dialog_that_is_closed_leaves_the_way_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """What was ticked is done, and noted as done, although nobody waits for it any more."""
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        settings = plugged.firmware.settings
        page = await begin(hass, entry, "tune")
        pressed = hass.async_create_task(
            go_on(hass, page, changes=["retain_relays", "startup_command"])
        )
        await until(lambda: settings.values.flags == 1 << 10 | 1 << 21)
        pressed.cancel()
        hass.config_entries.options.async_abort(page["flow_id"])
        await until(lambda: "startup_command" in entry.data.get("undo", {}))
        await until(lambda: entry.data["tuned"])
        assert set(entry.data["undo"]) == {"retain_relays", "startup_command"}
        assert "addEventHandler" in settings.values.startup_command
        await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_tuning_behind_a_password(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    config = stranger(mosquitto, web_password="correct")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged)
        page = await begin(hass, entry, "tune")
        assert page["step_id"] == "tune_password"
        page = await go_on(hass, page, password="wrong")
        assert page["errors"] == {"password": "socket_password"}
        page = await go_on(hass, page, password="correct")
        assert page["step_id"] == "tune"
        assert "correct" not in str(entry.data)
        # Somebody changes it while the proposal is looked at, which is then shown again.
        plugged.firmware.settings.change(web_password="changed")
        page = await go_on(hass, page, changes=["retain_relays"])
        assert page["step_id"] == "tune_password"
        assert page["errors"] == {"password": "socket_password"}
        page = await go_on(hass, page, password="changed")
        assert page["step_id"] == "tune"
        assert plugged.firmware.settings.values.flags == 1 << 10
        done = await go_on(hass, page, changes=["retain_relays"])
        assert done["reason"] == "tuned"
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_closed_server_is_not_tuned(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        assert (await begin(hass, entry, "tune"))["reason"] == "settings_closed"
        await plugged.power_off()
        await until(lambda: not entry.runtime_data.online)
        assert (await begin(hass, entry, "tune"))["reason"] == "not_loaded"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_tuning_a_socket_that_goes_away(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Nothing is done, and nothing is noted as done."""
    undo = {"retain_relays": ["SetFlag 21 0"]}
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged, undo=undo)
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=[])
        assert done["reason"] == "nothing_changed"
        tune = await begin(hass, entry, "tune")
        untune = await begin(hass, entry, "untune")
        await plugged.power_off()
        await until(lambda: not entry.runtime_data.online)
        done = await go_on(hass, tune, changes=["retain_relays"])
        assert done["reason"] == "not_loaded"
        done = await go_on(hass, untune, changes=["retain_relays"])
        assert done["reason"] == "not_loaded"
        assert entry.data["undo"] == undo
        assert plugged.firmware.settings.values.flags == 1 << 10
    await hass.config_entries.async_unload(entry.entry_id)


async def test_what_was_taken_back_is_noted_where_the_broker_is_lost_on_the_way(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Without a web page it goes over MQTT, and the clock is not ours to set any more."""
    kept = {"energy_in_kwh": ["SetFlag 40 0"] * 5}
    entry = socket_entry(
        address=None, tuned=True, undo={"retain_relays": ["SetFlag 21 0"], **kept}
    )
    async with plugged_in(stranger(mosquitto)):
        await add_socket(hass, entry)
        await until(lambda: entry.runtime_data.online)
        before = entry.runtime_data
        page = await begin(hass, entry, "untune")

        @callback
        def noted(_change: ConfigEntryChange, changed: ConfigEntry) -> None:
            if changed is entry and "retain_relays" not in entry.data["undo"]:
                mosquitto.stop()

        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, noted)
        done = await go_on(hass, page, changes=["retain_relays", "energy_in_kwh"])
        assert done["reason"] == "untuning_stopped"
        assert entry.data["undo"] == kept
        assert not entry.data["tuned"]
        await until(lambda: entry.runtime_data is not before)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_another_socket_that_has_got_the_address_meanwhile_is_not_tuned(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    other = stranger(mosquitto, mqtt_client_id="hall")
    async with (
        plugged_in(stranger(mosquitto)) as plugged,
        plugged_in(other, "c8:47:8c:99:99:99") as stranger_there,
    ):
        entry = await add(hass, plugged)
        await until(lambda: stranger_there.firmware.http_address)
        page = await begin(hass, entry, "tune")
        lead_to(hass, stranger_there)
        done = await go_on(hass, page, changes=["retain_relays"])
        assert done["reason"] == "settings_closed"
        for socket in (plugged, stranger_there):
            assert socket.firmware.settings.values.flags == 1 << 10
    await hass.config_entries.async_unload(entry.entry_id)


async def test_socket_of_unknown_address_is_not_tuned(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    assert (await begin(hass, entry, "tune"))["reason"] == "settings_closed"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_nothing_to_calibrate_without_a_meter(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    plain = [pin for pin in BLOW.pins if not pin.role.name.startswith("BL0937")]
    entry = socket_entry(SocketProfile.of(plain))
    await add_socket(hass, entry)
    assert (await begin(hass, entry, "calibration"))["reason"] == "no_meter"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_discovery_mode(
    hass: HomeAssistant, mqtt_connection: MockConfigEntry
) -> None:
    entry = socket_entry()
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options={"calibration": {}})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for values, error in (
        ({"mode": "both"}, "prefix_own"),
        ({"mode": "both", "discovery_prefix": "homeassistant/"}, "prefix_own"),
        ({"mode": "discovery", "discovery_prefix": "a/#"}, "prefix_invalid"),
        ({"mode": "discovery", "discovery_prefix": "$SYS/things"}, "prefix_invalid"),
    ):
        page = await begin(hass, entry, "discovery")
        page = await go_on(hass, page, **values)
        assert page["errors"] == {"discovery_prefix": error}

    done = await go_on(hass, page, mode="both", discovery_prefix="openhab/things")
    assert done["type"] is FlowResultType.CREATE_ENTRY
    # What others keep in the options stays there.
    assert entry.options == {
        "calibration": {},
        "mode": "both",
        "discovery_prefix": "openhab/things",
    }
    topic = "openhab/things/device/openbk_c8478c123456/config"
    await until(lambda: entry.data.get("published") == topic)
    assert entry.runtime_data.native

    page = await begin(hass, entry, "discovery")
    await go_on(hass, page, mode="discovery")
    await until(lambda: (entry.data["published"] or "").startswith("homeassistant/"))
    await until(lambda: not entry.runtime_data.native)
    await hass.async_block_till_done()


async def test_what_cannot_be_tuned_is_told_for_what_it_is(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    own_program = configuration(mosquitto, startup_command="exec autoexec.bat")
    async with plugged_in(own_program) as plugged:
        entry = await add(hass, plugged)
        done = await begin(hass, entry, "tune")
        assert done["reason"] == "startup_left_alone"
        assert done["description_placeholders"]["left_out"]
        await until(lambda: entry.runtime_data.online)
        # A build that does not tell its settings is left as it is.
        async with telling_only(plugged, "/api/info", "/api/pins") as address:
            hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
            move(hass, entry, address=address)
            await until(lambda: entry.runtime_data.online)
            assert (await begin(hass, entry, "tune"))["reason"] == "settings_untold"
            move(hass, entry, mac="c8:47:8c:00:00:99")
            assert (await begin(hass, entry, "tune"))["reason"] == "other_socket"
    await hass.config_entries.async_unload(entry.entry_id)


@asynccontextmanager
async def telling_only(plugged: PluggedSocket, *paths: str) -> AsyncIterator[str]:
    """Answer as a socket that has only these pages; yield the address."""
    async with ClientSession() as session:

        async def answer(request: web.Request) -> web.Response:
            if request.path not in paths:
                return web.Response(text="<html></html>")
            url = f"http://{plugged.firmware.http_address}{request.path}"
            async with session.get(url) as said:
                return web.json_response(await said.json(content_type=None))

        async with server(answer) as address:
            yield address


async def test_a_startup_command_that_somebody_changes_meanwhile_is_theirs(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    """Neither tuning nor taking it back goes over it, and what was not done is not noted."""
    undo = {"startup_command": ['StartupCommand ""', "of an earlier tuning"]}
    async with plugged_in(stranger(mosquitto)) as plugged:
        entry = await add(hass, plugged, undo=undo)
        settings = plugged.firmware.settings
        page = await begin(hass, entry, "tune")
        settings.change(startup_command="echo theirs")
        settings.save()
        done = await go_on(hass, page, changes=["startup_command"])
        assert done["reason"] == "startup_changed"
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=["startup_command"])
        assert done["reason"] == "startup_changed"
        assert settings.values.startup_command == "echo theirs"
        assert entry.data["undo"] == undo
        page = await begin(hass, entry, "tune")
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        done = await go_on(hass, page, changes=["retain_relays"])
        assert done["reason"] == "settings_closed"
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_taking_back_behind_a_password(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    undo = {"energy_in_kwh": ["SetFlag 40 1"], "retain_relays": ["SetFlag 21 0"]}
    config = configuration(mosquitto, web_password="correct")
    async with plugged_in(config) as plugged:
        entry = await add(hass, plugged, undo=undo, energy_in_kwh=False)
        page = await begin(hass, entry, "untune")
        page = await go_on(hass, page, changes=["energy_in_kwh"])
        assert page["step_id"] == "untune_password"
        page = await go_on(hass, page, password="wrong")
        assert page["errors"] == {"password": "socket_password"}
        done = await go_on(hass, page, password="correct")
        assert done["reason"] == "untuned"
        assert list(entry.data["undo"]) == ["retain_relays"]
        assert entry.data["energy_in_kwh"] is True
        await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_without_the_web_page_flags_alone_are_taken_back(
    hass: HomeAssistant, mosquitto: Broker, mqtt_connection: MockConfigEntry
) -> None:
    undo = {
        "startup_command": ['StartupCommand ""'],
        "retain_relays": ["SetFlag 21 0"],
        "state_on_connect": ["SetFlag 2 0"],
    }
    async with plugged_in(configuration(mosquitto)) as plugged:
        entry = await add(hass, plugged, undo=undo)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=["startup_command"])
        assert done["reason"] == "settings_closed"
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=["retain_relays"])
        assert done["reason"] == "untuned"
        await until(lambda: not plugged.firmware.settings.values.flags >> 21 & 1)
        await until(lambda: entry.runtime_data.online)
        move(hass, entry, address=None)
        page = await begin(hass, entry, "untune")
        done = await go_on(hass, page, changes=["state_on_connect"])
        assert done["reason"] == "untuned"
        assert list(entry.data["undo"]) == ["startup_command"]
        await until(lambda: entry.runtime_data.online)
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)
