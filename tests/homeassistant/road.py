"""The road through the wizard, a stretch at a time."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from simulator.chip import SimulatedSocket
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import open_port
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker

SECRET: Final = "secret word"


async def to_firmware(wizard: Wizard, broker: Broker) -> None:
    """Walk from the pins to the choice of another firmware."""
    if await past_network(wizard, broker) == "write_confirm":
        await wizard.submit(another_firmware=True)
    assert wizard.page == "firmware", wizard.errors


async def past_network(wizard: Wizard, broker: Broker) -> str:
    """Walk from the pins past the broker; return the page that comes then."""
    assert wizard.page == "pins", (wizard.pages, wizard.errors)
    assert await wizard.choose("use_pins") == "name"
    return await from_name(wizard, broker)


async def from_name(wizard: Wizard, broker: Broker) -> str:
    """Walk from the name past the broker; return the page that comes then."""
    await wizard.submit_suggested(name="Kitchen")
    assert await another_wifi(wizard) == "wifi"
    assert await wizard.submit_suggested(ssid="TestNet", password=SECRET) == "broker"
    address = {"host": broker.host, "port": broker.port}
    assert await wizard.submit_suggested(**address) == "broker"
    assert wizard.errors == {"host": "broker_loopback"}
    return await wizard.submit_suggested(**address)


async def another_wifi(wizard: Wizard) -> str:
    """Walk past the network that a factory chip knows."""
    if wizard.page == "known_wifi":
        await wizard.choose("wifi")
    return wizard.page


async def to_confirmation(
    wizard: Wizard, broker: Broker, releases: ReleaseServer
) -> None:
    """Walk from the pins to the summary."""
    assert await past_network(wizard, broker) == "write_confirm", wizard.errors


async def to_pins(hass: HomeAssistant, socket: SimulatedSocket) -> Wizard:
    """Walk from the menu to the pins."""
    return await to_chip(hass, socket.path)


async def to_chip(hass: HomeAssistant, path: str, choice: str = "flash") -> Wizard:
    """Walk from the menu to where something is told of the chip, or why nothing can be."""
    wizard = await open_port(hass, path, choice)
    await walk_on(wizard)
    return wizard


async def finish(hass: HomeAssistant, wizard: Wizard) -> ConfigEntry:
    """Walk from the written socket to its entry, and unload that again."""
    assert wizard.page == "reassemble", (wizard.pages, wizard.errors)
    await wizard.submit_suggested()
    assert wizard.result["type"] is FlowResultType.CREATE_ENTRY, wizard.pages
    (entry,) = hass.config_entries.async_entries("openbk")
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)
    return entry


async def take(wizard: Wizard, offer: str) -> str:
    """Take up what a page offers, and walk on to where something is told or asked again."""
    await wizard.choose(offer)
    if wizard.page == "port":
        await wizard.submit_suggested()
    return await walk_on(wizard)


async def try_port_again(wizard: Wizard) -> str:
    """Submit a serial port that was refused, and walk on in the same way."""
    await wizard.submit_suggested()
    return await walk_on(wizard)


async def walk_on(wizard: Wizard) -> str:
    """Submit the pages that only tell how, which a busy chip may lead to, too."""
    while wizard.page in ("check_wiring", "wiring"):
        await wizard.submit()
    return wizard.page
