"""An address that was told over MQTT is believed only if a socket can have it."""

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.support.addresses import refuse
from tests.support.sockets import add_scripted_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]


async def test_no_address_of_this_computer_is_believed(hass: HomeAssistant) -> None:
    """Home Assistant would ask whatever is there, and tell people to open it."""
    hass.data[SOCKET_ACCESS] = SocketAccess(connect=refuse)
    entry = socket_entry(address="192.168.1.7")
    scripted = await add_scripted_socket(hass, entry)
    told = (
        "127.0.0.1:8123",
        "169.254.169.254",
        "0.0.0.0",
        "255.255.255.255",
        "10.0.0.1:80",
    )
    for address in told:
        await scripted.say("ip", address)
    await scripted.say("voltage/get", "230.0")
    await until(lambda: entry.runtime_data.value("voltage") == 230)
    assert entry.data["address"] == "192.168.1.7"
    assert entry.runtime_data.values.refused == {"ip": len(told)}
    await scripted.say("ip", "192.168.1.8")
    await until(lambda: entry.data["address"] == "192.168.1.8")
    await hass.async_block_till_done(wait_background_tasks=True)
    await hass.config_entries.async_unload(entry.entry_id)
