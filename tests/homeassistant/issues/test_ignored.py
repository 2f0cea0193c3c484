"""What a person ignores stays ignored, and goes when it is over or its socket is removed."""

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from tests.support.addresses import refuse
from tests.support.sockets import CLIENT_ID, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


def issue_of(
    hass: HomeAssistant, entry: MockConfigEntry, key: str
) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue("openbk", f"{key}_{entry.entry_id}")


def ignore(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> None:
    ir.async_ignore_issue(hass, "openbk", f"{key}_{entry.entry_id}", True)


def is_ignored(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> bool:
    found = issue_of(hass, entry, key)
    return found is not None and found.dismissed_version is not None


async def test_an_issue_stays_ignored_when_its_socket_is_set_up_anew(
    hass: HomeAssistant,
) -> None:
    hass.data[SOCKET_ACCESS] = SocketAccess(connect=refuse)
    entry = socket_entry(mac=GENERIC_MAC)
    await mqtt.async_publish(hass, f"{CLIENT_ID}/1/set", "1", 1, True)
    await add_socket(hass, entry)
    await until(lambda: issue_of(hass, entry, "retained_commands"))
    assert issue_of(hass, entry, "radio_lost")
    ignore(hass, entry, "radio_lost")

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert is_ignored(hass, entry, "radio_lost")
    # What is not ignored is told anew.
    await until(lambda: issue_of(hass, entry, "retained_commands"))
    ignore(hass, entry, "retained_commands")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert is_ignored(hass, entry, "retained_commands")

    await mqtt.async_publish(hass, f"{CLIENT_ID}/1/set", "", 1, True)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(lambda: issue_of(hass, entry, "retained_commands") is None)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert is_ignored(hass, entry, "radio_lost")
    await hass.config_entries.async_remove(entry.entry_id)
    assert not ir.async_get(hass).issues


async def test_a_contradiction_stays_ignored_until_it_is_over(
    hass: HomeAssistant,
) -> None:
    # Ten looks in a second.
    hass.data[SOCKET_ACCESS] = SocketAccess(connect=refuse, speed=600)
    entry = socket_entry()
    await add_socket(hass, entry)
    scripted = ScriptedSocket(hass)
    scripted.channels[1] = 1
    await scripted.connect()

    async def measures(watts: str) -> None:
        await until(lambda: entry.runtime_data.value("channel_1") == 1)
        for key, text in (("voltage", "230.0"), ("current", "1.0"), ("power", watts)):
            await scripted.say(f"{key}/get", text)

    def told() -> str:
        found = issue_of(hass, entry, "implausible")
        return ((found and found.translation_placeholders) or {}).get("power", "")

    await measures("2000.0")
    await until(lambda: told().startswith("2000"))
    ignore(hass, entry, "implausible")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert is_ignored(hass, entry, "implausible")
    await measures("2100.0")
    await until(lambda: told().startswith("2100"))
    assert is_ignored(hass, entry, "implausible")
    await scripted.say("power/get", "200.0")
    await until(lambda: issue_of(hass, entry, "implausible") is None)
    await hass.config_entries.async_unload(entry.entry_id)
