"""Every failure has its page, and everything that the page offers leads on from there."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
import os
from pathlib import Path
import resource
import shutil
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
import serialx

from custom_components.openbk.flows.wizard.pages import PAGES
from custom_components.openbk.helpers import backup_folder
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from simulator import factory, images
from simulator.chip import SimulatedSocket
from simulator.code_memory import NO_KEY
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    CODE_SIZE,
    MAC,
    MANY_BUTTONS,
    NEWEST,
    blow_dump,
    chip,
    factory_dump,
    flashed,
    is_free,
    socket_on_the_bench,
    upload,
)
from tests.homeassistant.over_the_air import LEFT_BEHIND
from tests.homeassistant.road import (
    past_network,
    take,
    to_chip,
    to_confirmation,
    to_pins,
    try_port_again,
    walk_on,
)
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.flashing.dumps import put
from tests.pyopenbk.obk import packer
from tests.support.broker import Broker
from tests.support.flash_map import APPLICATION, BOOTLOADER, FLASH_SIZE, RF_CALIBRATION
from tests.support.sockets import socket_entry

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

walks = pytest.mark.walks
SEARCHES = {"retry", "check_wiring", "port"}
GARBLED = Fault(
    name=FaultName.REPLY_FLIPPED, command=Command.FLASH_ID, times=0, byte=10
)
MAC_PLACE = RF_CALIBRATION.start + 0x24
RADIO = blow_dump()[RF_CALIBRATION.start : RF_CALIBRATION.end]


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


@asynccontextmanager
async def held_by_another_program(path: str) -> AsyncIterator[None]:
    async with serialx.async_serial_for_url(path, baudrate=115200):
        yield


@asynccontextmanager
async def forbidden(path: str) -> AsyncIterator[None]:
    """Take away the right to open a port, from root as well."""
    mode, user = Path(path).stat().st_mode, os.geteuid()
    Path(path).chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        Path(path).chmod(mode)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Let the file of a backup end before the flash does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0x50000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def file_for_folder(folder: Path) -> Iterator[None]:
    folder.parent.write_text("in the way")
    yield
    folder.parent.unlink()


@contextmanager
def link_to_itself(folder: Path) -> Iterator[None]:
    folder.parent.mkdir()
    folder.symlink_to(folder)
    yield
    folder.unlink()


def content(socket: SimulatedSocket) -> bytes:
    return bytes(socket.flash.read(0, FLASH_SIZE))


def starts_nothing(socket: SimulatedSocket) -> bool:
    """Return whether the application's first sector, which is written last, is blank."""
    return not socket.flash.read(APPLICATION.start, 4096).strip(b"\xff")


LASTING_WHILE_READING: Final = {
    "failed_garbled": GARBLED,
    "failed_crc": Fault(
        name=FaultName.REPLY_FLIPPED, command=Command.CRC, times=0, byte=-3
    ),
    "failed_wrong_chip": Fault(name=FaultName.CHIP_ID, value="00007231"),
    "failed_wrong_size": Fault(name=FaultName.FLASH_ID, value="1c7016"),
    "failed_foreign_key": Fault(
        name=FaultName.CODE_KEY, value="00000001 00000002 00000003 00000004"
    ),
    "failed_flash_unreachable": Fault(name=FaultName.FLASH_UNREACHABLE),
}
LASTING_WHILE_WRITING: Final = {
    "failed_garbled_writing": Fault(
        name=FaultName.REPLY_FLIPPED, command=Command.ERASE, times=0, byte=10
    ),
    "failed_crc_writing": Fault(name=FaultName.WORN_SECTOR, value="18000"),
    "failed_protected": Fault(name=FaultName.STATUS_STICKS),
}


class TestReading:
    """What can stop the reading of a chip; nothing was changed then."""

    @walks(
        "failed_garbled -> *",
        "failed_crc -> *",
        "failed_wrong_chip -> *",
        "failed_wrong_size -> *",
        "failed_foreign_key -> *",
        "failed_flash_unreachable -> *",
    )
    async def test_lasting_fault(self, hass: HomeAssistant, own_folder: Path) -> None:
        """It is told again until it is mended; then the way leads on."""
        dump = factory_dump()
        async with chip(dump) as socket:
            for page, fault in LASTING_WHILE_READING.items():
                # What was read before would spare much of what can fail.
                shutil.rmtree(own_folder, ignore_errors=True)
                socket.inject(fault)
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == page
                *others, last = sorted(set(PAGES[page]) & SEARCHES)
                for offer in others:
                    assert await take(wizard, offer) == page
                assert await take(wizard, last) == page
                assert await is_free(socket.path), page
                socket.clear()
                assert await take(wizard, last) == "no_pins_erased", page
                await wizard.close()
                assert content(socket) == dump, page
                socket.inject(fault)
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == page
                assert await wizard.choose("leave") == "left_untouched", page
                assert await is_free(socket.path), page
                socket.clear()

    @pytest.mark.slow
    @walks("failed_link_lost -> check_wiring, port")
    async def test_lost_power(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            cut = Fault(name=FaultName.POWER_LOST, command=Command.READ_4K, nth=9)
            socket.inject(cut)
            wizard = await to_chip(hass, socket.path)
            socket.power(on=True)
            socket.inject(cut)
            assert await take(wizard, "check_wiring") == "failed_link_lost"
            socket.power(on=True)
            assert await take(wizard, "port") == "no_pins_erased"
            await wizard.close()

    @walks(
        "failed_port_unplugged -> *",
        "failed_port_missing -> *",
        "backup -> failed_port_unplugged",
        "search -> failed_port_missing",
    )
    async def test_pulled_adapter(self, hass: HomeAssistant) -> None:
        pulled = Fault(name=FaultName.UNPLUGGED, command=Command.FLASH_ID)
        async with chip(factory_dump()) as socket:

            async def pull() -> Wizard:
                socket.plug()
                socket.inject(pulled)
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == "failed_port_unplugged"
                return wizard

            wizard = await pull()
            assert await take(wizard, "retry") == "failed_port_missing"
            assert await take(wizard, "retry") == "failed_port_missing"
            assert await take(wizard, "port") == "port"
            assert wizard.errors == {"adapter": "port_missing"}
            socket.plug()
            assert await try_port_again(wizard) == "no_pins_erased"
            await wizard.close()

            wizard = await pull()
            socket.plug()
            assert await take(wizard, "port") == "no_pins_erased"
            await wizard.close()

            wizard = await pull()
            assert await wizard.choose("leave") == "left_untouched"

            wizard = await pull()
            assert await take(wizard, "retry") == "failed_port_missing"
            assert await wizard.choose("leave") == "left_untouched"

    @pytest.mark.parametrize(
        ("trouble", "page", "error"),
        [
            pytest.param(
                held_by_another_program,
                "failed_port_busy",
                "port_busy",
                marks=walks("failed_port_busy -> *", "search -> failed_port_busy"),
            ),
            pytest.param(
                forbidden,
                "failed_port_permission",
                "port_permission",
                marks=walks("failed_port_permission -> *"),
            ),
        ],
    )
    async def test_port_is_kept_from_the_next_attempt(
        self,
        hass: HomeAssistant,
        trouble: Callable[[str], AbstractAsyncContextManager[None]],
        page: str,
        error: str,
    ) -> None:
        async with chip(factory_dump()) as socket:

            async def fail() -> Wizard:
                socket.inject(GARBLED)
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == "failed_garbled"
                socket.clear()
                return wizard

            wizard = await fail()
            async with trouble(socket.path):
                assert await take(wizard, "retry") == page
                assert await take(wizard, "port") == "port"
                assert wizard.errors == {"adapter": error}
            assert await try_port_again(wizard) == "no_pins_erased"
            await wizard.close()

            wizard = await fail()
            async with trouble(socket.path):
                assert await take(wizard, "retry") == page
                assert await take(wizard, "retry") == page
            assert await take(wizard, "retry") == "no_pins_erased"
            await wizard.close()

            wizard = await fail()
            async with trouble(socket.path):
                assert await take(wizard, "retry") == page
            assert await wizard.choose("leave") == "left_untouched"

    @walks("failed_disk_full -> *", "failed_folder -> *", "failed_backup_storage -> *")
    async def test_backup_cannot_be_kept(
        self, hass: HomeAssistant, own_folder: Path
    ) -> None:
        dump = factory_dump()
        async with chip(dump) as socket:
            for in_the_way, page in (
                (full_disk, "failed_disk_full"),
                (file_for_folder, "failed_folder"),
                (link_to_itself, "failed_backup_storage"),
            ):
                with in_the_way(own_folder):
                    wizard = await to_chip(hass, socket.path)
                    assert wizard.page == page
                    assert await wizard.choose("leave") == "left_untouched", page
                    wizard = await to_chip(hass, socket.path)
                    assert await take(wizard, "retry") == page
                    assert await is_free(socket.path), page
                assert await take(wizard, "retry") == "no_pins_erased", page
                await wizard.close()
                (backup,) = own_folder.glob("*.bin")
                assert backup.read_bytes() == dump, page
                shutil.rmtree(own_folder.parent)

    @walks("failed_bootloader -> *")
    async def test_bootloader_is_not_written_over(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:
            for kind, bootloader in {
                "blank": b"\xff" * BOOTLOADER.size,
                "damaged": bytes(BOOTLOADER.size),
                "foreign": packer.bootloader(packer.OTHER_KEY),
            }.items():
                dump = put(factory_dump(), 0, bootloader)
                socket.flash.rewrite(0, dump)
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == "failed_bootloader", kind
                assert await wizard.choose("leave") == "left_untouched", kind
                wizard = await to_chip(hass, socket.path)
                page = await wizard.choose("restore_instead")
                assert page == "restore_choose", kind
                await wizard.close()
                assert content(socket) == dump, kind

    @walks("failed_erased -> *")
    async def test_erased_chip(self, hass: HomeAssistant) -> None:
        async with chip(factory.blank()) as socket:
            wizard = await to_chip(hass, socket.path)
            assert await wizard.choose("leave") == "left_untouched"
            wizard = await to_chip(hass, socket.path)
            assert await wizard.choose("restore_instead") == "restore_choose"
            await wizard.close()
            assert content(socket) == factory.blank()

    @walks("failed_rf_elsewhere -> *")
    async def test_another_layout(self, hass: HomeAssistant) -> None:
        dump = put(factory_dump(), 0x1E0000, RADIO)
        dump = factory.without(dump, RF_CALIBRATION.start)
        async with chip(dump) as socket:
            wizard = await to_chip(hass, socket.path)
            assert await take(wizard, "retry") == "failed_rf_elsewhere"
            assert await wizard.choose("leave") == "left_untouched"
            assert content(socket) == dump


class TestWriting:
    """What can stop the writing; the chip never starts by half, and the way leads on."""

    @asynccontextmanager
    async def bench(
        self, hass: HomeAssistant, broker: Broker, releases: ReleaseServer
    ) -> AsyncIterator[tuple[SimulatedSocket, Wizard]]:
        """Walk to the last confirmation; what no writing may touch is looked at afterwards."""
        shutil.rmtree(backup_folder(hass).path, ignore_errors=True)
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_confirmation(wizard, broker, releases)
            yield socket, wizard
            before, after = blow_dump(), content(socket)
            radio = slice(RF_CALIBRATION.start, RF_CALIBRATION.end)
            assert after[: BOOTLOADER.end] == before[: BOOTLOADER.end]
            assert after[radio] == before[radio]
            # Another chip that was held against this one may have one, too.
            backups = backup_folder(hass).path.glob("*.bin")
            assert [backup.read_bytes() for backup in backups].count(before) == 1
            assert not hass.config_entries.async_entries("openbk")

    @walks(
        "failed_garbled_writing -> *",
        "failed_crc_writing -> *",
        "failed_protected -> *",
    )
    async def test_lasting_fault(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        for page, fault in LASTING_WHILE_WRITING.items():
            half_written = page.endswith("_writing")
            async with self.bench(hass, mosquitto, releases) as (socket, wizard):
                socket.inject(fault)
                assert await wizard.submit() == page
                for offer in set(PAGES[page]) & SEARCHES:
                    assert await take(wizard, offer) == page
                assert starts_nothing(socket) is half_written, page
                assert await is_free(socket.path), page
                socket.clear()
                assert await take(wizard, "retry") == "reassemble", page
                assert not starts_nothing(socket), page
                await wizard.close()
            async with self.bench(hass, mosquitto, releases) as (socket, wizard):
                socket.inject(fault)
                assert await wizard.submit() == page
                assert starts_nothing(socket) is half_written, page
                left = "left_half_written" if half_written else "left_untouched"
                assert await wizard.choose("leave") == left, page

    @pytest.mark.slow
    @walks("failed_link_lost_writing -> check_wiring, port, leave")
    async def test_lost_power(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        cut = Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9)
        async with self.bench(hass, mosquitto, releases) as (socket, wizard):
            socket.inject(cut)
            assert await wizard.submit() == "failed_link_lost_writing"
            socket.power(on=True)
            socket.inject(cut)
            assert await take(wizard, "port") == "failed_link_lost_writing"
            assert starts_nothing(socket)
            socket.power(on=True)
            assert await take(wizard, "check_wiring") == "reassemble"
            await wizard.close()
        async with self.bench(hass, mosquitto, releases) as (socket, wizard):
            socket.inject(cut)
            assert await wizard.submit() == "failed_link_lost_writing"
            assert await wizard.choose("leave") == "left_half_written"
            assert starts_nothing(socket)

    @walks("failed_port_unplugged_writing -> *", "failed_port_missing_writing -> *")
    async def test_pulled_adapter(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        pulled = Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
        gone, missing = "failed_port_unplugged_writing", "failed_port_missing_writing"
        async with self.bench(hass, mosquitto, releases) as (socket, wizard):
            socket.inject(pulled)
            assert await wizard.submit() == gone
            assert await take(wizard, "retry") == missing
            assert await take(wizard, "retry") == missing
            socket.plug()
            socket.inject(pulled)
            assert await take(wizard, "port") == gone
            assert await take(wizard, "port") == "port"
            assert wizard.errors == {"adapter": "port_missing"}
            assert starts_nothing(socket)
            socket.plug()
            assert await try_port_again(wizard) == "reassemble"
            await wizard.close()
        for last in (gone, missing):
            async with self.bench(hass, mosquitto, releases) as (socket, wizard):
                socket.inject(pulled)
                await wizard.submit()
                if last == missing:
                    await wizard.choose("retry")
                assert wizard.page == last
                assert await wizard.choose("leave") == "left_half_written"
                assert starts_nothing(socket), last

    @walks("failed_flash_unreachable_writing -> *")
    async def test_memory_falls_silent(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        page = "failed_flash_unreachable_writing"
        async with self.bench(hass, mosquitto, releases) as (socket, wizard):
            socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
            )
            await wizard.submit()
            socket.plug()
            socket.inject(Fault(name=FaultName.FLASH_UNREACHABLE))
            assert await take(wizard, "retry") == page
            assert await take(wizard, "check_wiring") == page
            socket.clear()
            assert starts_nothing(socket)
            assert await take(wizard, "check_wiring") == "reassemble"
            await wizard.close()
        async with self.bench(hass, mosquitto, releases) as (socket, wizard):
            socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
            )
            await wizard.submit()
            socket.plug()
            socket.inject(Fault(name=FaultName.FLASH_UNREACHABLE))
            assert await take(wizard, "retry") == page
            assert await wizard.choose("leave") == "left_half_written"
            socket.clear()

    @walks("failed_chip_changed -> *", "backup -> other_chip", "other_chip -> *")
    async def test_chip_is_exchanged_before_the_writing(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        other = bytes.fromhex("c8478c999999")
        for last in ("failed_chip_changed", "other_chip", "reassemble"):
            async with self.bench(hass, mosquitto, releases) as (socket, wizard):
                socket.flash.rewrite(MAC_PLACE, other)
                assert await wizard.submit() == "failed_chip_changed"
                if last != "failed_chip_changed":
                    assert await take(wizard, "retry") == "other_chip"
                    assert wizard.placeholders["mac"] == other.hex(":")
                socket.flash.rewrite(MAC_PLACE, bytes.fromhex(MAC.replace(":", "")))
                assert content(socket) == blow_dump()
                if last == "reassemble":
                    assert await take(wizard, "retry") == last
                    await wizard.close()
                else:
                    assert await wizard.choose("leave") == "left_untouched"

    @walks("failed_region_changed -> *")
    async def test_bootloader_is_not_what_it_was(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        good = blow_dump()[0x800:0x802]
        for last in ("reassemble", "left_half_written"):
            async with self.bench(hass, mosquitto, releases) as (socket, wizard):
                socket.flash.rewrite(0x800, bytes(2))
                assert await wizard.submit() == "failed_region_changed"
                assert starts_nothing(socket)
                socket.flash.rewrite(0x800, good)
                if last == "reassemble":
                    assert await take(wizard, "retry") == last
                    await wizard.close()
                else:
                    assert await wizard.choose("leave") == last

    @walks(
        "download -> failed_settings",
        "firmware -> failed_settings",
        "broker -> failed_settings",
        "failed_settings -> *",
        "broker -> write_confirm -> search",
    )
    async def test_settings_that_do_not_fit(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        """What so many buttons report does not fit into one start-up command."""
        for offer in PAGES["failed_settings"]:
            async with socket_on_the_bench(blow_dump()) as socket:
                wizard = await to_pins(hass, socket)
                await wizard.choose("pins_edit")
                await wizard.submit_suggested(more={"others": MANY_BUTTONS})
                # Nothing is summed up that cannot be written.
                releases.trouble.garbage = offer == "leave"
                if await past_network(wizard, mosquitto) == "firmware":
                    source = {"file": await upload(hass, images.qio(NEWEST))}
                    await wizard.submit_suggested(source=source)
                assert wizard.page == "failed_settings"
                assert content(socket) == blow_dump()
                assert await is_free(socket.path)
                await wizard.choose(offer)
                if offer == "leave":
                    assert wizard.page == "left_untouched"
                    continue
                if offer == "pins":
                    await wizard.choose("pins_edit")
                    await wizard.submit_suggested(more={"others": None})
                    await wizard.choose("use_pins")
                    await wizard.submit_suggested()
                assert wizard.page == "wifi"
                # Nothing has to be typed again.
                assert await wizard.submit_suggested() == "broker"
                if offer == "pins":
                    assert await wizard.submit_suggested() == "write_confirm"
                    assert await wizard.submit() == "reassemble"
                else:
                    assert await wizard.submit_suggested() == "failed_settings"
                await wizard.close()

    @walks("next_socket -> search", "failed_foreign_key")
    async def test_next_socket_has_another_key(
        self,
        hass: HomeAssistant,
        mosquitto: Broker,
        releases: ReleaseServer,
        tmp_path: Path,
    ) -> None:
        """It has none, so it runs plain code, which the firmware before it was not."""
        port = tmp_path / "adapter"
        bare = factory.FactorySocket(
            mac="02:0b:e4:72:07:42", code_key=NO_KEY, code_size=CODE_SIZE
        ).dump()
        async with socket_on_the_bench(blow_dump()) as first:
            port.symlink_to(first.path)
            wizard = await to_chip(hass, str(port))
            await walk_on(wizard)
            await to_confirmation(wizard, mosquitto, releases)
            await wizard.submit()
            assert await wizard.submit(another=True) == "next_socket"
            await hass.async_block_till_done()
            for entry in hass.config_entries.async_entries("openbk"):
                await hass.config_entries.async_remove(entry.entry_id)
        async with socket_on_the_bench(bare, code_key=NO_KEY) as second:
            port.unlink()
            port.symlink_to(second.path)
            assert await wizard.submit() == "failed_foreign_key"
            assert content(second) == bare
            assert await wizard.choose("leave") == "left_untouched"

    @walks("releases -> failed_unexpected", "failed_unexpected -> *")
    async def test_damaged_storage(
        self,
        hass: HomeAssistant,
        hass_storage: dict[str, Any],
        mosquitto: Broker,
        releases: ReleaseServer,
    ) -> None:
        stored = hass_storage["openbk.release_index"]
        good, stored["data"] = stored["data"], ["not what we wrote"]
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            assert await past_network(wizard, mosquitto) == "failed_unexpected"
            assert await is_free(socket.path)
            assert await wizard.choose("leave") == "left_untouched"
            wizard = await to_pins(hass, socket)
            assert await past_network(wizard, mosquitto) == "failed_unexpected"
            stored["data"] = good
            assert await take(wizard, "retry") == "pins"
            await wizard.close()
            assert content(socket) == blow_dump()

    @walks(
        "write -> failed_port_unplugged_writing -> search -> backup -> write_confirm"
    )
    async def test_address_of_many_chips(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        """It does not tell whether it is the same chip, so a person has to say so again."""
        generic = put(RADIO, 0, factory.rf_calibration(GENERIC_MAC))
        async with socket_on_the_bench(
            put(blow_dump(), RF_CALIBRATION.start, generic)
        ) as socket:
            wizard = await to_pins(hass, socket)
            assert await wizard.choose("radio_keep") == "pins"
            await to_confirmation(wizard, mosquitto, releases)
            socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
            )
            assert await wizard.submit() == "failed_port_unplugged_writing"
            socket.plug()
            assert await wizard.choose("retry") == "write_confirm"
            assert starts_nothing(socket)
            assert await wizard.submit() == "reassemble"
            await wizard.close()


class TestRestoring:
    """What can stop a restore before anything is erased."""

    @pytest.fixture(autouse=True)
    async def factory_backup(self, hass: HomeAssistant) -> None:
        """Leave a factory backup of the chip in the folder."""
        async with chip(blow_dump()) as socket:
            wizard = await to_chip(hass, socket.path, "restore")
            assert wizard.page == "restore_choose"
            await wizard.close()

    @walks(
        "user -> restore -> intro",
        "backup -> restore_choose -> restore_confirm -> restore_write",
        "search -> backup -> restore_write -> restored",
    )
    async def test_pulled_adapter(self, hass: HomeAssistant) -> None:
        """What was confirmed is gone on with, and nothing is asked again."""
        async with chip(flashed(blow_dump())) as socket:
            wizard = await to_chip(hass, socket.path, "restore")
            assert await wizard.submit_suggested() == "restore_confirm"
            socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
            )
            assert await wizard.submit() == "failed_port_unplugged_writing"
            assert starts_nothing(socket)
            socket.plug()
            assert await wizard.choose("retry") == "restored"
            assert wizard.pages[-4:] == [
                "search",
                "backup",
                "restore_write",
                "restored",
            ]
            assert content(socket) == blow_dump()

    @walks(
        "reconfigure -> flash -> intro",
        "reconfigure -> restore -> intro",
        "restore_choose -> restore_choose",
        "restore_write -> restored_but_set_up",
    )
    async def test_from_the_entry_of_the_socket(
        self, hass: HomeAssistant, hass_storage: dict[str, Any]
    ) -> None:
        updates = {"version": 1, "data": {MAC: LEFT_BEHIND.as_dict()}}
        hass_storage["openbk.updates"] = updates
        entry = socket_entry(mac=MAC)
        entry.add_to_hass(hass)
        async with chip(flashed(blow_dump())) as socket:
            for choice, page in (("flash", "found_openbeken"), ("restore", "")):
                wizard = Wizard(hass)
                wizard.look_at(await entry.start_reconfigure_flow(hass))
                await wizard.choose(choice)
                await wizard.submit(adapter=socket.path)
                assert await walk_on(wizard) == (page or "restore_choose")
                if page:
                    await wizard.close()
            assert await wizard.submit_suggested(backup=None) == "restore_choose"
            assert wizard.errors == {"base": "backup_missing"}
            await wizard.submit_suggested()
            assert await wizard.submit() == "restored_but_set_up"
            assert content(socket) == blow_dump()
            # Nothing of an update is to be gone on with.
            assert hass_storage["openbk.updates"]["data"] == {}

    async def test_memory_out_of_reach(self, hass: HomeAssistant) -> None:
        """It is not taken for an erased one, which a backup could be put onto."""
        async with chip(bytes(FLASH_SIZE)) as socket:
            wizard = await to_chip(hass, socket.path, "restore")
            assert wizard.page == "failed_flash_unreachable"
            await wizard.close()
            assert content(socket) == bytes(FLASH_SIZE)

    @walks("failed_backup_unfit -> *", "restore_write -> failed_backup_unfit")
    async def test_another_chip_with_the_address_of_many_chips(
        self, hass: HomeAssistant
    ) -> None:
        """What fitted the chip before does not fit the one that is connected by now."""
        generic = put(RADIO, 0, factory.rf_calibration(GENERIC_MAC))
        dump = put(flashed(blow_dump()), RF_CALIBRATION.start, generic)
        other = put(dump, 0, packer.bootloader(packer.NO_KEY))
        # Its eFuse keeps the key to itself, so that the bootloader tells it.
        async with chip(dump, code_key=(0, 0, 0, 0)) as socket:
            for offer, page in (
                ("restore_other", "restore_choose"),
                ("leave", "left_half_written"),
            ):
                wizard = await to_chip(hass, socket.path, "restore")
                await wizard.submit_suggested(deliberate={"foreign": True})
                assert wizard.page == "restore_confirm"
                socket.inject(Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K))
                assert await wizard.submit() == "failed_port_unplugged_writing"
                swap_chip(socket, other)
                assert await wizard.choose("retry") == "failed_backup_unfit"
                assert content(socket) == other
                assert await is_free(socket.path)
                assert await wizard.choose(offer) == page
                if page == "restore_choose":
                    await wizard.close()
                swap_chip(socket, dump)


def swap_chip(socket: SimulatedSocket, dump: bytes) -> None:
    """Connect another chip in the place of this one."""
    socket.power(on=False)
    socket.clear()
    socket.flash.rewrite(0, dump)
    socket.power(on=True)
    socket.plug()
