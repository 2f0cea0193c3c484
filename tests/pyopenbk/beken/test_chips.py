"""The table of chips: what OpenBeken calls them, and what their flash maps allow."""

from itertools import pairwise
import json
from pathlib import Path
import re

import pytest

from custom_components.openbk.pyopenbk.beken.chips import (
    BK7231N,
    BK7231T,
    CHIPS,
    FLASHABLE,
    FlashableChip,
    LoaderKind,
    chip_with_id,
)
from custom_components.openbk.pyopenbk.beken.flash_map import SECTOR_SIZE, Region

PLATFORMS = json.loads(Path(__file__).with_name("platforms.json").read_text())["chips"]


@pytest.mark.parametrize("row", PLATFORMS, ids=lambda row: row["chip"])
def test_each_chip_is_named_as_its_firmware_names_it(
    row: dict[str, str | int | None],
) -> None:
    chip = CHIPS[str(row["chip"])]
    assert (chip.group, chip.prefix) == (row["group"], row["prefix"])
    assert chip.update_suffix == row["update_suffix"]
    assert chip.config_address == row["config_address"]
    if isinstance(chip, FlashableChip):
        assert chip.flash.ota.start == row["ota_address"]


def test_no_chip_is_missing_or_made_up() -> None:
    assert set(CHIPS) == {row["chip"] for row in PLATFORMS}
    assert all(CHIPS[name].name == name for name in CHIPS)
    assert set(FLASHABLE) <= set(CHIPS.values())


def test_what_a_chip_is_told_by_is_told_by_no_other() -> None:
    """Neither its id, nor the name that its bootloader or Tuya's firmware has for it."""
    ids = [chip.chip_id for chip in FLASHABLE if chip.loader is LoaderKind.ROM]
    assert None not in ids
    for told in (
        ids,
        [chip.bootloader_name for chip in FLASHABLE],
        [name for chip in FLASHABLE for name in chip.factory_names],
        [start for chip in CHIPS.values() for start in chip.modules],
    ):
        assert len(set(told)) == len(told)
    assert chip_with_id(0x7231C) is BK7231N
    assert chip_with_id(0x7231) is None


@pytest.mark.parametrize("chip", FLASHABLE, ids=lambda chip: chip.name)
def test_regions_are_whole_sectors_and_do_not_overlap(chip: FlashableChip) -> None:
    """From the first byte of the flash to the last."""
    flash = chip.flash
    regions = [
        getattr(flash, name)
        for name in type(flash).__annotations__
        if isinstance(getattr(flash, name), Region)
    ]
    regions.sort(key=lambda region: region.start)
    assert regions[0].start == 0
    assert regions[-1].end == flash.size
    for region in regions:
        assert region.start % SECTOR_SIZE == region.end % SECTOR_SIZE == 0
        assert region.size > 0
    for lower, upper in pairwise(regions):
        assert lower.end <= upper.start
    assert flash.first_sector.start == flash.application.start
    assert flash.application_length <= flash.application.size


@pytest.mark.parametrize("chip", FLASHABLE, ids=lambda chip: chip.name)
def test_a_loader_in_the_flash_is_out_of_reach_of_every_job(
    chip: FlashableChip,
) -> None:
    """Whatever a job may write: not a byte below the application of such a chip."""
    flash = chip.flash
    assert flash.holds_loader is (chip.loader is LoaderKind.BOOTLOADER)
    for allowance in (
        flash.flash_job,
        flash.radio_repair,
        flash.restore_of_own_backup,
        flash.restore_keeping(flash.rf_calibration),
    ):
        reaches = not allowance.spares(flash.bootloader)
        assert not (reaches and flash.holds_loader)
    own = flash.restore_of_own_backup
    assert own.spares(flash.bootloader) is flash.holds_loader


def test_the_addresses_are_those_of_real_chips() -> None:
    """As their dumps have them, and the loader of BK7231T refuses to erase below."""
    for chip in (BK7231N, BK7231T):
        assert chip.flash.bootloader.end == chip.flash.application.start == 0x11000
        assert chip.flash.tuya_storage.start <= 0x1EE000
    assert BK7231N.flash.rf_calibration.start == 0x1D0000
    assert BK7231T.flash.rf_calibration.start == 0x1E0000


def test_default_names_are_short_topics() -> None:
    for chip in CHIPS.values():
        assert re.fullmatch(r"[a-z0-9C]{3,9}", chip.prefix)
        assert re.fullmatch(r"[a-z0-9_]{3,10}", chip.group)
