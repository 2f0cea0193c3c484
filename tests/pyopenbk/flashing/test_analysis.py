"""What a dump says of its chip, and whether a job would write to it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.openbk.pyopenbk.backups import Contents
from custom_components.openbk.pyopenbk.beken.chips import BK7231N, BK7231T
from custom_components.openbk.pyopenbk.beken.code_flash import (
    STANDARD_KEY,
    CodeKey,
    CodeKeyWords,
    check_records,
)
from custom_components.openbk.pyopenbk.checksums import crc32_jamcrc
from custom_components.openbk.pyopenbk.flashing import (
    BootloaderTrouble,
    BootloaderUnfitError,
    ForeignKeyError,
    JobRecord,
    RfSectorMisplacedError,
    RfSectorMissingError,
)
from custom_components.openbk.pyopenbk.flashing.analysis import (
    Analysis,
    analyse,
    check_bootloader,
    code_key_of,
    find_obstacle,
    has_ended,
    starts_nothing,
)
from custom_components.openbk.pyopenbk.flashing.dump import Dump
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.tuya import PinReading
from custom_components.openbk.pyopenbk.tuya.dump import OpenBekenInsteadError
from simulator import code_image, images
from simulator.boot import bootloader_runs
from simulator.chips import Chip
from simulator.factory import FactorySocket
from simulator.flash import Flash
from tests.pyopenbk.obk import packer

from .dumps import CONFIG_START, GENERIC_MAC, MAC, RF_START, chip, put, rf_sector
from .test_records import RECORD

FACTORY = chip(packer.tuya_code())
OPENBEKEN = chip(packer.openbeken_code())
CONFIG = build(ConfigSector(mqtt_client_id="obk8D123456"))
BLANK_SECTOR = b"\xff" * 0x1000


def analyse_dump(
    content: bytes, code_key: CodeKeyWords, unfinished: JobRecord | None = None
) -> Analysis:
    """Look through the content of a BK7231N's flash."""
    return analyse(Dump(content, BK7231N), code_key, unfinished)


def test_factory_socket_is_read_as_one_of_its_own_chip() -> None:
    """A WB2S has the chip that it is usually sold with, and its own place for each thing."""
    unit = FactorySocket.numbered(1, chip=Chip.BK7231T)
    pins = Dump(unit.dump(), BK7231T).pins
    assert isinstance(pins, PinReading)
    assert pins.profile.module == "WB2S"
    assert pins.warnings == ()
    flash = BK7231T.flash
    flashed = images.flashed(unit.dump(), images.Build(chip="BK7231T"), CONFIG)
    blank = b"\xff" * flash.tuya_storage.size
    flashed = put(flashed, flash.tuya_storage.start, blank)
    assert isinstance(Dump(flashed, BK7231T).pins, OpenBekenInsteadError)


def test_factory_chip() -> None:
    analysis = analyse_dump(FACTORY, STANDARD_KEY)

    assert analysis.state is Contents.FACTORY
    assert analysis.mac == MAC
    assert not analysis.mac_is_generic
    assert analysis.version is None
    assert analysis.config is None
    assert analysis.obstacle is None
    assert analysis.pins is None
    assert analysis.why_no_pins is not None


LIBRETINY = packer.libretiny_code()


@pytest.mark.parametrize("before", ["factory", "openbeken"])
def test_libretiny_is_told_though_an_earlier_firmware_left_most_of_its_own(
    before: str,
) -> None:
    """ESPHome over a factory's or OpenBeken's firmware, which lies on behind it with its data."""
    unit = FactorySocket().dump()
    if before == "openbeken":
        unit = images.flashed(unit, images.NEWEST, CONFIG)
    start = BK7231N.flash.application.start
    content = put(unit, start, packer.update_by_wire(LIBRETINY).ljust(0x5000, b"\xff"))
    dump = Dump(content, BK7231N)
    assert dump.contents is Contents.UNKNOWN
    assert isinstance(dump.pins, PinReading)


def test_what_libretiny_left_behind_a_shorter_openbeken_does_not_run() -> None:
    code = packer.openbeken_code() + b"\xff" * 0x2000 + LIBRETINY
    dump = Dump(chip(code), BK7231N)
    assert dump.contents is Contents.OPENBEKEN


def test_openbeken_for_another_chip_is_told_from_its_own() -> None:
    for name in ("BK7231T", "BK7231N"):
        content = chip(packer.openbeken_code(name))
        assert analyse_dump(content, STANDARD_KEY).build_chip == name


def test_chip_with_openbeken() -> None:
    analysis = analyse_dump(put(OPENBEKEN, CONFIG_START, CONFIG), STANDARD_KEY)

    assert analysis.state is Contents.OPENBEKEN
    assert analysis.version == "1.18.299"
    assert analysis.config is not None
    assert analysis.config.mqtt_client_id == "obk8D123456"
    assert analysis.obstacle is None


def test_damaged_configuration_does_not_count() -> None:
    damaged = put(CONFIG, 0x194, b"another")
    analysis = analyse_dump(put(OPENBEKEN, CONFIG_START, damaged), STANDARD_KEY)

    assert analysis.state is Contents.OPENBEKEN
    assert analysis.config is None


def test_application_that_says_nothing_is_told_by_the_configuration() -> None:
    silent = chip(packer.VECTORS + bytes(range(256)) * 20)

    assert analyse_dump(silent, STANDARD_KEY).state is Contents.UNKNOWN
    with_config = put(silent, CONFIG_START, CONFIG)
    assert analyse_dump(with_config, STANDARD_KEY).state is Contents.OPENBEKEN


@pytest.mark.parametrize(
    ("dump", "state"),
    [
        # ltchiptool makes a right mark where the last record is filled to half or less.
        (chip(packer.tuya_code().ljust(0x2010, b"\0")), Contents.FACTORY),
        (chip(packer.openbeken_code().ljust(0x2410, b"\0")), Contents.OPENBEKEN),
    ],
    ids=["factory", "openbeken"],
)
def test_remains_behind_a_whole_application_do_not_count(
    dump: bytes, state: Contents
) -> None:
    remains = put(dump, 0x120000, b"remains of a longer firmware")
    assert analyse_dump(remains, STANDARD_KEY).state is state
    torn = put(remains, 0x12800, BLANK_SECTOR[:0x800])
    assert analyse_dump(torn, STANDARD_KEY).state is Contents.HALF_WRITTEN


def test_remains_behind_an_application_without_a_mark_do_not_count() -> None:
    """As BK7231T's bootloader leaves them: it erases the sectors that it needs, and no more."""
    short, long = (
        packer.update_by_wire(packer.openbeken_code("BK7231T").ljust(size, b"\1"))
        for size in (90_000, 120_000)
    )
    flash = packer.bootloader() + short + b"\xff" * (-len(short) % 4096)
    flash += long[len(flash) - 0x11000 :]
    dump = put(flash.ljust(0x200000, b"\xff"), 0x1E0000, rf_sector())
    assert Dump(dump, BK7231T).contents is Contents.OPENBEKEN
    # The same where the sector was not written to its end, and where nothing is blank.
    border = 0x11000 + len(short) // 4096 * 4096
    for torn in (
        put(dump, border - 0x700, b"\xff" * 0x700),
        put(dump, border - 0x700, bytes(0x700)),
        put(dump, border - 0x1000, BLANK_SECTOR),
    ):
        assert Dump(torn, BK7231T).contents is Contents.HALF_WRITTEN


@pytest.mark.parametrize(
    ("dump", "state"),
    [
        (put(FACTORY, 0x11000, BLANK_SECTOR), Contents.HALF_WRITTEN),
        (put(OPENBEKEN, 0x11000, BLANK_SECTOR), Contents.HALF_WRITTEN),
        (put(OPENBEKEN, 0x11800, b"\xff" * 0x800), Contents.HALF_WRITTEN),
        (put(OPENBEKEN, 0x12800, b"\xff" * 0x100), Contents.HALF_WRITTEN),
        (put(OPENBEKEN, 0x11000, b"\xff" * 0x119000), Contents.BLANK),
    ],
    ids=["factory", "openbeken", "torn first sector", "torn later", "blank"],
)
def test_application_that_is_not_whole(dump: bytes, state: Contents) -> None:
    assert analyse_dump(dump, STANDARD_KEY).state is state


def test_unfinished_job_makes_a_chip_half_written() -> None:
    analysis = analyse_dump(OPENBEKEN, STANDARD_KEY, RECORD)

    assert analysis.state is Contents.HALF_WRITTEN
    assert analysis.unfinished == RECORD
    assert analysis.version is None


def test_rf_sector_lost() -> None:
    dump = put(FACTORY, RF_START, BLANK_SECTOR)
    assert isinstance(analyse_dump(dump, STANDARD_KEY).obstacle, RfSectorMissingError)


@pytest.mark.parametrize("found", [(0x1E0000,), (0x1D9000, 0x1E0000)])
def test_rf_sector_elsewhere(found: tuple[int, ...]) -> None:
    dump = put(FACTORY, RF_START, BLANK_SECTOR)
    for start in found:
        dump = put(dump, start, rf_sector())

    obstacle = analyse_dump(dump, STANDARD_KEY).obstacle

    assert isinstance(obstacle, RfSectorMisplacedError)
    assert obstacle.found == found


def test_rf_sector_without_mac() -> None:
    dump = put(FACTORY, RF_START, rf_sector("ff:ff:ff:ff:ff:ff"))
    analysis = analyse_dump(dump, STANDARD_KEY)

    assert analysis.mac is None
    assert isinstance(analysis.obstacle, RfSectorMisplacedError)


def test_generic_mac_is_told() -> None:
    dump = put(FACTORY, RF_START, rf_sector(GENERIC_MAC))
    analysis = analyse_dump(dump, STANDARD_KEY)

    assert analysis.mac == GENERIC_MAC
    assert analysis.mac_is_generic
    assert analysis.obstacle is None


@pytest.mark.parametrize(
    ("bootloader", "trouble"),
    [
        (b"\xff" * 0x11000, BootloaderTrouble.BLANK),
        (b"\x00" * 0x11000, BootloaderTrouble.DAMAGED),
        (BLANK_SECTOR, BootloaderTrouble.DAMAGED),
        (b"\x12" * 34, BootloaderTrouble.DAMAGED),
        (packer.bootloader(packer.OTHER_KEY), BootloaderTrouble.FOREIGN),
        (packer.bootloader(packer.NO_KEY), BootloaderTrouble.FOREIGN),
    ],
    ids=["blank", "zeros", "first sector blank", "torn", "other key", "no key"],
)
def test_bootloader_that_cannot_start(
    bootloader: bytes, trouble: BootloaderTrouble
) -> None:
    obstacle = analyse_dump(put(FACTORY, 0, bootloader), STANDARD_KEY).obstacle

    assert isinstance(obstacle, BootloaderUnfitError)
    assert obstacle.trouble is trouble


@pytest.mark.parametrize(
    "cut",
    [
        lambda old, new: new[:0x6000] + old[0x6000:],
        lambda old, new: new[:0x6606] + old[0x6606:],
        lambda old, _: put(old, 0x6000, b"\xff" * 0x1000),
        lambda old, _: put(old, 0x6606, b"\xff" * 34),
    ],
    ids=["mixed", "mixed at a border of records", "hole", "a blank record"],
)
@pytest.mark.parametrize("chip_", [Chip.BK7231N, Chip.BK7231T])
def test_bootloader_that_another_tool_was_cut_off_in_is_not_built_on(
    cut: Callable[[bytes, bytes], bytes], chip_: Chip
) -> None:
    """None or two of its records are damaged; only the mark behind it tells."""
    model = {Chip.BK7231N: BK7231N, Chip.BK7231T: BK7231T}[chip_]
    old = FactorySocket.numbered(1, chip=chip_).dump()
    new = code_image.bootloader("another build")
    assert find_obstacle(Dump(old, model), None) is None
    torn = cut(old[:0x11000], new)
    dump = put(old, 0, torn)
    assert len(check_records(torn).damaged) <= 2
    assert not bootloader_runs(Flash(dump))
    obstacle = find_obstacle(Dump(dump, model), None)
    assert isinstance(obstacle, BootloaderUnfitError)
    assert obstacle.trouble is BootloaderTrouble.DAMAGED


def test_damage_in_an_unused_corner_of_the_bootloader_is_tolerated() -> None:
    dump = put(FACTORY, 0x8000, b"\x12" * 100)

    assert analyse_dump(dump, STANDARD_KEY).obstacle is None


def test_chip_with_a_key_of_its_own_is_named_before_anything_is_asked() -> None:
    assert isinstance(analyse_dump(FACTORY, (1, 2, 3, 4)).obstacle, ForeignKeyError)


def test_key_that_the_chip_keeps_to_itself_is_told_by_what_runs_there() -> None:
    assert code_key_of(Dump(FACTORY, BK7231N), (0, 0, 0, 0)) is CodeKey.STANDARD
    assert analyse_dump(FACTORY, (0, 0, 0, 0)).obstacle is None


def test_unencrypted_chip_runs_nothing_that_we_have() -> None:
    dump = put(FACTORY, 0, packer.bootloader(packer.NO_KEY))

    obstacle = analyse_dump(dump, (0, 0, 0, 0)).obstacle
    assert isinstance(obstacle, ForeignKeyError)
    # Its own backup goes back all the same.
    check_bootloader(Dump(dump, BK7231N), CodeKey.NONE)


FIRST_SECTOR = OPENBEKEN[0x11000:0x12000]


@pytest.mark.parametrize(
    "border", [*range(0, 4096, 34), *range(0, 4096, 256), 1, 4081, 4095]
)
@pytest.mark.parametrize("start", [FIRST_SECTOR[:34], b"\xff" * 34])
def test_first_sector_cut_anywhere_starts_nothing(border: int, start: bytes) -> None:
    """At the border of two records as well, where no record is damaged by the cut."""
    torn = (start + FIRST_SECTOR[34:])[:border].ljust(4096, b"\xff")
    record = replace(RECORD, first_sector_crc=crc32_jamcrc(FIRST_SECTOR))

    assert starts_nothing(torn)
    assert not has_ended(record, torn)


def test_job_has_ended_where_its_last_sector_is_in_place_or_somebody_elses() -> None:
    record = replace(RECORD, first_sector_crc=crc32_jamcrc(FIRST_SECTOR))

    assert has_ended(record, FIRST_SECTOR)
    # It never began, or another tool was at work since.
    assert has_ended(record, FACTORY[0x11000:0x12000])
    # What was put back starts nothing by itself.
    blank = replace(RECORD, first_sector_crc=crc32_jamcrc(BLANK_SECTOR))
    assert has_ended(blank, BLANK_SECTOR)
    assert not has_ended(RECORD, BLANK_SECTOR)


def test_secrets_stay_out_of_texts() -> None:
    config = ConfigSector(
        wifi_ssid="Nest", wifi_password="correct horse", mqtt_password="battery staple"
    )
    analysis = analyse_dump(put(OPENBEKEN, CONFIG_START, build(config)), STANDARD_KEY)

    assert analysis.config is not None
    assert analysis.config.wifi_password == "correct horse"
    assert not any(word in repr(analysis) for word in ("horse", "staple", "Nest"))
