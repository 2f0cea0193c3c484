"""A wizard that is left, closed, taken over or stopped: the port comes back, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeassistant import loader
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.openbk.flows.serial_port import async_release, async_take
from custom_components.openbk.flows.wizard.arrival import WAITING, Waiting
from custom_components.openbk.flows.wizard.link import SEARCHING, Searching
from custom_components.openbk.helpers import backup_folder
from custom_components.openbk.issues.half_written import async_review_half_written
from custom_components.openbk.network.strangers import strangers
from custom_components.openbk.pyopenbk.flashing import JobRecords
from custom_components.openbk.pyopenbk.profile import SocketProfile
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.adding import cards
from tests.homeassistant.bench import (
    blow_dump,
    chip,
    factory_dump,
    is_free,
    open_port,
    socket_on_the_bench,
)
from tests.homeassistant.road import (
    SECRET,
    another_wifi,
    finish,
    to_confirmation,
    to_pins,
    walk_on,
)
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.flash_map import FLASH_SIZE
from tests.support.sockets import BLOW, connect_mqtt, listen, listens_for_sockets
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

walks = pytest.mark.walks

# What the person is promised, in seconds.
FREE_AFTER = 1.0


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


@pytest.fixture
async def socket() -> AsyncIterator[SimulatedSocket]:
    """Return a socket on the bench."""
    async with socket_on_the_bench(blow_dump()) as socket:
        yield socket


async def free_in_time(hass: HomeAssistant, path: str) -> None:
    """Raise unless the port is free within a second, and the wizard is gone."""
    left = hass.loop.time()
    while not await is_free(path):
        assert hass.loop.time() - left < FREE_AFTER
    assert not hass.config_entries.flow.async_progress_by_handler("openbk")


async def dawdle(socket: SimulatedSocket, command: Command) -> None:
    """Make each command of this kind take its time."""
    socket.inject(
        Fault(name=FaultName.REPLY_LATE, command=command, times=0, seconds=0.05)
    )


async def in_search(
    hass: HomeAssistant, socket: SimulatedSocket, broker: Broker
) -> Wizard:
    """Return a wizard that searches."""
    socket.inject(Fault(name=FaultName.DISCONNECTED))
    wizard = await open_port(hass, socket.path)
    assert await wizard.start({}) == "search"
    return wizard


async def in_backup(
    hass: HomeAssistant, socket: SimulatedSocket, broker: Broker
) -> Wizard:
    """Return a wizard that reads."""
    await dawdle(socket, Command.READ_4K)
    wizard = await in_search(hass, socket, broker)
    socket.clear(FaultName.DISCONNECTED)
    while wizard.page == "search":
        await asyncio.sleep(0.02)
        wizard.look_at(
            await hass.config_entries.flow.async_configure(wizard.result["flow_id"])
        )
    assert wizard.page == "backup"
    await until(lambda: wizard.percentages and wizard.percentages[-1] > 0.02)
    return wizard


async def at_pins(
    hass: HomeAssistant, socket: SimulatedSocket, broker: Broker
) -> Wizard:
    """Return a wizard that holds the port and waits for the person."""
    wizard = await to_pins(hass, socket)
    assert not await is_free(socket.path)
    return wizard


async def test_closing_the_dialog_frees_the_port(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    for stage in (in_search, in_backup, at_pins):
        wizard = await stage(hass, socket, mosquitto)
        await wizard.close()
        await free_in_time(hass, socket.path)
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump(), stage.__name__
        socket.clear()


async def in_writing(
    hass: HomeAssistant, socket: SimulatedSocket, broker: Broker, server: ReleaseServer
) -> Wizard:
    """Return a wizard that writes."""
    wizard = await to_pins(hass, socket)
    await to_confirmation(wizard, broker, server)
    await dawdle(socket, Command.WRITE_4K)
    wizard.percentages.clear()
    assert await wizard.start({}) == "write"
    await until(lambda: wizard.percentages and wizard.percentages[-1] > 0.05)
    return wizard


def half_written(hass: HomeAssistant) -> list[str]:
    """Return the names of the chips that repairs are offered for."""
    return [
        str((issue.translation_placeholders or {})["name"])
        for issue in ir.async_get(hass).issues.values()
        if issue.translation_key == "half_written"
    ]


async def go_on(hass: HomeAssistant, socket: SimulatedSocket) -> None:
    """Bring an interrupted writing to its end with the passwords alone."""
    socket.clear()
    again = await to_pins(hass, socket)
    assert again.page == "resume", again.pages
    assert await again.choose("resume_passwords") == "resume_passwords"
    assert await again.submit(wifi_password=SECRET) == "write_confirm"
    await again.submit()
    entry = await finish(hass, again)
    assert entry.title == "Kitchen"


async def test_closing_the_dialog_while_it_writes(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    wizard = await in_writing(hass, socket, mosquitto, releases)
    # Whatever happens to Home Assistant from now on, it is told of.
    await until(lambda: half_written(hass) == ["Kitchen"])
    (issue,) = ir.async_get(hass).issues.values()
    assert issue.is_persistent
    other = await Wizard.open(hass, "flash")
    assert await other.submit(adapter=socket.path) == "other_wizard"
    assert "**Kitchen**: It is writing" in other.placeholders["other"]
    await other.close()
    await wizard.close()
    await free_in_time(hass, socket.path)
    await hass.async_block_till_done()
    assert half_written(hass) == ["Kitchen"]
    await go_on(hass, socket)
    assert not half_written(hass)


@walks("left_half_written")
async def test_repair_opens_the_wizard(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    wizard = await to_pins(hass, socket)
    await to_confirmation(wizard, mosquitto, releases)
    socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
    assert await wizard.submit() == "failed_link_lost_writing"
    assert await wizard.choose("leave") == "left_half_written"
    await hass.async_block_till_done()
    socket.power(on=True)
    (issue,) = ir.async_get(hass).issues.values()
    repairs = hass.data["repairs"]["flow_manager"]
    page = await repairs.async_init("openbk", context={"issue_id": issue.issue_id})
    assert page["step_id"] == "confirm"
    assert page["description_placeholders"]["name"] == "Kitchen"
    ended = await repairs.async_configure(page["flow_id"], {})
    assert (ended["type"], ended["reason"]) == ("abort", "wizard_opened")
    # Nothing is repaired yet.
    assert half_written(hass) == ["Kitchen"]
    kind, flow_id = ended["next_flow"]
    assert kind == "config_flow"
    again = Wizard(hass)
    again.look_at(await hass.config_entries.flow.async_configure(flow_id))
    assert again.page == "intro"
    await again.submit(adapter=socket.path)
    await walk_on(again)
    assert again.page == "resume"
    await again.choose("resume_passwords")
    await again.submit(wifi_password=SECRET)
    assert await again.submit() == "reassemble"
    assert not half_written(hass)
    await finish(hass, again)


async def test_a_job_whose_record_cannot_be_read_may_not_have_ended(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    """The repair says that nobody knows, the wizard looks at the chip, and it is completed."""
    assert await async_setup_component(hass, "repairs", {})
    wizard = await in_writing(hass, socket, mosquitto, releases)
    await wizard.close()
    await free_in_time(hass, socket.path)
    socket.clear()
    folder = backup_folder(hass)
    (record,) = await hass.async_add_executor_job(JobRecords(folder).list)
    path = JobRecords(folder).path_of(record.mac)
    await hass.async_add_executor_job(path.write_text, "{")
    again = await to_pins(hass, socket)
    assert again.page == "resume"
    assert await again.choose("leave") == "left_half_written"
    await until(lambda: not half_written(hass))
    (issue,) = ir.async_get(hass).issues.values()
    assert issue.translation_key == "half_written_unknown"
    told = issue.translation_placeholders or {}
    assert told["name"] == "Kitchen"
    assert path.name in told["file"].replace("\\", "")
    # Without a folder that can be read, nothing is known to be over.
    await hass.async_add_executor_job(
        folder.path.rename, folder.path.with_name("aside")
    )
    await hass.async_add_executor_job(folder.path.symlink_to, folder.path)
    await async_review_half_written(hass)
    assert ir.async_get(hass).issues
    await hass.async_add_executor_job(folder.path.unlink)
    await hass.async_add_executor_job(
        (folder.path.with_name("aside")).rename, folder.path
    )
    await go_on(hass, socket)
    assert not ir.async_get(hass).issues
    assert not path.exists()


async def test_a_record_that_somebody_has_deleted_needs_no_wizard(
    hass: HomeAssistant,
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    assert await async_setup_component(hass, "openbk", {})
    path = JobRecords(backup_folder(hass)).path_of("c8:47:8c:00:00:07")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    await async_review_half_written(hass)
    (issue,) = ir.async_get(hass).issues.values()
    assert (issue.translation_placeholders or {})["name"] == "c8:47:8c:00:00:07"
    path.unlink()
    repairs = hass.data["repairs"]["flow_manager"]
    page = await repairs.async_init("openbk", context={"issue_id": issue.issue_id})
    ended = await repairs.async_configure(page["flow_id"], {})
    assert ended["type"] == "create_entry"
    assert not ir.async_get(hass).issues


async def written(
    hass: HomeAssistant,
    socket: SimulatedSocket,
    broker: Broker,
    server: ReleaseServer,
) -> Wizard:
    """Return a wizard that has written a socket, which then reports in."""
    await listens_for_sockets(hass)
    said: list[str] = []
    asked: list[str] = []
    stop = [
        await listen(hass, topic, lambda message, heard=heard: heard.append(""))
        for topic, heard in (
            ("obkE4720741/build", said),
            ("cmnd/obkE4720741/publishAll", asked),
        )
    ]
    wizard = await to_pins(hass, socket)
    await wizard.choose("use_pins")
    advanced = {"group": "plugs", "time_zone": "Asia/Kolkata"}
    await wizard.submit_suggested(name="Kitchen", advanced=advanced)
    await another_wifi(wizard)
    await wizard.submit_suggested(ssid="TestNet", password=SECRET)
    await wizard.submit_suggested(host=broker.host, port=broker.port)
    await wizard.submit_suggested()
    assert await wizard.submit() == "reassemble", wizard.pages
    await until(lambda: said)
    # Core has passed on what it said, which led to nothing as its wizard is open.
    await until(lambda: asked and not strangers(hass).asked)
    await hass.async_block_till_done()
    for each in stop:
        each()
    return wizard


async def added_from_card(hass: HomeAssistant) -> ConfigEntry:
    """Add the socket whose card has the name that was chosen for it, as it was set up."""
    await until(lambda: cards(hass) == ["Kitchen"])
    (card,) = hass.config_entries.flow.async_progress_by_handler("openbk")
    wizard = Wizard(hass)
    wizard.look_at(await hass.config_entries.flow.async_configure(card["flow_id"]))
    assert wizard.page == "reported_in"
    assert wizard.placeholders["client_id"] == "obkE4720741"
    assert await wizard.submit() == "created"
    return set_up(wizard.result["result"])


def set_up(entry: ConfigEntry) -> ConfigEntry:
    """See that an entry has what was chosen in the wizard."""
    assert entry.title == "Kitchen"
    chosen = {"group": "plugs", "time_zone": "Asia/Kolkata", "tuned": True}
    assert {key: entry.data[key] for key in chosen} == chosen
    assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
    return entry


async def unload(hass: HomeAssistant) -> None:
    await hass.async_block_till_done()
    for entry in hass.config_entries.async_entries("openbk"):
        await hass.config_entries.async_unload(entry.entry_id)


@walks("reported_in -> created")
async def test_written_socket_is_found_when_its_dialog_is_closed(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    wizard = await written(hass, socket, mosquitto, releases)
    # Its dialog is open, so nothing else offers it.
    assert not cards(hass)
    await wizard.close()
    await added_from_card(hass)
    assert not hass_storage["openbk.unfinished"]["data"]
    await unload(hass)


@walks("other_wizard -> take_over -> port", "reported_in -> created")
async def test_written_socket_is_found_when_its_wizard_is_taken_over(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    """The tab was closed; nothing tells a dialog of that."""
    await written(hass, socket, mosquitto, releases)
    second = await Wizard.open(hass, "flash")
    assert await second.submit(adapter=socket.path) == "other_wizard"
    assert "**Kitchen**: It has written OpenBeken" in second.placeholders["other"]
    assert await second.choose("take_over") == "port"
    await second.close()
    await added_from_card(hass)
    await unload(hass)


@walks("found -> created")
async def test_written_socket_has_its_name_in_the_list_of_those_found(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    wizard = await written(hass, socket, mosquitto, releases)
    await wizard.close()
    await until(lambda: cards(hass) == ["Kitchen"])
    wizard = await Wizard.open(hass, "existing")
    assert wizard.page == "found"
    (choice,) = wizard.result["data_schema"].schema.values()
    assert choice.config["options"][0]["label"].startswith("Kitchen (obkE4720741")
    assert await wizard.submit(found="obkE4720741") == "created"
    set_up(wizard.result["result"])
    assert not cards(hass)
    await unload(hass)


@walks("wait -> added")
async def test_written_socket_is_added_when_nobody_goes_on(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    """The dialog may only be left open for long: whoever comes back is told."""
    hass.data[WAITING] = Waiting(abandoned_after=0.3)
    wizard = await written(hass, socket, mosquitto, releases)
    await until(lambda: hass.config_entries.async_entries("openbk"))
    (entry,) = hass.config_entries.async_entries("openbk")
    set_up(entry)
    await hass.async_block_till_done()
    assert await wizard.submit_suggested() == "added"
    assert wizard.placeholders["name"] == "Kitchen"
    assert hass.config_entries.async_entries("openbk") == [entry]
    await unload(hass)


async def test_socket_is_discovered_again_when_its_entry_is_deleted(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    """Core has heard of it while its wizard was open, and would not tell again by itself."""
    wizard = await written(hass, socket, mosquitto, releases)
    assert await wizard.submit_suggested() == "created"
    await hass.async_block_till_done()
    assert not cards(hass)
    await hass.config_entries.async_remove(wizard.result["result"].entry_id)
    await until(lambda: cards(hass) == ["obkE4720741"])


async def test_home_assistant_stops_while_it_writes(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
    tmp_path: Path,
) -> None:
    async with async_test_home_assistant() as first:
        first.config.config_dir = str(tmp_path)
        first.data.pop(loader.DATA_CUSTOM_COMPONENTS, None)
        await connect_mqtt(first, mosquitto)
        await in_writing(first, socket, mosquitto, releases)
        stopping = first.loop.time()
        await first.async_stop(force=True)
        assert first.loop.time() - stopping < 10
        # A thread closes it; Home Assistant's last wait is for its threads.
        while not await is_free(socket.path):
            assert first.loop.time() - stopping < 10
    await go_on(hass, socket)


@walks(
    "intro -> other_wizard -> take_over, leave",
    "left_untouched",
    "take_over -> port",
)
async def test_taking_over_from_a_wizard_that_reads(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    await in_backup(hass, socket, mosquitto)
    second = await Wizard.open(hass, "flash")
    assert await second.submit(adapter=socket.path) == "other_wizard"
    assert second.placeholders["other"].startswith("It has not read a chip yet")
    # Two progress displays would share one ring.
    assert not second.percentages
    assert await second.choose("leave") == "left_untouched"
    second = await Wizard.open(hass, "flash")
    assert await second.submit(adapter=socket.path) == "other_wizard"
    socket.clear()
    assert await second.choose("take_over") == "port"
    assert len(hass.config_entries.flow.async_progress_by_handler("openbk")) == 1
    await second.submit(adapter=socket.path)
    await walk_on(second)
    assert second.page == "pins"
    await second.close()
    await free_in_time(hass, socket.path)


async def test_a_wizard_that_writes_goes_on_beside_another_one(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    """Whichever adapter the other one is opened for; it is told what ending the first one costs."""
    writing = await in_writing(hass, socket, mosquitto, releases)
    async with chip(factory_dump()) as other:
        for wanted in (socket.path, other.path):
            second = await Wizard.open(hass, "flash")
            assert await second.submit(adapter=wanted) == "other_wizard"
            told = second.placeholders["other"]
            assert "**Kitchen**: It is writing to the chip right now." in told
            assert "the chip stays half-written" in told
            assert await second.choose("leave") == "left_untouched"
    socket.clear()
    assert await writing.settle() == "reassemble"
    await finish(hass, writing)


@walks("other_wizard -> take_over -> port")
async def test_taking_over_from_a_wizard_that_writes(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    await in_writing(hass, socket, mosquitto, releases)
    second = await Wizard.open(hass, "flash")
    assert await second.submit(adapter=socket.path) == "other_wizard"
    assert await second.choose("take_over") == "port"
    assert half_written(hass) == ["Kitchen"]
    assert await is_free(socket.path)
    await second.close()
    await go_on(hass, socket)
    assert not half_written(hass)


async def test_a_wizard_that_is_just_leaving_is_waited_for(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    first = await in_backup(hass, socket, mosquitto)
    second = await Wizard.open(hass, "flash")
    await first.close()
    socket.clear()
    await second.submit(adapter=socket.path)
    assert await walk_on(second) == "pins"
    await second.close()
    await free_in_time(hass, socket.path)


async def test_a_wizard_that_has_left_needs_no_take_over(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    for at_once in (True, False):
        first = await at_pins(hass, socket, mosquitto)
        second = await Wizard.open(hass, "flash")
        assert await second.submit(adapter=socket.path) == "other_wizard"
        await first.close()
        if not at_once:
            await hass.async_block_till_done()
            assert await is_free(socket.path)
        assert await second.choose("take_over") == "port", at_once
        assert await is_free(socket.path), at_once
        await second.close()


@dataclass
class Stuck:
    """A wizard that was closed, and whose driver does not return from closing the port."""

    flow_id: str = "stuck"
    leaving: bool = True
    title: str = "Kitchen"
    doing: str = "writing"
    left: asyncio.Event = field(default_factory=asyncio.Event)


@walks("intro -> other_wizard -> take_over -> other_wizard", "take_over -> port")
async def test_a_port_that_is_never_let_go_of_does_not_hang_the_next_wizard(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    hass.data[SEARCHING] = Searching(release=0.05)
    stuck = Stuck()
    assert async_take(hass, stuck)
    wizard = await Wizard.open(hass, "flash")
    assert await wizard.submit(adapter=socket.path) == "other_wizard"
    assert wizard.placeholders["other"].startswith("**Kitchen**")
    assert await wizard.choose("take_over") == "other_wizard"
    async_release(hass, stuck)
    assert await wizard.choose("take_over") == "port"
    await wizard.close()


@walks("port -> other_wizard")
async def test_two_wizards_reach_for_the_port_at_once(hass: HomeAssistant) -> None:
    async with chip(factory_dump()) as one, chip(factory_dump()) as other:
        first, second = (
            await Wizard.open(hass, "flash"),
            await Wizard.open(hass, "flash"),
        )
        await asyncio.gather(
            first.submit(adapter=one.path), second.submit(adapter=other.path)
        )
        loser, free = (
            (first, one) if second.page == "no_pins_erased" else (second, other)
        )
        assert {first.page, second.page} - {loser.page} == {"no_pins_erased"}
        # It came too late by more or by less.
        assert (loser.page, loser.errors) in (
            ("port", {"adapter": "port_busy"}),
            ("other_wizard", {}),
        )
        assert await is_free(free.path)
        # The form was open before the other wizard began.
        if loser.page == "port":
            assert await loser.submit(adapter=free.path) == "other_wizard"
        await first.close()
        await second.close()


async def test_resume_asks_for_each_password(
    hass: HomeAssistant,
    mqtt_connection: MockConfigEntry,
    releases: ReleaseServer,
    socket: SimulatedSocket,
) -> None:
    with Broker(users={"sockets": "right"}) as broker:
        wizard = await to_pins(hass, socket)
        await wizard.choose("use_pins")
        await wizard.submit_suggested(name="Kitchen")
        await another_wifi(wizard)
        await wizard.submit_suggested(
            ssid="First",
            password=SECRET,
            second={"ssid": "Second", "password": "another word"},
        )
        login = {"username": "sockets", "password": "right"}
        at = {"host": broker.host, "port": broker.port}
        await wizard.submit_suggested(**at, **login)
        await wizard.submit_suggested()
        # Home Assistant is on another broker in this test.
        assert wizard.errors == {"base": "broker_another"}
        assert await wizard.submit_suggested() == "write_confirm"
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        await wizard.choose("leave")
        socket.power(on=True)
        again = await to_pins(hass, socket)
        assert await again.choose("resume_passwords") == "resume_passwords"
        answers = {
            "wifi_password": SECRET,
            "second_wifi_password": "short",
            "broker_password": "wrong",
        }
        await again.submit(**answers)
        assert again.errors == {"base": "second_wifi_password_short"}
        # What was right is kept and not sent back.
        assert SECRET not in again.sent
        await again.submit(second_wifi_password="another word", broker_password="wrong")
        assert again.errors == {"base": "broker_refused_login"}
        await again.submit(broker_password="right")
        assert again.errors == {"base": "broker_another"}
        assert await again.submit() == "write_confirm"
        await again.close()

        # It may be the login of Home Assistant itself, which need not be typed.
        data = {**mqtt_connection.data, "username": "sockets", "password": "right"}
        hass.config_entries.async_update_entry(mqtt_connection, data=data)
        again = await to_pins(hass, socket)
        await again.choose("resume_passwords")
        assert again.placeholders["own_login"] == "sockets"
        passwords = {
            "wifi_password": SECRET,
            "second_wifi_password": "another word",
        }
        assert await again.submit(**passwords, use_own_login=False) == (
            "resume_passwords"
        )
        assert again.errors == {"base": "broker_refused_login"}
        await again.submit(use_own_login=True)
        assert await again.submit(use_own_login=False) == "write_confirm"
        await again.close()
