"""The way back: a backup goes onto the chip that it came from, and onto no other by accident."""

from collections.abc import Callable
from pathlib import Path
import random

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.issues.unfinished import (
    UnfinishedSocket,
    UnfinishedSockets,
)
from custom_components.openbk.pyopenbk.beken.rf_sector import GENERIC_MAC
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector
from custom_components.openbk.pyopenbk.obk.setup import SocketSettings
from simulator import factory, images
from simulator.chip import SimulatedSocket
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import Operation, OperationKind
from tests.homeassistant.bench import (
    CODE_SIZE,
    MAC,
    blow_dump,
    chip,
    factory_dump,
    flashed,
    open_port,
    upload,
)
from tests.homeassistant.road import to_chip
from tests.homeassistant.wizard import Wizard
from tests.pyopenbk.flashing.dumps import plain_chip, put
from tests.pyopenbk.obk import packer
from tests.support.flash_map import (
    APPLICATION,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    RF_CALIBRATION,
)
from tests.support.sockets import BLOW, ignored, socket_entry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("socket_enabled", "hass_storage"),
]

walks = pytest.mark.walks


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Keep the backups of each test in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / "openbk" / "backups"


def openbeken_dump() -> bytes:
    """Return the same chip with OpenBeken on it."""
    return flashed(blow_dump())


async def back_up_factory(hass: HomeAssistant) -> None:
    """Leave a factory backup of the chip in the folder."""
    async with chip(blow_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        assert wizard.page == "restore_choose"
        await wizard.close()


async def test_back_to_the_factory_firmware(hass: HomeAssistant) -> None:
    # There is nothing of a socket whose card is ignored that would have to be removed.
    ignored(MAC).add_to_hass(hass)
    await back_up_factory(hass)
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        assert wizard.page == "restore_choose"
        assert await wizard.submit_suggested() == "restore_confirm"
        assert wizard.placeholders["chosen_mac"] == MAC
        assert wizard.placeholders["chosen_contents"] == "Factory firmware"
        assert await wizard.submit() == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


async def test_goes_on_after_lost_power(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        await wizard.submit_suggested()
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        socket.power(on=True)
        assert await wizard.choose("retry") == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


async def interrupt_restore(hass: HomeAssistant, socket: SimulatedSocket) -> None:
    """Lose the power in the middle of a restore, and leave."""
    wizard = await open_port(hass, socket.path, "restore")
    await wizard.submit_suggested()
    socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
    assert await wizard.submit() == "failed_link_lost_writing"
    socket.power(on=True)
    assert await wizard.choose("leave") == "left_half_written"


@pytest.mark.usefixtures("mqtt_connection")
@walks(
    "backup -> resume_restore",
    "resume_restore -> restore_go_on -> restore_write",
    "resume_restore -> flash_instead -> pins",
    "resume_restore -> leave",
)
async def test_interrupted_restore_is_gone_on_with_left_or_becomes_openbeken(
    hass: HomeAssistant,
) -> None:
    """Whatever the next wizard is opened for; nothing is asked again."""
    await back_up_factory(hass)
    async with chip(blow_dump()) as socket:

        async def open_again(choice: str) -> Wizard:
            wizard = await open_port(hass, socket.path, choice)
            assert wizard.page == "resume_restore", choice
            return wizard

        for choice in ("flash", "restore"):
            socket.flash.rewrite(0, openbeken_dump())
            await interrupt_restore(hass, socket)
            wizard = await open_again(choice)
            assert wizard.placeholders["chosen_contents"] == "Factory firmware"
            assert await wizard.choose("leave") == "left_half_written", choice
            wizard = await open_again(choice)
            assert await wizard.choose("flash_instead") == "pins", choice
            assert await wizard.choose("use_pins") == "name", choice
            await wizard.close()
            wizard = await open_again(choice)
            assert await wizard.choose("restore_go_on") == "restored", choice
            assert socket.flash.read(0, FLASH_SIZE) == blow_dump(), choice


@pytest.mark.usefixtures("mqtt_connection")
@walks("resume_restore -> restore_other -> restore_choose")
async def test_interrupted_restore_may_become_another_one(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    async with chip(openbeken_dump()) as socket:
        await interrupt_restore(hass, socket)
        wizard = await open_port(hass, socket.path)
        assert await wizard.choose("restore_other") == "restore_choose"
        (openbeken,) = (
            option["value"]
            for option in options(wizard)
            if "OpenBeken" in option["label"]
        )
        await wizard.submit_suggested(backup=openbeken)
        assert await wizard.submit() == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == openbeken_dump()


@pytest.mark.usefixtures("mqtt_connection")
async def test_restored_chip_is_no_unfinished_socket_any_more(
    hass: HomeAssistant,
) -> None:
    await back_up_factory(hass)
    unfinished = UnfinishedSockets(hass)
    await unfinished.async_remember(
        MAC,
        UnfinishedSocket(profile=BLOW, settings=SocketSettings(), release=None),
        b"firmware",
    )
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        await wizard.submit_suggested()
        assert await wizard.submit() == "restored"
    assert await unfinished.async_find(MAC) is None
    assert await unfinished.async_firmware(MAC) is None


def of_sister(code: bytes) -> bytes:
    """Return a dump of a BK7231T that runs this."""
    bare = factory.without(blow_dump(), RF_CALIBRATION.start)
    sister = put(bare, 0x1E0000, factory.rf_calibration(MAC))
    return put(sister, APPLICATION.start, code)


def swapped(dump: bytes) -> bytes:
    """Return a dump with the two bytes of each word the other way round."""
    turned = bytearray(dump)
    turned[::2], turned[1::2] = dump[1::2], dump[::2]
    return bytes(turned)


OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "dump_is_empty"),
    "text": (lambda: b"the backup of the kitchen", "dump_is_text"),
    "web page": (lambda: b"<!DOCTYPE html><html></html>", "dump_is_web_page"),
    "archive": (lambda: b"PK\x03\x04" + blow_dump(), "dump_is_archive"),
    "sent as text": (lambda: blow_dump().replace(b"\n", b"\r\n"), "dump_is_mangled"),
    "update": (images.ota, "dump_is_update"),
    "firmware": (images.qio, "backup_not_whole"),
    "cut": (lambda: blow_dump()[:0x1F6000], "backup_not_whole"),
    "erased": (factory.blank, "backup_erased"),
    "zeros": (lambda: bytes(FLASH_SIZE), "backup_zeros"),
    "swapped": (lambda: swapped(blow_dump()), "backup_swapped"),
    "rotated without bootloader": (
        lambda: put(factory.rotated(blow_dump()), 0x1EF000, b"\xff" * 0x11000),
        "backup_rotated",
    ),
    "noise": (lambda: random.Random(1).randbytes(FLASH_SIZE), "dump_not_one"),
    "BK7231T": (
        lambda: of_sister(packer.application(packer.tuya_code("bk7231t"))),
        "backup_other_chip",
    ),
    "OpenBeken on BK7231T": (
        lambda: of_sister(images.qio(images.Build(chip="BK7231T"))[0x11000:]),
        "backup_other_chip",
    ),
    "another key": (
        lambda: put(blow_dump(), 0, packer.bootloader(packer.OTHER_KEY)),
        "backup_other_key",
    ),
    "no key": (
        lambda: plain_chip(packer.VECTORS + random.Random(2).randbytes(9000), MAC),
        "backup_other_key",
    ),
    "no bootloader": (
        lambda: factory.without(blow_dump(), 0, APPLICATION.start),
        "backup_bootloader",
    ),
    "another map": (
        lambda: put(blow_dump(), 0x1E0000, factory.rf_calibration(MAC).ljust(4096)),
        "backup_other_map",
    ),
    "no address": (
        lambda: factory.without(blow_dump(), RF_CALIBRATION.start),
        "backup_without_mac",
    ),
    "another chip": (
        factory.FactorySocket.numbered(1, code_size=CODE_SIZE).dump,
        "backup_foreign",
    ),
}


async def test_file_is_called_what_it_is_before_anything_is_kept(
    hass: HomeAssistant, own_folder: Path
) -> None:
    """Whatever somebody takes for the backup of this chip."""
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        kept = sorted(own_folder.glob("*.bin"))
        for name, (content, error) in OTHERS.items():
            file = await upload(hass, content())
            assert await wizard.submit_suggested(upload=file) == "restore_choose", name
            assert wizard.errors == {"base": error}, name
            if error == "backup_other_chip":
                assert wizard.placeholders["backup_chip"] == "BK7231T", name
        assert sorted(own_folder.glob("*.bin")) == kept
        assert socket.flash.read(0, FLASH_SIZE) == openbeken_dump()
        # Said to be meant, what would not start is still refused.
        file = await upload(hass, OTHERS["BK7231T"][0]())
        await wizard.submit_suggested(upload=file, deliberate={"foreign": True})
        assert wizard.errors == {"base": "backup_other_chip"}
        # The right one is taken all the same.
        file = await upload(hass, blow_dump())
        assert await wizard.submit_suggested(upload=file) == "restore_confirm"
        assert wizard.placeholders["chosen_notes"] == ""
        await wizard.close()


ODD: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "hole": (
        lambda: factory.without(blow_dump(), 0x18000),
        "Incomplete firmware",
        "has a gap or is damaged, first at 0x017F",
    ),
    "no firmware": (
        lambda: factory.without(blow_dump(), APPLICATION.start, APPLICATION.size),
        "Blank",
        "There is no firmware in it",
    ),
    "no storage": (factory_dump, "Factory firmware", "storage in it is erased"),
    "damaged storage": (
        lambda: put(blow_dump(), 0x1F1700, b"\0"),
        "Factory firmware",
        "damaged in part",
    ),
    "rotated": (
        lambda: factory.rotated(blow_dump()),
        "Factory firmware",
        "put in the right order",
    ),
}


async def test_what_is_odd_about_a_backup_is_said_before_it_is_confirmed(
    hass: HomeAssistant,
) -> None:
    async with chip(openbeken_dump()) as socket:
        for name, (content, contents, note) in ODD.items():
            wizard = await open_port(hass, socket.path, "restore")
            before = {option["value"] for option in options(wizard)}
            file = await upload(hass, content())
            assert await wizard.submit_suggested(upload=file) == "restore_confirm", name
            assert wizard.placeholders["chosen_contents"] == contents, name
            assert note in wizard.placeholders["chosen_notes"], name
            await wizard.close()
            # It is among the backups now, and the same is said of it there.
            wizard = await open_port(hass, socket.path, "restore")
            (kept,) = {option["value"] for option in options(wizard)} - before
            assert await wizard.submit_suggested(backup=kept) == "restore_confirm", name
            # What was turned round is as it should be.
            said = note in wizard.placeholders["chosen_notes"]
            assert said is (name != "rotated"), name
            await wizard.close()


async def test_dump_that_was_turned_round_goes_back_the_right_way(
    hass: HomeAssistant,
) -> None:
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        file = await upload(hass, factory.rotated(blow_dump()))
        assert await wizard.submit_suggested(upload=file) == "restore_confirm"
        assert wizard.placeholders["chosen_mac"] == MAC
        assert await wizard.submit() == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


async def test_backup_beside_which_somebody_wrote_the_wrong_address(
    hass: HomeAssistant, own_folder: Path
) -> None:
    """What is in it counts, whatever is said of it."""
    await back_up_factory(hass)
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    async with chip(other.dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        await wizard.close()
    (sidecar,) = own_folder.glob(f"*{other.mac.replace(':', '')}*.json")
    sidecar.write_text(sidecar.read_text().replace(other.mac, MAC))
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        name = sidecar.with_suffix(".bin").name
        assert await wizard.submit_suggested(backup=name) == "restore_choose"
        assert wizard.errors == {"base": "backup_foreign"}
        await wizard.close()


async def test_foreign_backup_needs_a_deliberate_choice(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    async with chip(flashed(other.dump())) as socket:
        before = socket.flash.read(0, FLASH_SIZE)
        wizard = await open_port(hass, socket.path, "restore")
        name = factory_backup(wizard)
        await wizard.submit_suggested(backup=name)
        assert wizard.errors == {"base": "backup_foreign"}
        assert socket.flash.read(0, FLASH_SIZE) == before
        await wizard.submit_suggested(backup=name, deliberate={"foreign": True})
        assert wizard.page == "restore_confirm"
        assert await wizard.submit() == "restored"
        after = socket.flash.read(0, FLASH_SIZE)
        radio = slice(RF_CALIBRATION.start, RF_CALIBRATION.end)
        assert after[radio] == before[radio]
        assert after[: radio.start] == blow_dump()[: radio.start]


async def test_radio_calibration_is_left_alone_on_request(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    radio = slice(RF_CALIBRATION.start, RF_CALIBRATION.end)
    # The same chip, whose calibration somebody has changed since.
    tuned = bytearray(openbeken_dump())
    tuned[RF_CALIBRATION.start + 0x800] ^= 0x55
    async with chip(bytes(tuned)) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        await wizard.submit_suggested(deliberate={"keep_radio": True})
        assert wizard.page == "restore_confirm"
        assert await wizard.submit() == "restored"
        after = socket.flash.read(0, FLASH_SIZE)
        assert after[radio] == bytes(tuned)[radio]
        assert after[: radio.start] == blow_dump()[: radio.start]


async def test_lost_radio_calibration_is_repaired(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    async with chip(openbeken_dump()) as socket:
        for lost, sector in {
            "generic": factory.rf_calibration(GENERIC_MAC),
            "blank": b"",
        }.items():
            broken = sector.ljust(RF_CALIBRATION.size, b"\xff")
            socket.flash.rewrite(0, put(openbeken_dump(), RF_CALIBRATION.start, broken))
            wizard = await open_port(hass, socket.path, "restore")
            name = factory_backup(wizard)
            # Nothing on the chip proves that the backup is its own, so the person has to.
            await wizard.submit_suggested(backup=name)
            assert wizard.errors == {"base": "backup_unproven"}, lost
            await wizard.submit_suggested(backup=name, deliberate={"foreign": True})
            assert await wizard.submit() == "restored", lost
            assert socket.flash.read(0, FLASH_SIZE) == blow_dump(), lost


async def test_a_healthy_chip_does_not_get_what_an_erased_one_was_to_get(
    hass: HomeAssistant,
) -> None:
    await back_up_factory(hass)
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    healthy = flashed(other.dump())
    async with chip(factory.blank()) as erased, chip(healthy) as second:
        wizard = await open_port(hass, erased.path, "restore")
        await wizard.submit_suggested(deliberate={"foreign": True})
        erased.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        assert await wizard.choose("port") == "port"
        assert await wizard.submit(adapter=second.path) == "other_chip"
        assert wizard.placeholders["connected_mac"] == other.mac
        assert second.flash.read(0, FLASH_SIZE) == healthy
        erased.power(on=True)
        assert await wizard.choose("retry") == "other_chip"
        assert await wizard.choose("leave") == "left_half_written"
        again = await open_port(hass, erased.path, "restore")
        await again.submit_suggested(deliberate={"foreign": True})
        assert await again.submit() == "restored"
        assert erased.flash.read(0, FLASH_SIZE) == blow_dump()


async def test_generic_chip_that_got_its_address_back_is_still_the_one(
    hass: HomeAssistant,
) -> None:
    await back_up_factory(hass)
    broken = bytearray(openbeken_dump())
    broken[RF_CALIBRATION.start : RF_CALIBRATION.end] = factory.rf_calibration(
        GENERIC_MAC
    ).ljust(RF_CALIBRATION.size, b"\xff")
    async with chip(bytes(broken)) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        name = factory_backup(wizard)
        await wizard.submit_suggested(backup=name, deliberate={"foreign": True})
        watch = socket.flash.watcher
        assert watch is not None

        def cut_after_radio(operation: Operation) -> None:
            watch(operation)
            if operation.address == 0x11000 and operation.kind is OperationKind.PROGRAM:
                socket.power(on=False)

        socket.flash.watcher = cut_after_radio
        assert await wizard.submit() == "failed_link_lost_writing"
        socket.flash.watcher = watch
        socket.power(on=True)
        assert await wizard.choose("retry") == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


async def test_backup_that_was_tampered_with_is_not_written(
    hass: HomeAssistant, own_folder: Path
) -> None:
    await back_up_factory(hass)
    (backup,) = own_folder.glob("*.bin")
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        with backup.open("r+b") as file:
            file.write(b"\0")
        await wizard.submit_suggested(backup=backup.name)
        assert wizard.errors == {"base": "backup_damaged"}
        assert socket.flash.read(0, FLASH_SIZE) == openbeken_dump()
        await wizard.close()


@pytest.mark.usefixtures("mqtt_connection")
async def test_interrupted_restore_whose_backup_is_damaged_meanwhile(
    hass: HomeAssistant, own_folder: Path
) -> None:
    await back_up_factory(hass)
    (backup,) = own_folder.glob("*.bin")
    async with chip(openbeken_dump()) as socket:
        await interrupt_restore(hass, socket)
        wizard = await open_port(hass, socket.path)
        assert wizard.page == "resume_restore"
        with backup.open("r+b") as file:
            file.write(b"\0")
        assert await wizard.choose("restore_go_on") == "restore_choose"
        assert wizard.errors == {"base": "backup_damaged"}
        await wizard.close()


async def test_another_chip_is_not_restored_to(hass: HomeAssistant) -> None:
    await back_up_factory(hass)
    async with chip(openbeken_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        await wizard.submit_suggested()
        socket.power(on=False)
        other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
        async with chip(flashed(other.dump())) as second:
            socket.inject(Fault(name=FaultName.DISCONNECTED))
            assert await wizard.submit() == "failed_link_lost"
            assert await wizard.choose("port") == "port"
            assert await wizard.submit(adapter=second.path) == "other_chip"
            assert wizard.placeholders["mac"] == other.mac
            assert second.flash.read(0, FLASH_SIZE) == flashed(other.dump())
            await wizard.close()


def options(wizard: Wizard) -> list[dict[str, str]]:
    """Return what the list of backups offers."""
    fields = wizard.result["data_schema"].schema
    return next(
        value.config["options"] for key, value in fields.items() if key == "backup"
    )


def factory_backup(wizard: Wizard) -> str:
    """Return the only backup with the factory's firmware that is offered."""
    (name,) = (
        option["value"]
        for option in options(wizard)
        if "Factory firmware" in option["label"]
    )
    return name


async def test_erased_chip_takes_an_uploaded_backup(
    hass: HomeAssistant, own_folder: Path
) -> None:
    async with chip(factory.blank()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        assert wizard.page == "restore_choose"
        await wizard.submit_suggested()
        assert wizard.errors == {"base": "backup_missing"}
        await wizard.submit_suggested(upload=await upload(hass, blow_dump()[:-1]))
        assert wizard.errors == {"base": "backup_not_whole"}
        await wizard.submit_suggested(upload="0123456789abcdef0123456789abcdef")
        assert wizard.errors == {"base": "upload_gone"}
        await wizard.submit_suggested(upload=await upload(hass, bytes(9_000_000)))
        assert wizard.errors == {"base": "dump_too_large"}
        bare = factory.without(blow_dump(), RF_CALIBRATION.start)
        await wizard.submit_suggested(upload=await upload(hass, bare))
        assert wizard.errors == {"base": "backup_unproven"}
        await wizard.submit_suggested(
            upload=await upload(hass, bytes(FLASH_SIZE)), deliberate={"foreign": True}
        )
        assert wizard.errors == {"base": "backup_zeros"}
        await wizard.submit_suggested(
            upload=await upload(hass, blow_dump()), deliberate={"foreign": False}
        )
        assert wizard.errors == {"base": "backup_unproven"}
        # What was refused is not kept.
        assert not list(own_folder.glob("*.bin"))
        await wizard.submit_suggested(
            upload=await upload(hass, blow_dump()), deliberate={"foreign": True}
        )
        assert wizard.page == "restore_confirm"
        assert await wizard.submit() == "restored"
        assert socket.flash.read(0, FLASH_SIZE) == blow_dump()


@pytest.mark.usefixtures("mqtt_connection")
@walks(
    "restore_choose -> restore_twin -> leave",
    "restore_twin -> restore_other -> restore_choose",
    "restore_twin -> restore_own_topic -> restore_confirm",
    "restore_twin -> restore_as_it_is -> restore_confirm",
)
async def test_two_sockets_would_fight_for_one_topic(hass: HomeAssistant) -> None:
    """The OpenBeken of another socket goes onto this one, and that one is set up."""
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    entry = socket_entry(mac=other.mac, client_id="kitchen")
    entry.add_to_hass(hass)
    config = ConfigSector(
        mqtt_client_id="kitchen",
        short_name="Kitchen",
        long_name="Kitchen",
        wifi_ssid="Net",
        calibration=(0.14, 0.0125, 1.62, 0.0, 0.0, 0.0, 0.0, 0.0),
        mac=bytes.fromhex(other.mac.replace(":", "")),
    ).with_profile(BLOW)
    dump = flashed(other.dump(), config=config_sector.build(config))
    async with chip(blow_dump()) as socket:

        async def take(offer: str) -> Wizard:
            socket.flash.rewrite(0, blow_dump())
            wizard = await open_port(hass, socket.path, "restore")
            deliberate = {"foreign": True, "keep_radio": False}
            file = await upload(hass, dump)
            page = await wizard.submit(upload=file, deliberate=deliberate)
            assert page == "restore_twin"
            assert wizard.placeholders["twin"] == "Washing machine"
            assert wizard.placeholders["twin_topic"] == "`kitchen`"
            await wizard.choose(offer)
            assert socket.flash.read(0, FLASH_SIZE) == blow_dump(), offer
            return wizard

        assert (await take("leave")).page == "left_untouched"
        wizard = await take("restore_other")
        assert wizard.page == "restore_choose"
        await wizard.close()
        for offer, topic, name in (
            ("restore_own_topic", "obkE4720741", "OpenBK7231N_E4720741"),
            ("restore_as_it_is", "kitchen", "Kitchen"),
        ):
            wizard = await take(offer)
            assert wizard.page == "restore_confirm", offer
            own = offer == "restore_own_topic"
            assert ("**obkE4720741**" in wizard.placeholders["chosen_notes"]) is own
            assert await wizard.submit() == "restored", wizard.pages
            now = config_sector.parse(
                socket.flash.read(OPENBEKEN_CONFIG.start, OPENBEKEN_CONFIG.size)
            )
            assert (now.mqtt_client_id, now.long_name) == (topic, name)
            # Everything else is that of the backup.
            assert now.wifi_ssid == "Net", offer
            kept = config_sector.parse(config_sector.build(config))
            assert now.calibration == kept.calibration, offer
            assert now.profile.pins == BLOW.pins, offer


async def test_its_own_topic_of_before_may_be_anothers_by_now(
    hass: HomeAssistant,
) -> None:
    """The backup is of a time before the names were exchanged; where nobody else has it, nobody is asked."""
    config = ConfigSector(mqtt_client_id="kitchen").with_profile(BLOW)
    dump = flashed(blow_dump(), config=config_sector.build(config))
    async with chip(blow_dump()) as socket:

        async def choose() -> Wizard:
            wizard = await open_port(hass, socket.path, "restore")
            deliberate = {"foreign": False, "keep_radio": False}
            await wizard.submit(upload=await upload(hass, dump), deliberate=deliberate)
            return wizard

        wizard = await choose()
        assert wizard.page == "restore_confirm"
        await wizard.close()
        entry = socket_entry(mac="c8:47:8c:99:99:99", client_id="kitchen")
        entry.add_to_hass(hass)
        wizard = await choose()
        assert wizard.page == "restore_twin"
        assert wizard.placeholders["twin"] == "Washing machine"
        assert await wizard.choose("restore_own_topic") == "restore_confirm"
        assert "**obkE4720741**" in wizard.placeholders["chosen_notes"]
        await wizard.close()


@walks("resume_restore -> restore_go_on -> restore_twin")
async def test_interrupted_restore_of_another_socket_asks_again(
    hass: HomeAssistant,
) -> None:
    other = factory.FactorySocket.numbered(1, code_size=CODE_SIZE)
    config = ConfigSector(mqtt_client_id="kitchen").with_profile(BLOW)
    dump = flashed(other.dump(), config=config_sector.build(config))
    async with chip(blow_dump()) as socket:
        wizard = await open_port(hass, socket.path, "restore")
        deliberate = {"foreign": True, "keep_radio": False}
        file = await upload(hass, dump)
        await wizard.submit(upload=file, deliberate=deliberate)
        await wizard.choose("restore_own_topic")
        socket.inject(Fault(name=FaultName.POWER_LOST, command=Command.WRITE_4K, nth=9))
        assert await wizard.submit() == "failed_link_lost_writing"
        socket.power(on=True)
        await wizard.choose("leave")
        again = await to_chip(hass, socket.path, "restore")
        assert again.page == "resume_restore"
        assert await again.choose("restore_go_on") == "restore_twin"
        await again.choose("restore_own_topic")
        assert await again.submit() == "restored"
        now = config_sector.parse(
            socket.flash.read(OPENBEKEN_CONFIG.start, OPENBEKEN_CONFIG.size)
        )
        assert now.mqtt_client_id == "obkE4720741"
