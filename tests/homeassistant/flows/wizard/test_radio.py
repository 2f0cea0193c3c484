"""A chip that has lost its radio calibration: told, repaired, and flashed like any other."""

from pathlib import Path

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.const import CONF_CLIENT_ID, CONF_GROUP, CONF_MAC, DOMAIN
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from simulator import factory
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    CODE_SIZE,
    MAC,
    blow_dump,
    chip,
    open_port,
    socket_on_the_bench,
    upload,
)
from tests.homeassistant.road import SECRET, another_wifi, walk_on
from tests.homeassistant.wizard import Wizard
from tests.support.broker import Broker
from tests.support.flash_map import FLASH_SIZE, RF_CALIBRATION

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("hass_storage", "mqtt_connection"),
]

SECTOR = slice(RF_CALIBRATION.start, RF_CALIBRATION.end)


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


def with_radio(sector: bytes) -> bytes:
    """Return the factory chip with another calibration."""
    dump = bytearray(blow_dump())
    dump[SECTOR] = sector.ljust(RF_CALIBRATION.size, b"\xff")
    return bytes(dump)


LOST = with_radio(b"")
GENERIC = with_radio(factory.rf_calibration(GENERIC_MAC))


async def back_up_factory(hass: HomeAssistant) -> str:
    """Leave a factory backup of the chip in the folder; return its name."""
    async with chip(blow_dump()) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "pins"
        await wizard.close()
        return wizard.placeholders["backup"]


def content(socket: SimulatedSocket) -> bytes:
    return bytes(socket.flash.read(0, FLASH_SIZE))


async def test_own_calibration_comes_back_and_flashing_goes_on(
    hass: HomeAssistant,
) -> None:
    backup = await back_up_factory(hass)
    async with chip(LOST) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "radio_missing"
        assert await wizard.choose("radio_repair") == "radio_repair"
        assert await wizard.submit(backup=backup) == "radio_confirm"
        assert wizard.placeholders["radio_mac"] == MAC
        assert "same MAC address" in wizard.placeholders["radio_notes"]
        assert content(socket) == LOST
        assert await wizard.submit() == "pins"
        assert content(socket) == blow_dump()
        await wizard.close()


async def test_calibration_from_a_file(hass: HomeAssistant) -> None:
    async with chip(LOST) as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.choose("radio_repair")
        for values, error in (
            ({}, "backup_missing"),
            ({"upload": "0123456789abcdef0123456789abcdef"}, "upload_gone"),
            ({"upload": await upload(hass, LOST)}, "radio_not_in_file"),
            ({"upload": await upload(hass, b"TLV\0" * 9)}, "radio_not_in_file"),
            ({"upload": await upload(hass, bytes(9_000_000))}, "dump_too_large"),
        ):
            assert await wizard.submit(**values) == "radio_repair"
            assert wizard.errors == {"base": error}
        sector = await upload(hass, blow_dump()[SECTOR])
        assert await wizard.submit(upload=sector) == "radio_confirm"
        assert await wizard.submit() == "pins"
        assert content(socket) == blow_dump()
        await wizard.close()


async def test_generic_calibration_may_be_kept(hass: HomeAssistant) -> None:
    async with chip(GENERIC) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "radio_generic"
        assert await wizard.choose("radio_keep") == "pins"
        assert await wizard.choose("use_pins") == "name"
        assert content(socket) == GENERIC
        await wizard.close()


async def test_generic_address_is_set_up_already(hass: HomeAssistant) -> None:
    entry(GENERIC_MAC, "Cellar").add_to_hass(hass)
    async with chip(GENERIC) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "radio_generic_taken"
        assert await wizard.choose("leave") == "left_untouched"


async def test_generic_calibration_onto_a_chip_without_any(hass: HomeAssistant) -> None:
    """Its consequences are said, and the wizard does not ask the same again."""
    entry(GENERIC_MAC, "Cellar <2>").add_to_hass(hass)
    async with chip(LOST) as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.choose("radio_repair")
        await wizard.submit(upload=await upload(hass, GENERIC))
        assert wizard.page == "radio_confirm"
        assert "may not reach far" in wizard.placeholders["radio_notes"]
        assert r"**Cellar \<2\>**" in wizard.placeholders["radio_notes"]
        assert await wizard.submit() == "pins"
        assert content(socket) == GENERIC
        await wizard.close()


async def test_power_lost_while_one_calibration_is_erased_and_the_other_written(
    hass: HomeAssistant,
) -> None:
    """What is left may look like anything; in this dialog it is known what it was."""
    async with chip(GENERIC) as socket:
        wizard = await open_port(hass, socket.path)
        for command, left in ((Command.ERASE, bytes(0x1000)), (Command.WRITE_4K, b"")):
            await wizard.choose("radio_repair")
            await wizard.submit(upload=await upload(hass, blow_dump()))
            socket.inject(Fault(name=FaultName.POWER_LOST, command=command))
            assert await wizard.submit() == "failed_radio", command
            assert "may be there in part" in wizard.placeholders["state"], command
            socket.power(on=True)
            socket.flash.rewrite(RF_CALIBRATION.start, left)
            assert await wizard.choose("retry") == "radio_missing", command
        await wizard.choose("radio_repair")
        await wizard.submit(upload=await upload(hass, blow_dump()))
        assert await wizard.submit() == "pins"
        assert content(socket) == blow_dump()
        await wizard.close()


async def test_leaving_in_the_middle_of_a_repair_tells_of_it(
    hass: HomeAssistant,
) -> None:
    async with chip(GENERIC) as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.choose("radio_repair")
        await wizard.submit(upload=await upload(hass, blow_dump()))
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K))
        await wizard.submit()
        assert await wizard.choose("leave") == "left_radio_begun"


async def test_backup_that_cannot_be_read_any_more(
    hass: HomeAssistant, own_folder: Path
) -> None:
    backup = await back_up_factory(hass)
    async with chip(LOST) as socket:
        wizard = await open_port(hass, socket.path)
        await wizard.choose("radio_repair")
        with (own_folder / backup).open("r+b") as file:
            file.write(b"\0")
        await wizard.submit(backup=backup)
        assert wizard.errors == {"base": "backup_damaged"}
        page = await upload(hass, b"<!DOCTYPE html><html><body>Not found</body></html>")
        await wizard.submit(upload=page)
        assert wizard.errors == {"base": "dump_is_web_page"}
        assert content(socket) == LOST
        await wizard.close()


async def test_erased_chip_is_led_to_a_backup(hass: HomeAssistant) -> None:
    backup = await back_up_factory(hass)
    async with chip(factory.blank()) as socket:
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "failed_erased"
        assert await wizard.choose("restore_instead") == "restore_choose"
        await wizard.submit_suggested(backup=backup, deliberate={"foreign": True})
        assert await wizard.submit() == "restored"
        assert content(socket) == blow_dump()


def entry(mac: str, title: str) -> MockConfigEntry:
    """Return the entry of a socket that was set up before."""
    return MockConfigEntry(
        domain=DOMAIN,
        unique_id=mac,
        title=title,
        data={CONF_MAC: mac, CONF_CLIENT_ID: "kitchen", CONF_GROUP: "bekens_n"},
    )


async def to_summary(
    wizard: Wizard, broker: Broker, name: str = "Kitchen"
) -> dict[str, object]:
    """Walk from the pins to the summary."""
    assert await wizard.choose("use_pins") == "name"
    await wizard.submit_suggested(name=name)
    await another_wifi(wizard)
    await wizard.submit_suggested(ssid="TestNet", password=SECRET)
    address = {"host": broker.host, "port": broker.port}
    await wizard.submit_suggested(**address)
    assert await wizard.submit_suggested(**address) == "write_confirm"
    return address


async def test_chips_with_the_generic_address_are_not_taken_for_one(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
) -> None:
    """After a broken writing, another of them is only written when it is confirmed again."""
    async with chip(GENERIC) as first, chip(GENERIC) as second:
        wizard = await open_port(hass, first.path)
        await wizard.choose("radio_keep")
        await to_summary(wizard, mosquitto)
        first.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        await wizard.choose("port")
        assert await wizard.submit(adapter=second.path) == "write_confirm"
        assert content(second) == GENERIC
        await wizard.close()
        first.power(on=True)
        again = await open_port(hass, first.path)
        assert again.page == "radio_generic"
        # Which of them this is, nobody knows, so nothing is taken up.
        assert await again.choose("radio_keep") == "found_half_written"
        await again.close()


async def test_next_socket_with_the_generic_address_is_asked_about_again(
    hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer, tmp_path: Path
) -> None:
    port = tmp_path / "adapter"
    async with socket_on_the_bench(GENERIC) as first:
        port.symlink_to(first.path)
        wizard = await open_port(hass, str(port))
        await walk_on(wizard)
        assert await wizard.choose("radio_keep") == "pins"
        await to_summary(wizard, mosquitto)
        assert await wizard.submit() == "reassemble"
        assert await wizard.submit(another=True) == "next_socket"
    async with socket_on_the_bench(GENERIC) as second:
        port.unlink()
        port.symlink_to(second.path)
        assert await wizard.submit() == "radio_generic_taken"
        assert content(second) == GENERIC
        await wizard.close()
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    identity = f"{GENERIC_MAC}_obk8C000000"
    assert (entry.title, entry.unique_id) == ("Kitchen", identity)
    await hass.config_entries.async_unload(entry.entry_id)


class TestFromTheEntry:
    """Opened from an entry, the wizard writes to that socket and to no other."""

    async def open(self, hass: HomeAssistant, path: str, choice: str) -> Wizard:
        socket = entry(MAC, "Kitchen")
        socket.add_to_hass(hass)
        wizard = Wizard(hass)
        wizard.look_at(await socket.start_reconfigure_flow(hass))
        await wizard.choose(choice)
        assert wizard.page == "intro"
        await wizard.submit(adapter=path)
        return wizard

    async def test_factory_firmware_goes_back(self, hass: HomeAssistant) -> None:
        backup = await back_up_factory(hass)
        worn = bytearray(blow_dump())
        worn[0x150000] ^= 0xFF
        async with chip(bytes(worn)) as socket:
            wizard = await self.open(hass, socket.path, "restore")
            assert wizard.page == "restore_choose"
            assert wizard.suggested["backup"] == backup
            await wizard.submit_suggested()
            assert await wizard.submit() == "restored_but_set_up"
            assert content(socket) == blow_dump()

    @pytest.mark.parametrize("choice", ["flash", "restore"])
    async def test_another_socket_is_refused(
        self, hass: HomeAssistant, choice: str
    ) -> None:
        other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
        async with chip(other.dump()) as socket:
            wizard = await self.open(hass, socket.path, choice)
            assert wizard.page == "other_chip"
            assert wizard.placeholders["expected_mac"] == MAC
            assert wizard.placeholders["mac"] == other.mac
            assert content(socket) == other.dump()
            assert await wizard.choose("leave") == "left_untouched"

    async def test_only_its_own_calibration_comes_back(
        self, hass: HomeAssistant
    ) -> None:
        other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
        async with chip(GENERIC) as socket:
            wizard = await self.open(hass, socket.path, "flash")
            assert wizard.page == "radio_missing"
            await wizard.choose("radio_repair")
            await wizard.submit(upload=await upload(hass, other.dump()))
            assert wizard.errors == {"base": "radio_of_another"}
            await wizard.submit(upload=await upload(hass, blow_dump()))
            assert await wizard.submit() == "pins"
            assert content(socket) == blow_dump()
            await wizard.close()

    async def test_entry_that_is_deleted_meanwhile_is_made_again(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await self.open(hass, socket.path, "flash")
            await walk_on(wizard)
            await to_summary(wizard, mosquitto)
            (old,) = hass.config_entries.async_entries(DOMAIN)
            await hass.config_entries.async_remove(old.entry_id)
            assert await wizard.submit() == "reassemble"
            # One wizard of an entry is for one socket.
            assert "another" not in wizard.suggested
            assert await wizard.submit() == "reflashed"
            await hass.async_block_till_done()
            (new,) = hass.config_entries.async_entries(DOMAIN)
            assert (new.title, new.unique_id) == ("Kitchen", MAC)
            await hass.config_entries.async_unload(new.entry_id)

    async def test_names_stay_as_they_are(self, hass: HomeAssistant) -> None:
        async with chip(blow_dump()) as socket:
            wizard = await self.open(hass, socket.path, "flash")
            assert wizard.page == "pins"
            assert await wizard.choose("use_pins") == "name"
            assert wizard.suggested["name"] == "Kitchen"
            assert wizard.suggested["advanced"]["client_id"] == "kitchen"
            await wizard.close()
