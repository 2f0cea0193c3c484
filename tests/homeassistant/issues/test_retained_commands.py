"""Commands that the broker kept are told, as they override what a power cut is promised to do."""

from typing import Any

from homeassistant.components import mqtt
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.issues import retained_commands
from custom_components.openbk.issues.retained_commands import shown
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.network.discovery import Evidence, async_ask, entry_data
from tests.support.broker import Broker
from tests.support.repairs import open_repair
from tests.support.simulated import plugged_in, stranger
from tests.support.sockets import (
    BUILD,
    CLIENT_ID,
    MAC,
    ScriptedSocket,
    add_socket,
    socket_entry,
    subscriptions,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

RELAY = "switch.washing_machine"
SET = f"{CLIENT_ID}/1/set"


def issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the issue of a socket."""
    issue_id = f"retained_commands_{entry.entry_id}"
    return ir.async_get(hass).async_get_issue("openbk", issue_id)


class Repair:
    """A repair that somebody walks through."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        """Take the issue of this socket."""
        self.hass = hass
        self.entry = entry
        self.found = issue(hass, entry)

    async def step(self, *, submit: bool) -> str:
        """Open the page or submit it; return the type of what comes."""
        assert self.found
        flow = await open_repair(
            self.hass, retained_commands.ISSUE, self.entry.entry_id
        )
        self.result = await flow.async_step_clear({} if submit else None)
        return str(self.result["type"])


async def test_a_retained_command_is_told_and_cleared_on_consent(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """An old switch left it, and the socket turns on by itself when power comes back."""
    await async_setup_component(hass, REPAIRS, {})
    await mqtt.async_publish(hass, SET, "1", 1, True)
    async with plugged_in(stranger(mosquitto)) as socket:
        entry = socket_entry()
        await add_socket(hass, entry)
        await until(lambda: issue(hass, entry))
        await until(lambda: socket.firmware.relay(1))
        await until(lambda: hass.states.get(RELAY).state == "on")

        repair = Repair(hass, entry)
        assert await repair.step(submit=False) == FlowResultType.FORM
        placeholders = repair.result["description_placeholders"]
        assert placeholders["commands"] == f"- `{SET}`: `1`"
        assert placeholders["switched_on"] == "Washing machine"
        # The firmware takes the empty message for off.
        assert await repair.step(submit=True) == FlowResultType.FORM
        assert repair.result["errors"] == {"base": "switched_on"}
        assert socket.firmware.relay(1)

        await hass.services.async_call("switch", "turn_off", {"entity_id": RELAY})
        await until(lambda: hass.states.get(RELAY).state == "off")
        assert await repair.step(submit=True) == FlowResultType.CREATE_ENTRY
        assert issue(hass, entry) is None
        await socket.power_off()
        await until(lambda: hass.states.get(RELAY).state == "unavailable")
        socket.power_on()
        await until(lambda: hass.states.get(RELAY).state == "off")
        assert not socket.firmware.relay(1)


@pytest.mark.parametrize(
    "topic",
    [
        f"{CLIENT_ID}/x/set",
        f"cmnd/{CLIENT_ID}/POWER",
        f"cmnd/{CLIENT_ID}/backlog",
        "bekens_n/1/set",
        "cmnd/bekens_n/POWER1",
    ],
)
async def test_every_topic_that_it_obeys_is_looked_at(
    hass: HomeAssistant, topic: str
) -> None:
    await mqtt.async_publish(hass, topic, "1", 1, True)
    entry = socket_entry()
    await add_socket(hass, entry)
    await until(lambda: issue(hass, entry))
    # It was looked for once.
    await hass.async_block_till_done(wait_background_tasks=True)
    kept = subscriptions(hass)
    assert not any(filter_.endswith("/set") for filter_ in kept)
    assert not any(filter_.startswith("cmnd/") for filter_ in kept)


async def test_commands_for_others_and_live_ones_are_none(hass: HomeAssistant) -> None:
    for topic in ("kitchen/1/set", f"{CLIENT_ID}/1/get", f"stat/{CLIENT_ID}/POWER"):
        await mqtt.async_publish(hass, topic, "1", 1, True)
    entry = socket_entry()
    await add_socket(hass, entry)
    await mqtt.async_publish(hass, SET, "1", 1, False)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue(hass, entry) is None


async def test_what_somebody_else_cleared_needs_nothing(hass: HomeAssistant) -> None:
    await async_setup_component(hass, REPAIRS, {})
    await mqtt.async_publish(hass, SET, "1", 1, True)
    entry = socket_entry()
    await add_socket(hass, entry)
    await until(lambda: issue(hass, entry))
    repair = Repair(hass, entry)
    await mqtt.async_publish(hass, SET, "", 1, True)
    assert await repair.step(submit=False) == FlowResultType.CREATE_ENTRY
    await mqtt.async_publish(hass, SET, "1", 1, True)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: issue(hass, entry))
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert issue(hass, entry) is None


async def test_another_socket_of_the_group_that_is_on_keeps_its_power(
    hass: HomeAssistant,
) -> None:
    """The empty message goes to all of them."""
    await async_setup_component(hass, REPAIRS, {})
    await mqtt.async_publish(hass, "bekens_n/1/set", "1", 1, True)
    entry = socket_entry()
    await add_socket(hass, entry)
    other = socket_entry(mac="c8:47:8c:99:99:99", client_id="freezer")
    object.__setattr__(other, "title", "Freezer")
    await add_socket(hass, other)
    freezer = ScriptedSocket(hass, "freezer")
    freezer.channels[1] = 1
    await freezer.connect()
    await until(lambda: other.runtime_data.value("channel_1") == 1)
    await until(lambda: issue(hass, entry))
    repair = Repair(hass, entry)
    assert await repair.step(submit=True) == FlowResultType.FORM
    assert repair.result["errors"] == {"base": "switched_on"}
    assert repair.result["description_placeholders"]["switched_on"] == "Freezer"


def test_other_peoples_commands_are_shown_as_text() -> None:
    text = shown({f"x/{number}/set": "[a](http://b)`\n# c" for number in range(30)})
    assert len(text.splitlines()) == 11
    assert text.splitlines()[0] == "- `x/0/set`: ``[a](http://b)` ⏎ # c``"
    assert text.endswith("- …")


async def test_commands_for_a_name_with_levels_and_for_a_group_of_ones_own_are_told(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    """The name of one begins with that of another, whose commands are none of its business."""
    others = [
        socket_entry(mac=f"c8:47:8c:12:34:0{n}", client_id=f"p{n}") for n in "12345"
    ]
    own = socket_entry(client_id="home/plug", group="upstairs")
    home = socket_entry(mac="c8:47:8c:12:34:99", client_id="home")
    for topic in ("home/plug/1/set", "cmnd/home/plug/POWER"):
        await mqtt.async_publish(hass, topic, "1", 1, True)
    for entry in (home, *others, own):
        await add_socket(hass, entry)
    await until(lambda: issue(hass, own))
    assert not any(issue(hass, entry) for entry in (home, *others))
    page = Repair(hass, own)
    assert await page.step(submit=True) == "create_entry"
    assert issue(hass, own) is None
    await mqtt.async_publish(hass, "upstairs/1/set", "1", 1, True)
    assert await hass.config_entries.async_reload(own.entry_id)
    await until(lambda: issue(hass, own))


async def test_a_group_that_somebody_chose_is_read_from_the_socket(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = stranger(mosquitto, mqtt_group="upstairs")
    async with plugged_in(config) as plugged:
        await until(lambda: plugged.firmware.http_address)
        hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True)
        answers = await async_ask(hass, str(plugged.firmware.http_address))
    assert answers.group == "upstairs"
    said = Evidence(client_id=CLIENT_ID, values={"mac": MAC, "build": BUILD})
    told: dict[str, Any] = {"tuned": True, "undo": {}, "in_kwh": False}
    for group, known in (("upstairs", "upstairs"), (None, "bekens_n")):
        data = entry_data(said, answers.profile, group=group, **told)
        assert data["group"] == known
