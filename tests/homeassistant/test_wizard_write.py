"""From a factory socket to an entry, the whole road, and every way in which it can stop."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.homeassistant.bench import MAC, blow_dump, open_port, socket_on_the_bench
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.obk import packer
from tests.support.broker import Broker
from tests.support.release_server import ReleaseServer, release_server
from tests.support.sockets import BLOW

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

NEWEST = "1.18.299"


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


@pytest.fixture
async def releases(hass_storage: dict[str, Any]) -> AsyncIterator[ReleaseServer]:
    """Serve a release."""
    image = packer.qio(packer.openbeken_code(version=NEWEST))
    async with release_server({NEWEST: image}) as server:
        hass_storage["openbk.release_index"] = {
            "version": 1,
            "data": {"index_address": server.address},
        }
        yield server


async def to_firmware(wizard: Wizard, broker: Broker) -> None:
    """Walk from the pins to the firmware."""
    assert wizard.page == "pins", (wizard.pages, wizard.errors)
    assert await wizard.choose("use_pins") == "name"
    assert await wizard.submit_suggested(name="Kitchen") == "wifi"
    assert (
        await wizard.submit_suggested(ssid="TestNet", password="secret word")
        == "broker"
    )
    address = {"host": broker.host, "port": broker.port}
    assert await wizard.submit_suggested(**address) == "broker"
    assert wizard.errors == {"host": "broker_loopback"}
    await wizard.submit_suggested(**address)
    assert wizard.page == "firmware", wizard.errors


async def to_confirmation(
    wizard: Wizard, broker: Broker, releases: ReleaseServer
) -> None:
    """Walk from the pins to the summary."""
    await to_firmware(wizard, broker)
    assert wizard.suggested["release"] == NEWEST
    await wizard.submit_suggested()
    assert wizard.page == "write_confirm", wizard.errors


async def test_whole_road(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    async with socket_on_the_bench(blow_dump()) as socket:
        wizard = await open_port(hass, socket.path)
        if wizard.page == "opening":
            await wizard.submit()
            await wizard.submit()
        await to_confirmation(wizard, mosquitto, releases)
        assert await wizard.submit() == "reassemble", wizard.pages
        await wizard.submit()
        assert wizard.result["type"] is FlowResultType.CREATE_ENTRY, wizard.pages
        (entry,) = hass.config_entries.async_entries("openbk")
        assert entry.unique_id == MAC
        assert entry.title == "Kitchen"
        assert SocketProfile.from_dict(entry.data["profile"]) == BLOW
        assert entry.data["mac"] == MAC
        assert entry.data["firmware"].startswith("OpenBK7231N ")
        assert "secret" not in str(entry.as_dict())
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)
