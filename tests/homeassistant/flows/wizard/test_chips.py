"""The wizard on chips other than the one that most sockets have."""

from dataclasses import replace
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.openbk.pyopenbk.beken.chips import (
    BK7231T,
    FLASHABLE,
    FlashableChip,
)
from custom_components.openbk.pyopenbk.obk import config_sector
from simulator import images
from simulator.chips import Chip
from simulator.factory import DEFAULT_MAC, FactorySocket
from simulator.releases import ReleaseServer, published_releases
from tests.homeassistant.bench import (
    CODE_SIZE,
    NEWEST,
    blow_dump,
    chip,
    socket_on_the_bench,
)
from tests.homeassistant.road import finish, to_chip, to_confirmation, to_pins
from tests.support.addresses import lead_to
from tests.support.broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

MODULES = {"BK7231N": "CB2S", "BK7231T": "WB2S"}


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


@pytest.mark.parametrize("kind", FLASHABLE, ids=lambda kind: kind.name)
async def test_each_chip_gets_its_own_firmware_and_names_and_comes_with_them(
    hass: HomeAssistant,
    mosquitto: Broker,
    releases: ReleaseServer,
    own_folder: Path,
    kind: FlashableChip,
) -> None:
    """From the menu to the entry; the rest of the road is that of any chip."""
    # As large as the real ones.
    releases.releases = published_releases()
    long_name = f"Open{kind.name}_E4720741"
    unit = FactorySocket.numbered(0, chip=Chip(kind.name))
    dump = unit.dump()
    async with socket_on_the_bench(dump, chip=unit.chip) as socket:
        lead_to(hass, socket)
        wizard = await to_pins(hass, socket)
        await to_confirmation(wizard, mosquitto, releases)
        assert wizard.placeholders["access_point"] == long_name.replace("_", r"\_")
        assert await wizard.submit() == "reassemble", wizard.pages
        entry = await finish(hass, wizard)
        now = socket.flash.content

    assert entry.unique_id == DEFAULT_MAC
    assert entry.data["group"] == kind.group
    assert entry.data["firmware"].startswith(f"Open{kind.name} 1.18.300 ")
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert device.hw_version == kind.name
    assert device.model == MODULES[kind.name]

    flash = kind.flash
    for region in (flash.bootloader, flash.rf_calibration, flash.tuya_storage):
        place = slice(region.start, region.end)
        assert now[place] == dump[place]
    image = images.ua(images.Build(chip=kind.name))
    assert now[flash.application.start :].startswith(image)
    kept = flash.openbeken_config
    config = config_sector.parse(now[kept.start : kept.end])
    assert config.long_name == long_name
    assert config.mqtt_group == kind.group
    assert config.profile.relays
    (backup,) = own_folder.glob("*.bin")
    name = f"{kind.name.lower()}_{DEFAULT_MAC.replace(':', '')}_"
    assert backup.name.startswith(name)
    assert backup.read_bytes() == dump


@pytest.mark.slow
@pytest.mark.walks("name -> releases")
async def test_the_next_socket_may_have_another_chip(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, tmp_path: Path
) -> None:
    """The firmware before it is not for that one; the rest of the settings stays."""
    port = tmp_path / "adapter"
    async with socket_on_the_bench(blow_dump()) as first:
        port.symlink_to(first.path)
        wizard = await to_chip(hass, str(port))
        await to_confirmation(wizard, mosquitto, releases)
        await wizard.submit()
        assert await wizard.submit(another=True) == "next_socket", wizard.pages
        (entry,) = hass.config_entries.async_entries("openbk")
        await hass.config_entries.async_unload(entry.entry_id)
    unit = FactorySocket.numbered(1, chip=Chip.BK7231T, code_size=CODE_SIZE)
    async with socket_on_the_bench(unit.dump(), chip=unit.chip) as second:
        port.unlink()
        port.symlink_to(second.path)
        assert await wizard.submit() == "pins"
        await wizard.choose("use_pins")
        assert await wizard.submit_suggested(name="Hall") == "write_confirm"
        assert "download" in wizard.pages[-3:]
        assert wizard.placeholders["firmware"] == "1.18.300"
        assert await wizard.submit() == "reassemble", wizard.pages
        image = images.ua(replace(NEWEST, chip="BK7231T"))
        start = BK7231T.flash.application.start
        assert second.flash.content[start:].startswith(image)
        await wizard.close()


async def test_a_chip_that_cannot_be_flashed_is_named(hass: HomeAssistant) -> None:
    async with chip(images.qio()[:0x11000], chip=Chip.BK7231U) as socket:
        wizard = await to_chip(hass, socket.path)
        assert wizard.page == "failed_wrong_chip"
        assert wizard.placeholders["found_chip"] == "BK7231U"
        await wizard.close()
        assert socket.flash.counts.operations == 0
