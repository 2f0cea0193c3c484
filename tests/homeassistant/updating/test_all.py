"""Many sockets are updated one after the other; the first failure stops it and says where it stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.openbk.issues.updates import ISSUE, async_update_all
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.network.firmware import FIRMWARE
from custom_components.openbk.pyopenbk.obk.config_sector import build
from custom_components.openbk.pyopenbk.obk.console import Streams
from custom_components.openbk.updating.record import Stage, UpdateFailed
from simulator import images
from simulator.factory import FactorySocket
from simulator.openbeken import OpenBeken
from simulator.releases import ReleaseServer, Trouble as ServerTrouble
from tests.homeassistant.bench import socket_on_the_bench
from tests.homeassistant.over_the_air import NEW, OLD, SPEED, Updated
from tests.support.broker import Broker
from tests.support.simulated import configuration
from tests.support.sockets import BLOW, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the files of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk"


@asynccontextmanager
async def house(
    hass: HomeAssistant, broker: Broker, *names: str
) -> AsyncIterator[dict[str, Updated]]:
    """Set up sockets that run an older release, by their names, each at an address of its own."""
    sockets: dict[str, Updated] = {}

    async def connect(host: str, _port: int) -> Streams:
        for one in sockets.values():
            if one.firmware.http_address and one.firmware.ip_address == host:
                return await asyncio.open_connection(host, one.firmware.http_port)
        raise ConnectionRefusedError(host)

    hass.data[SOCKET_ACCESS] = SocketAccess(
        simulated=True, speed=SPEED, connect=connect
    )
    async with AsyncExitStack() as stack:
        for number, name in enumerate(names):
            factory = FactorySocket.numbered(number)
            address = f"127.0.0.{number + 11}"
            config = configuration(broker, BLOW, factory.mac)
            content = images.flashed(factory.dump(), OLD, build(config))
            socket = await stack.enter_async_context(
                socket_on_the_bench(content, address=address)
            )
            entry = MockConfigEntry(
                domain="openbk",
                title=name,
                unique_id=factory.mac,
                data={
                    "mac": factory.mac,
                    "client_id": config.mqtt_client_id,
                    "group": "bekens_n",
                    "profile": BLOW.as_dict(),
                    "address": address,
                    "firmware": f"OpenBK7231N {OLD.version} {OLD.built}",
                },
            )
            one = Updated(hass, socket, entry, f"update.{name.lower()}_firmware")
            sockets[name] = one
        for one in sockets.values():
            await until(lambda one=one: isinstance(one.socket.firmware, OpenBeken))
            await add_socket(hass, one.entry)
        for one in sockets.values():
            await until(lambda one=one: one.entry.runtime_data.online)
        await hass.data[FIRMWARE].async_refresh()
        await hass.async_block_till_done()
        assert {one.shown["state"] for one in sockets.values()} == {"on"}
        yield sockets
        for one in sockets.values():
            await hass.config_entries.async_unload(one.entry.entry_id)


def device_of(hass: HomeAssistant, one: Updated) -> str:
    entries = dr.async_entries_for_config_entry(dr.async_get(hass), one.entry.entry_id)
    return entries[0].id


async def update_all(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Call the action and return its response."""
    response = await hass.services.async_call(
        "openbk", "update_all", data, blocking=True, return_response=True
    )
    assert response is not None
    return response


async def test_a_house_is_updated_one_by_one_after_a_canary(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with house(hass, mosquitto, "Fridge", "Heater") as sockets:
        order: list[tuple[str, float]] = []
        now = hass.data[SOCKET_ACCESS].now
        for name, one in sockets.items():
            one.once(Stage.SENDING, lambda name=name: order.append((name, now())))
            one.once(Stage.RESTARTING, lambda name=name: order.append((name, now())))
        report = await update_all(
            hass, device_id=device_of(hass, sockets["Heater"]), watch_minutes=1
        )
        assert report == {
            "updated": ["Heater", "Fridge"],
            "passed_over": {},
            "failed": None,
            "reason": None,
            "not_updated": [],
        }
        assert [name for name, _ in order] == ["Heater", "Heater", "Fridge", "Fridge"]
        # The first ran for its minute before anything was sent to the second.
        assert order[2][1] - order[1][1] > 60
        assert {one.version for one in sockets.values()} == {NEW.version}
        # One download serves all.
        assert sum("/release-assets/" in one for one in releases.requests) == 1


async def test_a_first_one_without_an_update_is_refused_and_none_takes_its_place(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with house(hass, mosquitto, "Fridge", "Heater") as sockets:
        heater = sockets["Heater"]
        await hass.services.async_call(
            "update", "skip", {"entity_id": heater.entity_id}, blocking=True
        )
        with pytest.raises(HomeAssistantError) as err:
            await update_all(hass, device_id=device_of(hass, heater))
        assert err.value.translation_key == "update_all_not_offered"
        assert [one.version for one in sockets.values()] == [OLD.version] * 2
        # Nothing is left running.
        assert await async_update_all(hass, watch=0.0)
        assert sockets["Fridge"].version == NEW.version


async def test_it_stops_at_a_canary_that_starts_anew_and_goes_on_from_its_repair(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with house(hass, mosquitto, "Fridge", "Heater") as sockets:
        fridge, heater = sockets.values()

        def cut_power() -> None:
            fridge.socket.power(on=False)
            fridge.socket.power(on=True)

        def when_watched() -> None:
            if fridge.update.installed == NEW.version:
                stop()
                hass.loop.call_later(2.5, cut_power)

        stop = fridge.update.listen(when_watched)
        report = await async_update_all(hass, watch=60)
        assert (report.failed, report.left) == ("Fridge", ["Heater"])
        assert "updated first" in report.reason
        assert heater.version == OLD.version
        assert not heater.firmware.flashing_over_air
        issue = ir.async_get(hass).async_get_issue("openbk", "update_all_stopped")
        assert issue is not None
        assert issue.translation_placeholders == {
            "updated": "0",
            "left": "1",
            "name": "Fridge",
        }

        assert await async_setup_component(hass, "repairs", {})
        flows = hass.data["repairs"]["flow_manager"]
        page = await flows.async_init(
            "openbk", context={"issue_id": "update_all_stopped"}
        )
        assert page["step_id"] == "confirm"
        # The next one is the first now.
        await flows.async_configure(page["flow_id"], {})
        await until(
            lambda: (
                heater.update.installed == NEW.version and heater.update.stage is None
            )
        )
        assert heater.version == NEW.version
        # It is watched now, in the background, which Home Assistant ends first when it stops.
        await hass.async_block_till_done()
        assert ir.async_get(hass).async_get_issue("openbk", "update_all_stopped")
        await hass.async_block_till_done(wait_background_tasks=True)
        assert not ir.async_get(hass).async_get_issue("openbk", "update_all_stopped")


async def test_one_that_cannot_be_reached_does_not_stop_the_others(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with house(hass, mosquitto, "Fridge", "Heater") as sockets:
        fridge, heater = sockets.values()
        data = {**fridge.entry.data, "address": "127.0.0.99"}
        hass.config_entries.async_update_entry(fridge.entry, data=data)
        report = await update_all(hass, watch_minutes=0)
        assert list(report["passed_over"]) == ["Fridge"]
        assert "nothing was sent" in report["passed_over"]["Fridge"]
        assert report["updated"] == ["Heater"]
        assert (fridge.version, heater.version) == (OLD.version, NEW.version)


async def test_what_stops_it_is_told_to_who_wants_no_response(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with house(hass, mosquitto, "Fridge", "Heater") as sockets:
        releases.trouble = ServerTrouble(spoil_downloads=True)
        running = hass.async_create_task(async_update_all(hass, watch=0))
        await asyncio.sleep(0)
        with pytest.raises(UpdateFailed) as again:
            await async_update_all(hass, watch=0)
        assert again.value.key == "all_running"
        assert (await running).failed == "Fridge"
        # The repair that says so begins nothing where it is at work by then.
        assert await async_setup_component(hass, "repairs", {})
        flows = hass.data["repairs"]["flow_manager"]
        page = await flows.async_init("openbk", context={"issue_id": ISSUE})
        running = hass.async_create_task(async_update_all(hass, watch=0))
        await asyncio.sleep(0)
        done = await flows.async_configure(page["flow_id"], {})
        assert done["reason"] == "going_on"
        assert (await running).failed == "Fridge"
        await hass.async_block_till_done()
        assert ir.async_get(hass).async_get_issue("openbk", ISSUE)
        with pytest.raises(HomeAssistantError) as err:
            await hass.services.async_call("openbk", "update_all", {}, blocking=True)
        assert "Stopped at Fridge" in str(err.value)
        assert "Not updated: 1" in str(err.value)
        assert {one.version for one in sockets.values()} == {OLD.version}


async def test_it_is_for_administrators(
    hass: HomeAssistant, hass_read_only_user: MockUser
) -> None:
    await add_socket(hass, socket_entry())
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            "openbk",
            "update_all",
            {},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )
