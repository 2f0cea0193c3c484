"""What a chip turns out to hold has its page, and everything that the page offers leads on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
import random
import shutil
from typing import Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.flows.wizard.pages import PAGES
from custom_components.openbk.issues.unfinished import UNFINISHED_FOLDER
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from simulator import factory, images
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.releases import ReleaseServer
from tests.homeassistant.bench import (
    CODE_SIZE,
    NEWEST,
    blow_dump,
    chip,
    factory_dump,
    flashed,
    socket_on_the_bench,
    upload,
)
from tests.homeassistant.road import SECRET, take, to_chip, to_confirmation, to_pins
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.flashing.dumps import put
from tests.pyopenbk.obk import packer
from tests.pyopenbk.tuya import store_writer
from tests.support.broker import Broker
from tests.support.flash_map import (
    APPLICATION,
    BOOTLOADER,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    RF_CALIBRATION,
    TUYA_STORAGE,
)
from tests.support.sockets import BLOW

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("hass_storage", "mqtt_connection"),
]

walks = pytest.mark.walks


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


# As 271 of 514 public ones are: the pins of the colours, and none of a relay.
_BULB: Final = (
    b"{category:0505,module:CB2L,cmod:rgbcw,r_pin:26,r_lv:1,g_pin:24,g_lv:1,"
    b"b_pin:6,b_lv:1,c_pin:7,c_lv:1,w_pin:8,w_lv:1,pwmhz:1000,crc:1,}\0"
)


def content(socket: SimulatedSocket) -> bytes:
    return bytes(socket.flash.read(0, FLASH_SIZE))


async def try_offers(
    arrive: Callable[[], Awaitable[Wizard]], page: str, socket: SimulatedSocket
) -> None:
    """Come to a page anew for each thing that it offers; each leads to a page of its own."""
    before = content(socket)
    for offer in PAGES[page]:
        wizard = await arrive()
        assert wizard.page == page, wizard.pages
        following = await wizard.choose(offer)
        if offer == "leave":
            assert following.startswith("left_")
        else:
            assert following != page
            await wizard.close()
    assert content(socket) == before


async def try_offers_of_each(
    hass: HomeAssistant, backups: Path, dumps: Mapping[str, bytes]
) -> None:
    """Let a chip hold what leads to each of these pages, without a backup of what it held before."""
    async with chip(b"") as socket:
        for page, dump in dumps.items():
            socket.flash.rewrite(0, dump)
            await try_offers(lambda: to_chip(hass, socket.path), page, socket)
            shutil.rmtree(backups)


def with_store(*entries: store_writer.Entry) -> bytes:
    """Return a factory chip with these values in its store alone."""
    store = store_writer.dump(store_writer.store(list(entries)))
    return put(factory_dump(), TUYA_STORAGE.start, store[TUYA_STORAGE.start :])


class TestPins:
    """Why a chip does not tell its pins."""

    @walks(
        "no_pins_erased -> *",
        "no_pins_not_found -> *",
        "no_pins_mcu -> *",
        "no_pins_light -> *",
        "no_pins_damaged -> *",
    )
    async def test_other_sources_are_offered(
        self, hass: HomeAssistant, own_folder: Path
    ) -> None:
        await try_offers_of_each(
            hass,
            own_folder,
            {
                "no_pins_erased": factory_dump(),
                "no_pins_not_found": with_store(
                    store_writer.Entry("em_sys_env", b"bk7231n\0", (0, 3))
                ),
                "no_pins_mcu": with_store(
                    store_writer.Entry("baud_cfg", b"{}", (1, 1))
                ),
                "no_pins_light": with_store(
                    store_writer.Entry("user_param_key", _BULB, (0, 3)),
                ),
                "no_pins_damaged": put(factory_dump(), TUYA_STORAGE.start, bytes(4096)),
            },
        )

    @walks("pins_paste -> pins_paste", "pins_paste -> pins_incomplete")
    async def test_parameters_without_pins(self, hass: HomeAssistant) -> None:
        """A lamp's, say, are told from a text that has nothing to do with it."""
        async with chip(factory_dump()) as socket:
            wizard = await to_chip(hass, socket.path)
            await wizard.choose("pins_paste")
            assert await wizard.submit(text="{}") == "pins_paste"
            assert wizard.errors == {"text": "text_not_understood"}
            lamp = "{jv:1.0.0,module:CB2S,crc:1,}"
            assert await wizard.submit(text=lamp) == "pins_incomplete"
            await wizard.close()

    async def test_what_is_odd_about_the_parameters_is_said(
        self, hass: HomeAssistant
    ) -> None:
        odd = factory.USER_PARAMETERS.replace("bt1_lv:0", "bt1_lv:1")
        odd = odd.replace("ch_num:1", "ch_num:2")
        dump = factory.FactorySocket(user_parameters=odd, code_size=CODE_SIZE).dump()
        async with chip(dump) as socket:
            wizard = await to_chip(hass, socket.path)
            assert wizard.page == "pins"
            notes = wizard.placeholders["notes"].splitlines()
            assert any(note.startswith("- P11: ") for note in notes)
            # Of the whole socket, so no parameter stands before it.
            assert any(note.startswith("- The numbers of channels") for note in notes)
            await wizard.close()

    @walks("radio_generic -> radio_keep -> no_pins_erased")
    async def test_backups_of_the_generic_address_are_of_any_chip(
        self, hass: HomeAssistant
    ) -> None:
        """Its pins may not come from one of them."""
        generic = factory.rf_calibration(GENERIC_MAC).ljust(4096, b"\xff")
        async with chip(put(blow_dump(), RF_CALIBRATION.start, generic)) as socket:
            wizard = await to_chip(hass, socket.path)
            assert await wizard.choose("radio_keep") == "pins"
            await wizard.close()
        async with chip(put(factory_dump(), RF_CALIBRATION.start, generic)) as socket:
            wizard = await to_chip(hass, socket.path)
            assert await wizard.choose("radio_keep") == "no_pins_erased"
            await wizard.close()

    @walks("no_pins_openbeken -> *")
    async def test_openbeken_without_its_configuration(
        self, hass: HomeAssistant
    ) -> None:
        dump = put(flashed(factory_dump()), OPENBEKEN_CONFIG.start, b"CFG broken")
        async with chip(dump) as socket:

            async def arrive() -> Wizard:
                wizard = await to_chip(hass, socket.path)
                assert wizard.page == "found_openbeken"
                await wizard.choose("pins")
                return wizard

            await try_offers(arrive, "no_pins_openbeken", socket)

    @walks("found_openbeken -> pins")
    async def test_pins_of_openbekens_configuration(self, hass: HomeAssistant) -> None:
        """They are all there is where the factory's storage is gone."""
        config = config_sector.build(ConfigSector().with_profile(BLOW))
        async with chip(flashed(factory_dump(), config=config)) as socket:
            wizard = await to_chip(hass, socket.path)
            assert await wizard.choose("pins") == "pins"
            assert "| P26 | Relay | Rel | 1 |" in wizard.placeholders["pins"]
            assert not wizard.placeholders["notes"]
            await wizard.close()

    @walks("pins_incomplete -> *")
    async def test_pins_are_not_complete(self, hass: HomeAssistant) -> None:
        async with chip(factory_dump()) as socket:

            async def arrive() -> Wizard:
                wizard = await to_chip(hass, socket.path)
                await wizard.choose("pins_paste")
                await wizard.submit(text='{"pins":{"11":"Btn;1"}}')
                return wizard

            await try_offers(arrive, "pins_incomplete", socket)

    @walks(
        "pins_other -> *",
        "pins -> pins_edit -> pins",
        "pins -> pins_other",
        "pins_known -> *",
        "pins_paste -> *",
        "pins_upload -> *",
        "pins_edit -> *",
    )
    async def test_pins_from_elsewhere(self, hass: HomeAssistant) -> None:
        """Each source is tried in turn; what it said last is what counts."""
        async with chip(blow_dump()) as socket:
            wizard = await to_chip(hass, socket.path)
            await wizard.choose("pins_other")
            # Whoever has nothing to give there is not kept.
            for source in ("pins_known", "pins_paste", "pins_upload"):
                await wizard.choose(source)
                assert await wizard.submit() == "pins_other"
            await wizard.choose("pins_edit")
            assert await wizard.submit(meter={}, more={}) == "pins_other"
            await wizard.choose("pins_known")
            assert await wizard.submit(model="blow_72_074") == "pins"

            await wizard.choose("pins_other")
            await wizard.choose("pins_paste")
            assert await wizard.submit(text="?") == "pins_paste"
            assert await wizard.submit(text='{"pins":{"8":"Rel;1"}}') == "pins"
            assert "| P8 | Relay | Rel | 1 |" in wizard.placeholders["pins"]
            await wizard.choose("pins_other")
            await wizard.choose("pins_paste")
            text = '{"pins":{"11":"Btn;1"}}'
            assert await wizard.submit(text=text) == "pins_incomplete"
            await wizard.choose("pins_known")
            await wizard.submit(model="blow_72_074")

            await wizard.choose("pins_other")
            await wizard.choose("pins_upload")
            file = await upload(hass, b"tiny")
            assert await wizard.submit(dump=file) == "pins_upload"
            assert await wizard.submit(dump=await upload(hass, blow_dump())) == "pins"
            assert "| P26 | Relay | Rel | 1 |" in wizard.placeholders["pins"]

            await wizard.choose("pins_edit")
            assert await wizard.submit_suggested(led="P26") == "pins_edit"
            assert await wizard.submit_suggested(led=None) == "pins"
            assert "| P10 |" not in wizard.placeholders["pins"]

            await wizard.choose("pins_other")
            assert await wizard.choose("pins_edit") == "pins_edit"
            assert await wizard.submit_suggested(led="P10") == "pins"
            await wizard.choose("pins_other")
            assert await wizard.choose("leave") == "left_untouched"
            assert content(socket) == blow_dump()


@walks(
    "found_half_written -> *",
    "found_openbeken -> *",
    "found_other_build -> *",
    "found_blank -> *",
    "found_unknown -> *",
)
async def test_contents_are_told(hass: HomeAssistant, own_folder: Path) -> None:
    blank = (APPLICATION.start, APPLICATION.size)
    of_sister = images.ua(replace(NEWEST, chip="BK7231T"))
    unknown = packer.application(packer.VECTORS + random.Random(1).randbytes(6000))
    await try_offers_of_each(
        hass,
        own_folder,
        {
            "found_half_written": factory.without(
                flashed(blow_dump()), APPLICATION.start
            ),
            "found_openbeken": flashed(blow_dump()),
            "found_other_build": put(
                factory.without(blow_dump(), *blank), APPLICATION.start, of_sister
            ),
            "found_blank": factory.without(factory_dump(), *blank),
            "found_unknown": put(factory_dump(), APPLICATION.start, unknown),
        },
    )


def with_radio(sector: bytes) -> bytes:
    """Return the factory chip with another calibration."""
    return put(blow_dump(), RF_CALIBRATION.start, sector.ljust(4096, b"\xff"))


LOST = with_radio(b"")
GENERIC = with_radio(factory.rf_calibration(GENERIC_MAC))


class TestRadio:
    """A chip that has lost its radio calibration."""

    @pytest.mark.parametrize(
        ("dump", "taken", "page"),
        [
            pytest.param(
                LOST, False, "radio_missing", marks=walks("radio_missing -> *")
            ),
            pytest.param(
                GENERIC, False, "radio_generic", marks=walks("radio_generic -> *")
            ),
            pytest.param(
                GENERIC,
                True,
                "radio_generic_taken",
                marks=walks("radio_generic_taken -> *"),
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_repair_is_offered(
        self, hass: HomeAssistant, dump: bytes, taken: bool, page: str
    ) -> None:
        if taken:
            data = {"mac": GENERIC_MAC, "client_id": "cellar", "group": "bekens_n"}
            MockConfigEntry(
                domain="openbk", unique_id=GENERIC_MAC, title="Cellar", data=data
            ).add_to_hass(hass)
        async with chip(dump) as socket:
            await try_offers(lambda: to_chip(hass, socket.path), page, socket)

    async def at_confirmation(
        self, hass: HomeAssistant, socket: SimulatedSocket
    ) -> Wizard:
        wizard = await to_chip(hass, socket.path)
        await wizard.choose("radio_repair")
        assert await wizard.submit() == "radio_repair"
        await wizard.submit(upload=await upload(hass, blow_dump()))
        return wizard

    @walks(
        "backup -> radio_missing -> radio_repair",
        "radio_repair -> *",
        "radio_confirm -> *",
        "radio_write -> backup, failed_radio",
        "failed_radio -> *",
        "left_radio_begun",
    )
    async def test_repair_is_repeated(self, hass: HomeAssistant) -> None:
        """Nothing but the one sector is ever changed."""
        # While the protection is taken off, before anything is written.
        pulled = Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_STATUS)
        for offer in PAGES["failed_radio"]:
            async with chip(LOST) as socket:
                wizard = await self.at_confirmation(hass, socket)
                socket.inject(pulled)
                assert await wizard.submit() == "failed_radio"
                assert content(socket) == LOST
                socket.plug()
                if offer == "leave":
                    assert await wizard.choose(offer) == "left_radio_begun"
                    continue
                assert await take(wizard, offer) == "radio_missing"
                await wizard.choose("radio_repair")
                await wizard.submit(upload=await upload(hass, blow_dump()))
                assert await wizard.submit() == "pins"
                assert content(socket) == blow_dump()
                await wizard.close()

    @walks("radio_write -> failed_region_changed")
    async def test_another_region_changes_meanwhile(self, hass: HomeAssistant) -> None:
        async with chip(LOST) as socket:
            wizard = await self.at_confirmation(hass, socket)
            socket.flash.rewrite(0x50000, b"changed")
            assert await wizard.submit() == "failed_region_changed"
            assert await wizard.choose("leave") == "left_radio_begun"

    async def test_backups_cannot_be_listed(
        self, hass: HomeAssistant, own_folder: Path
    ) -> None:
        """A file can still be uploaded."""
        async with chip(LOST) as socket:
            wizard = await to_chip(hass, socket.path)
            assert wizard.page == "radio_missing"
            moved = own_folder.rename(own_folder.with_name("moved"))
            own_folder.symlink_to(own_folder)
            assert await wizard.choose("radio_repair") == "radio_repair"
            assert [str(key) for key in wizard.result["data_schema"].schema] == [
                "upload"
            ]
            own_folder.unlink()
            moved.rename(own_folder)
            file = await upload(hass, blow_dump())
            assert await wizard.submit(upload=file) == "radio_confirm"
            await wizard.close()

    @walks("left_repaired")
    async def test_leaving_a_repaired_chip(self, hass: HomeAssistant) -> None:
        dump = put(factory_dump(), RF_CALIBRATION.start, b"\xff" * 4096)
        async with chip(dump) as socket:
            wizard = await self.at_confirmation(hass, socket)
            assert await wizard.submit() == "no_pins_erased"
            assert await wizard.choose("leave") == "left_repaired"
            assert content(socket) == factory_dump()


class TestUnfinished:
    """What an earlier wizard left behind is gone on with."""

    @asynccontextmanager
    async def half_written(
        self, hass: HomeAssistant, broker: Broker, releases: ReleaseServer
    ) -> AsyncIterator[SimulatedSocket]:
        async with socket_on_the_bench(blow_dump()) as socket:
            wizard = await to_pins(hass, socket)
            await to_confirmation(wizard, broker, releases)
            socket.inject(
                Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K, nth=9)
            )
            await wizard.submit()
            assert await wizard.choose("leave") == "left_half_written"
            socket.plug()
            yield socket

    @walks(
        "backup -> resume",
        "resume -> *",
        "resume_passwords -> *",
        "resume_passwords -> releases -> download -> write_confirm -> write",
    )
    async def test_half_written_socket(
        self, hass: HomeAssistant, mosquitto: Broker, releases: ReleaseServer
    ) -> None:
        async with self.half_written(hass, mosquitto, releases) as socket:
            wizard = await to_pins(hass, socket)
            assert await wizard.choose("leave") == "left_half_written"
            wizard = await to_pins(hass, socket)
            assert await wizard.choose("pins") == "pins"
            await wizard.close()
            wizard = await to_pins(hass, socket)
            await wizard.choose("resume_passwords")
            assert await wizard.submit(wifi_password="short") == "resume_passwords"
            assert await wizard.submit(wifi_password=SECRET) == "write_confirm"
            assert "releases" not in wizard.pages
            await wizard.close()
            # What is left of its firmware is no firmware: its release is fetched again.
            for kept in Path(hass.config.path(UNFINISHED_FOLDER)).iterdir():
                kept.write_bytes(b"half of it")
            wizard = await to_pins(hass, socket)
            await wizard.choose("resume_passwords")
            assert await wizard.submit(wifi_password=SECRET) == "write_confirm"
            assert "releases" in wizard.pages
            await wizard.close()
            shutil.rmtree(hass.config.path(UNFINISHED_FOLDER))
            wizard = await to_pins(hass, socket)
            await wizard.choose("resume_passwords")
            assert await wizard.submit(wifi_password=SECRET) == "write_confirm"
            assert await wizard.submit() == "reassemble"
            await wizard.close()

    async def test_its_record_is_damaged(
        self,
        hass: HomeAssistant,
        hass_storage: dict[str, object],
        mosquitto: Broker,
        releases: ReleaseServer,
    ) -> None:
        """Then everything is asked again."""
        async with self.half_written(hass, mosquitto, releases) as socket:
            stored = hass_storage["openbk.unfinished"]
            assert isinstance(stored, dict)
            stored["data"] = ["not what we wrote"]
            wizard = await to_pins(hass, socket)
            assert wizard.page == "found_half_written"
            await wizard.close()

    @walks("releases -> failed_unexpected_writing -> *")
    async def test_something_unforeseen(
        self,
        hass: HomeAssistant,
        hass_storage: dict[str, object],
        mosquitto: Broker,
        releases: ReleaseServer,
    ) -> None:
        async with self.half_written(hass, mosquitto, releases) as socket:
            shutil.rmtree(hass.config.path(UNFINISHED_FOLDER))
            stored = hass_storage["openbk.release_index"]
            assert isinstance(stored, dict)
            good, stored["data"] = stored["data"], ["not what we wrote"]
            for offer, page in (("leave", "left_half_written"), ("retry", "resume")):
                wizard = await to_pins(hass, socket)
                await wizard.choose("resume_passwords")
                await wizard.submit(wifi_password=SECRET)
                assert wizard.page == "failed_unexpected_writing"
                assert await take(wizard, offer) == page
            stored["data"] = good
            await wizard.choose("resume_passwords")
            assert await wizard.submit(wifi_password=SECRET) == "write_confirm"
            await wizard.close()

    @walks("resume_restore -> flash_instead -> failed_bootloader")
    async def test_interrupted_restore_without_a_bootloader(
        self, hass: HomeAssistant
    ) -> None:
        """OpenBeken would not start there; the backup has to come first."""
        async with chip(blow_dump()) as socket:
            wizard = await to_chip(hass, socket.path, "restore")
            await wizard.close()
            socket.flash.rewrite(0, bytes(BOOTLOADER.size))
            wizard = await to_chip(hass, socket.path, "restore")
            await wizard.submit_suggested()
            # The bootloader is what differs, and is erased first.
            socket.inject(Fault(name=FaultName.UNPLUGGED, command=Command.WRITE_4K))
            assert await wizard.submit() == "failed_port_unplugged_writing"
            assert await wizard.choose("leave") == "left_half_written"
            socket.plug()
            wizard = await to_chip(hass, socket.path, "restore")
            assert await wizard.choose("flash_instead") == "failed_bootloader"
            await wizard.close()
