"""Where the pins come from when the chip does not tell them any more."""

from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from tests.homeassistant.bench import blow_dump, chip, factory_dump, open_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("hass_storage", "mqtt_connection"),
]


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


async def test_pins_of_an_earlier_backup_of_the_same_chip(hass: HomeAssistant) -> None:
    async with chip(blow_dump()) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "pins"
        found = wizard.placeholders["pins"]
        assert wizard.placeholders["pins_from"] == "The pins are from the chip itself."
        await wizard.choose("use_pins")
        await wizard.close()
    async with chip(factory_dump()) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "pins"
        assert wizard.placeholders["pins"] == found
        assert "earlier backup of this chip" in wizard.placeholders["pins_from"]
        await wizard.close()
