"""A wizard that is left, closed, taken over or stopped: the port comes back, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from homeassistant import loader
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.openbk.pyopenbk.beken.flash_map import FLASH_SIZE
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    blow_dump,
    chip,
    factory_dump,
    is_free,
    open_port,
    socket_on_the_bench,
)
from tests.homeassistant.road import SECRET, finish, to_confirmation, to_pins
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.sockets import connect_mqtt
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
    await wizard.submit()
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


@pytest.mark.parametrize("stage", [in_search, in_backup, at_pins])
async def test_closing_the_dialog_frees_the_port(
    hass: HomeAssistant,
    mosquitto: Broker,
    socket: SimulatedSocket,
    stage: Callable[[HomeAssistant, SimulatedSocket, Broker], Awaitable[Wizard]],
) -> None:
    wizard = await stage(hass, socket, mosquitto)
    await wizard.close()
    await free_in_time(hass, socket.path)
    assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


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
    await wizard.close()
    await free_in_time(hass, socket.path)
    await go_on(hass, socket)


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
        assert await is_free(socket.path)
    await go_on(hass, socket)


@walks(
    "intro -> other_wizard -> *",
    "take_over -> port",
)
async def test_taking_over_from_a_wizard_that_reads(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    await in_backup(hass, socket, mosquitto)
    second = await Wizard.open(hass, "flash")
    assert await second.submit() == "other_wizard"
    # Two progress displays would share one ring.
    assert not second.percentages
    assert await second.choose("leave") == "left_untouched"
    second = await Wizard.open(hass, "flash")
    assert await second.submit() == "other_wizard"
    socket.clear()
    assert await second.choose("take_over") == "port"
    assert len(hass.config_entries.flow.async_progress_by_handler("openbk")) == 1
    await second.submit(adapter=socket.path)
    if second.page == "opening":
        await second.submit()
        await second.submit()
    assert second.page == "pins"
    await second.close()
    await free_in_time(hass, socket.path)


async def test_a_wizard_that_is_just_leaving_is_waited_for(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket
) -> None:
    first = await in_backup(hass, socket, mosquitto)
    second = await Wizard.open(hass, "flash")
    await first.close()
    socket.clear()
    assert await second.submit() == "port"
    assert await is_free(socket.path)
    await second.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_wizard_that_has_left_needs_no_take_over(
    hass: HomeAssistant, mosquitto: Broker, socket: SimulatedSocket, at_once: bool
) -> None:
    first = await at_pins(hass, socket, mosquitto)
    second = await Wizard.open(hass, "flash")
    assert await second.submit() == "other_wizard"
    await first.close()
    if not at_once:
        await hass.async_block_till_done()
        assert await is_free(socket.path)
    assert await second.choose("take_over") == "port"
    assert await is_free(socket.path)
    await second.close()


@walks("port -> other_wizard")
async def test_two_wizards_reach_for_the_port_at_once(hass: HomeAssistant) -> None:
    async with chip(factory_dump()) as one, chip(factory_dump()) as other:
        first, second = (
            await Wizard.open(hass, "flash"),
            await Wizard.open(hass, "flash"),
        )
        assert await first.submit() == await second.submit() == "port"
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
        assert await wizard.submit_suggested() == "firmware"
        await wizard.submit_suggested()
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
        assert SECRET not in str(again.result)
        await again.submit(second_wifi_password="another word")
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
