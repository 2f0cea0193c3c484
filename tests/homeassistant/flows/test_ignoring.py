"""A socket that somebody does not want is ignored, and can be added all the same."""

from homeassistant.components import mqtt
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_IMPORT,
    SOURCE_MQTT,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.homeassistant.adding import build_message, cards, says, unload
from tests.homeassistant.wizard import Wizard
from tests.support.addresses import refuse
from tests.support.sockets import BUILD, CLIENT_ID, MAC, ignored, socket_entry

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

SAID = {"build": BUILD, "mac": MAC, "ip": "127.0.0.1", "host": CLIENT_ID}


async def discovered(hass: HomeAssistant) -> ConfigFlowResult:
    """Return what comes of a socket that core hears of."""
    return await hass.config_entries.flow.async_init(
        "openbk",
        context={"source": SOURCE_MQTT},
        data=build_message(f"{CLIENT_ID}/build"),
    )


def models(wizard: Wizard) -> list[str]:
    """Return the models that a form offers."""
    [selector] = wizard.result["data_schema"].schema.values()
    return [option["value"] for option in selector.config["options"]]


async def test_card_of_a_socket_is_ignored_until_somebody_looks_for_it(
    hass: HomeAssistant,
) -> None:
    hass.data[SOCKET_ACCESS] = SocketAccess(simulated=True, connect=refuse)
    await says(hass, CLIENT_ID, SAID)
    assert (await discovered(hass))["step_id"] == "discovery_confirm"
    assert cards(hass) == [CLIENT_ID]
    # As the card's menu does.
    result = await hass.config_entries.flow.async_init(
        "openbk",
        context={"source": SOURCE_IGNORE},
        data={"unique_id": MAC, "title": CLIENT_ID},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not cards(hass)
    assert (await discovered(hass))["reason"] == "already_configured"

    await mqtt.async_publish(hass, f"{CLIENT_ID}/connected", "online", 1, True)
    wizard = await Wizard.open(hass, "existing")
    assert wizard.page == "found"
    assert await wizard.submit(found=CLIENT_ID) == "no_pins_closed"
    await wizard.choose("pins_known")
    assert await wizard.submit(model=models(wizard)[0]) == "pins"
    assert await wizard.choose("use_pins") == "created"
    [entry] = hass.config_entries.async_entries("openbk")
    assert (entry.unique_id, entry.data["client_id"]) == (MAC, CLIENT_ID)
    assert entry.state is ConfigEntryState.LOADED
    await unload(hass)


async def test_flashed_socket_is_added_although_its_card_was_ignored(
    hass: HomeAssistant,
) -> None:
    """The wizard has the entry made, as it goes on with the next socket."""
    ignored(MAC).add_to_hass(hass)
    result = await hass.config_entries.flow.async_init(
        "openbk",
        context={"source": SOURCE_IMPORT},
        data={"name": "Kitchen", **socket_entry().data},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [entry] = hass.config_entries.async_entries("openbk")
    assert entry.state is ConfigEntryState.LOADED
    await unload(hass)
