"""The wizard on chips other than the one that most sockets have."""

from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.obk import config_sector
from simulator import images
from simulator.boot import Chip
from simulator.factory import DEFAULT_MAC, WB2S_PARAMETERS, FactorySocket
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import chip
from tests.homeassistant.road import to_chip, to_confirmation, to_pins
from tests.support.broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

FLASH = BK7231T.flash


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


async def test_a_bk7231t_gets_its_own_firmware_and_names(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, own_folder: Path
) -> None:
    unit = FactorySocket(chip=Chip.BK7231T, user_parameters=WB2S_PARAMETERS)
    dump = unit.dump()
    async with chip(dump, chip=unit.chip) as socket:
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        assert wizard.placeholders["access_point"] == r"OpenBK7231T\_E4720741"
        assert await wizard.submit() == "reassemble", wizard.pages
        await wizard.close()
        now = socket.flash.content

    for region in (FLASH.bootloader, FLASH.rf_calibration, FLASH.tuya_storage):
        place = slice(region.start, region.end)
        assert now[place] == dump[place]
    image = images.ua(images.Build(chip="BK7231T"))
    assert now[FLASH.application.start :].startswith(image)
    place = FLASH.openbeken_config
    config = config_sector.parse(now[place.start : place.end])
    assert config.long_name == "OpenBK7231T_E4720741"
    assert config.mqtt_group == "bekens_t"
    assert config.profile.relays
    (backup,) = own_folder.glob("*.bin")
    assert backup.name.startswith(f"bk7231t_{DEFAULT_MAC.replace(':', '')}_")
    assert backup.read_bytes() == dump


async def test_a_chip_that_cannot_be_flashed_is_named(hass: HomeAssistant) -> None:
    async with chip(images.qio()[:0x11000], chip=Chip.BK7231U) as socket:
        wizard = await to_chip(hass, socket.path)
        assert wizard.page == "failed_wrong_chip"
        assert wizard.placeholders["found_chip"] == "BK7231U"
        await wizard.close()
        assert socket.flash.counts.operations == 0
