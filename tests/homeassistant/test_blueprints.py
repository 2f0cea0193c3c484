"""The blueprints do what they promise, with a socket behind a real broker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import re
from typing import Any
from urllib.parse import unquote

from homeassistant.core import Event, HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_get_persistent_notifications,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from tests.support.automations import (
    BLUEPRINTS,
    ROOT,
    give_config_folder,
    runs,
    stop_automations,
    use_blueprint,
)
from tests.support.sockets import (
    ScriptedSocket,
    add_scripted_socket,
    search_over,
    socket_entry,
)
from tests.support.waiting import until
from tests.support.wall_clock import WallClock, wall_clock

pytestmark = pytest.mark.e2e

NAMES = sorted(path.stem for path in BLUEPRINTS.glob("*.yaml"))
PAGE = "https://github.com/openbk/openbk-home-assistant/blob/main/"
IMPORT = "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url="

POWER = "sensor.washing_machine_power"
ENERGY = "sensor.washing_machine_energy"
YESTERDAY = "sensor.washing_machine_energy_yesterday"
RELAY = "switch.washing_machine"
BUTTON = "event.washing_machine_button"
MINUTE = 60
TELL = {
    "event": "told",
    "event_data": {
        "appliance": "{{ appliance }}",
        "minutes": "{{ minutes | default }}",
        "energy": "{{ energy }}",
        "cost": "{{ cost | default }}",
    },
}


@pytest.fixture
def clock(hass: HomeAssistant) -> Iterator[WallClock]:
    """Let it be seven in the morning in winter."""
    with wall_clock(hass, "2026-11-29 06:00") as clock:
        yield clock


@pytest.fixture
async def socket(
    hass: HomeAssistant,
    tmp_path: Path,
    mqtt_connection: MockConfigEntry,
    clock: WallClock,
) -> AsyncIterator[ScriptedSocket]:
    """Yield a socket that is online."""
    give_config_folder(hass, tmp_path)
    await hass.config.async_set_time_zone("Europe/Warsaw")
    entry = socket_entry()
    scripted = await add_scripted_socket(hass, entry)
    await search_over(hass)
    assert await async_setup_component(hass, "persistent_notification", {})
    yield scripted
    await stop_automations(hass)


@pytest.fixture
def told(hass: HomeAssistant) -> list[Event]:
    """Return what the automation tells."""
    return async_capture_events(hass, "told")


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found
    return found.state


async def draw(socket: ScriptedSocket, watts: float) -> None:
    """Let the socket report a power."""
    await socket.say("power/get", str(watts))
    await until(lambda: state(socket.hass, POWER) == str(float(watts)))


async def count(socket: ScriptedSocket, watt_hours: int) -> None:
    """Let the socket report its total energy."""
    await socket.say("energycounter/get", str(watt_hours))
    await until(lambda: state(socket.hass, ENERGY) == str(watt_hours / 1000))


async def leave_and_return(socket: ScriptedSocket) -> None:
    """Lose the socket for a moment, as where the Wi-Fi is weak."""
    await socket.say("connected", "offline", retain=True)
    await until(lambda: state(socket.hass, POWER) == "unavailable")
    await socket.say("connected", "online", retain=True)
    await until(lambda: state(socket.hass, RELAY) != "unavailable")


async def switch(socket: ScriptedSocket, *, on: bool) -> None:
    """Switch the relay with the button of the socket."""
    socket.channels[1] = int(on)
    await socket.say("1/get", str(int(on)))
    await until(lambda: state(socket.hass, RELAY) == ("on" if on else "off"))


class TestApplianceFinished:
    async def test_it_is_told_once_when_the_last_pause_is_over(
        self,
        hass: HomeAssistant,
        socket: ScriptedSocket,
        clock: WallClock,
        told: list[Event],
    ) -> None:
        await use_blueprint(
            hass,
            "appliance_finished",
            power=POWER,
            energy_total=ENERGY,
            finished=[TELL],
        )
        await draw(socket, 2)
        await count(socket, 1000)
        # A short peak is no run.
        await draw(socket, 300)
        await clock.forward(30)
        await draw(socket, 2)
        await clock.forward(10 * MINUTE)
        assert runs(hass) == 0

        await draw(socket, 2000)
        await clock.forward(61)
        await until(lambda: runs(hass) == 1)
        await clock.forward(20 * MINUTE)
        # A pause is not the end.
        await draw(socket, 1.5)
        await clock.forward(4 * MINUTE)
        await draw(socket, 400)
        await clock.forward(5 * MINUTE)
        await draw(socket, 3)
        # Messages keep the true time, in which no more could be counted.
        await count(socket, 1060)
        assert not told
        await clock.forward(5 * MINUTE + 1)
        await until(lambda: told)
        assert told[0].data == {
            "appliance": "Washing machine",
            # Until it last fell below the limit.
            "minutes": 30,
            "energy": 0.06,
            "cost": "",
        }
        await until(lambda: runs(hass) == 0)

        await draw(socket, 2000)
        await clock.forward(61)
        await until(lambda: runs(hass) == 1)
        await draw(socket, 3)
        await clock.forward(5 * MINUTE + 1)
        await until(lambda: len(told) == 2)
        assert told[1].data["energy"] == 0

    async def test_a_socket_that_was_away_keeps_nobody_waiting(
        self,
        hass: HomeAssistant,
        socket: ScriptedSocket,
        clock: WallClock,
        told: list[Event],
    ) -> None:
        """It comes back with a machine that runs, and once more with one that is finished."""
        await use_blueprint(hass, "appliance_finished", power=POWER, finished=[TELL])
        await draw(socket, 500)
        await clock.forward(30)
        await leave_and_return(socket)
        await draw(socket, 600)
        await clock.forward(61)
        await until(lambda: runs(hass) == 1)
        await draw(socket, 2)
        await clock.forward(3 * MINUTE)
        await leave_and_return(socket)
        await draw(socket, 2)
        await clock.forward(3 * MINUTE)
        assert not told
        await clock.forward(3 * MINUTE)
        await until(lambda: told)
        assert told[0].data["energy"] is None

    async def test_what_it_says_if_nothing_else_is_chosen(
        self,
        hass: HomeAssistant,
        socket: ScriptedSocket,
        clock: WallClock,
    ) -> None:
        await use_blueprint(hass, "appliance_finished", power=POWER)
        await draw(socket, 500)
        await clock.forward(61)
        await until(lambda: runs(hass) == 1)
        await clock.forward(49 * MINUTE)
        await draw(socket, 2)
        await clock.forward(5 * MINUTE + 1)
        await until(lambda: runs(hass) == 0)
        (shown,) = async_get_persistent_notifications(hass).values()
        assert shown["title"] == "Washing machine"
        assert shown["message"] == "Finished after 50 minutes."


class TestStandbyOff:
    async def test_off_after_a_quarter_of_an_hour_on_standby(
        self, hass: HomeAssistant, socket: ScriptedSocket, clock: WallClock
    ) -> None:
        await use_blueprint(hass, "standby_off", relay=RELAY, power=POWER)
        await switch(socket, on=True)
        await draw(socket, 110)
        await clock.forward(3600)
        await draw(socket, 4)
        await clock.forward(14 * MINUTE)
        # Somebody watches on.
        await draw(socket, 110)
        await draw(socket, 4)
        await clock.forward(14 * MINUTE)
        await hass.async_block_till_done()
        assert socket.channels[1] == 1
        await clock.forward(MINUTE + 1)
        await until(lambda: state(hass, RELAY) == "off")

        # Off it takes even less; the button brings it back, and it is never used.
        await draw(socket, 0)
        await clock.forward(3600)
        await switch(socket, on=True)
        await draw(socket, 4)
        await clock.forward(14 * MINUTE)
        await hass.async_block_till_done()
        assert socket.channels[1] == 1
        await clock.forward(MINUTE + 1)
        await until(lambda: state(hass, RELAY) == "off")

    async def test_a_socket_that_was_away_is_switched_off_all_the_same(
        self, hass: HomeAssistant, socket: ScriptedSocket, clock: WallClock
    ) -> None:
        await use_blueprint(hass, "standby_off", relay=RELAY, power=POWER)
        await switch(socket, on=True)
        await draw(socket, 4)
        await clock.forward(10 * MINUTE)
        await leave_and_return(socket)
        await clock.forward(14 * MINUTE)
        await draw(socket, 4)
        await hass.async_block_till_done()
        assert socket.channels[1] == 1
        await clock.forward(15 * MINUTE + 1)
        await until(lambda: state(hass, RELAY) == "off")

    async def test_what_must_be_so_as_well(
        self, hass: HomeAssistant, socket: ScriptedSocket, clock: WallClock
    ) -> None:
        hass.states.async_set("input_boolean.recording", "on")
        await use_blueprint(
            hass,
            "standby_off",
            relay=RELAY,
            power=POWER,
            standby_for={"minutes": 2},
            only_if=[
                {
                    "condition": "state",
                    "entity_id": "input_boolean.recording",
                    "state": "off",
                }
            ],
        )
        await switch(socket, on=True)
        await draw(socket, 4)
        await clock.forward(2 * MINUTE + 1)
        await hass.async_block_till_done()
        assert socket.channels[1] == 1
        hass.states.async_set("input_boolean.recording", "off")
        await draw(socket, 110)
        await draw(socket, 4)
        await clock.forward(2 * MINUTE + 1)
        await until(lambda: state(hass, RELAY) == "off")


async def test_each_press_does_what_was_chosen_for_it(
    hass: HomeAssistant, socket: ScriptedSocket, told: list[Event]
) -> None:
    presses = ("double", "triple", "hold", "release")
    await use_blueprint(
        hass,
        "button_presses",
        button=BUTTON,
        **{
            press: [{"event": "told", "event_data": {"press": press}}]
            for press in presses
        },
    )
    for said in (
        *("release", "single"),
        *("release", "release", "double"),
        *("release", "release", "release", "triple"),
        *("hold", "release"),
    ):
        await socket.say("button/get", said)
    await until(lambda: len(told) == len(presses))
    await hass.async_block_till_done()
    assert [event.data["press"] for event in told] == [*presses]


class TestDailyCost:
    async def test_it_is_told_every_day_at_that_time(
        self,
        hass: HomeAssistant,
        socket: ScriptedSocket,
        clock: WallClock,
        told: list[Event],
    ) -> None:
        await use_blueprint(
            hass,
            "daily_cost",
            energy_yesterday=YESTERDAY,
            price=0.3125,
            at="08:00:00",
            tell=[TELL],
        )
        await socket.say("datetime", str(int(dt_util.utcnow().timestamp())))
        await socket.say("power/get", "10")
        await socket.say("energycounter/get", "9000")
        for watt_hours in (1640, 330):
            await socket.say("energycounter_yesterday/get", str(watt_hours))
            shown = str(watt_hours / 1000)
            await until(lambda shown=shown: state(hass, YESTERDAY) == shown)
            days = len(told)
            await clock.forward(59 * MINUTE)
            await hass.async_block_till_done()
            assert len(told) == days
            await clock.forward(2 * MINUTE)
            await until(lambda days=days: len(told) == days + 1)
            await clock.forward(22 * 60 * MINUTE + 59 * MINUTE)
        assert [(event.data["energy"], event.data["cost"]) for event in told] == [
            (1.64, 0.51),
            (0.33, 0.1),
        ]

    async def test_a_socket_that_is_away_is_told_of_later_on_that_day(
        self,
        hass: HomeAssistant,
        socket: ScriptedSocket,
        clock: WallClock,
    ) -> None:
        await use_blueprint(hass, "daily_cost", energy_yesterday=YESTERDAY, price=0.3)
        # Its clock is not set yet.
        assert state(hass, YESTERDAY) == "unavailable"
        await clock.forward(61 * MINUTE)
        await until(lambda: runs(hass) == 1)
        await clock.forward(60 * MINUTE)
        assert not async_get_persistent_notifications(hass).values()
        await socket.say("datetime", str(int(dt_util.utcnow().timestamp())))
        await socket.say("power/get", "10")
        await socket.say("energycounter/get", "9000")
        await socket.say("energycounter_yesterday/get", "1640")
        await until(lambda: runs(hass) == 0)
        (shown,) = async_get_persistent_notifications(hass).values()
        assert shown["title"] == "Washing machine"
        assert shown["message"] == "1.64 kWh yesterday, for 0.49 EUR."

    async def test_a_day_that_is_over_is_told_no_more(
        self, hass: HomeAssistant, socket: ScriptedSocket, clock: WallClock
    ) -> None:
        await use_blueprint(hass, "daily_cost", energy_yesterday=YESTERDAY, price=0.3)
        await clock.forward(61 * MINUTE)
        await until(lambda: runs(hass) == 1)
        await clock.forward(16 * 60 * MINUTE)
        await until(lambda: runs(hass) == 0)


@pytest.mark.parametrize("name", NAMES)
async def test_link_in_the_document_imports_the_blueprint(
    hass: HomeAssistant,
    tmp_path: Path,
    hass_ws_client: Any,
    aioclient_mock: AiohttpClientMocker,
    name: str,
) -> None:
    """What the dialog of Home Assistant does with the link, up to an automation's choice."""
    hass.config.config_dir = str(tmp_path)
    links = re.findall(re.escape(IMPORT) + r"([^)\s]+)", document())
    (page,) = [url for url in map(unquote, links) if url.endswith(f"/{name}.yaml")]
    path = page.removeprefix(PAGE)
    text = (ROOT / path).read_text()
    assert parse_yaml(text)["blueprint"]["source_url"] == page
    raw = page.replace("github.com", "raw.githubusercontent.com").replace("/blob", "")
    aioclient_mock.get(raw, text=text)
    assert await async_setup_component(hass, "automation", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "blueprint/import", "url": page})
    imported = (await client.receive_json())["result"]
    assert imported["validation_errors"] is None
    assert imported["suggested_filename"] == f"openbk/{name}"
    await client.send_json_auto_id(
        {
            "type": "blueprint/save",
            "domain": "automation",
            "path": imported["suggested_filename"],
            "yaml": imported["raw_data"],
            "source_url": page,
        }
    )
    assert (await client.receive_json())["success"]
    await client.send_json_auto_id({"type": "blueprint/list", "domain": "automation"})
    listed = (await client.receive_json())["result"]
    assert "error" not in listed[f"openbk/{name}.yaml"]


def test_document_has_a_link_for_each_blueprint_only() -> None:
    links = re.findall(re.escape(IMPORT) + r"([^)\s]+)", document())
    assert sorted(Path(unquote(link)).stem for link in links) == NAMES


def document() -> str:
    return (ROOT / "docs" / "socket.md").read_text()
