"""The regions of the flash, and who may write them."""

import pytest

from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.beken.flash_map import (
    NOTHING,
    SECTOR_SIZE,
    OutsideAllowanceError,
    WriteAllowance,
)
from tests.support.flash_map import (
    APPLICATION,
    BOOTLOADER,
    FLASH_JOB,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    OTA,
    RESTORE_KEEPING_RF,
    RESTORE_OF_OWN_BACKUP,
    RF_CALIBRATION,
    TUYA_STORAGE,
)


def allowed(allowance: WriteAllowance, start: int, length: int) -> bool:
    """Return whether a job may write there."""
    try:
        allowance.check(start, length)
    except OutsideAllowanceError:
        return False
    return True


def test_the_addresses_are_those_of_real_chips() -> None:
    """As the dumps have them."""
    assert (APPLICATION.start, APPLICATION.size) == (0x11000, 0x119000)
    assert (OTA.start, OTA.size) == (0x12A000, 0xA6000)
    assert RF_CALIBRATION.start == 0x1D0000
    assert OPENBEKEN_CONFIG.start == 0x1D1000
    assert TUYA_STORAGE.start <= 0x1EE000


@pytest.mark.parametrize(
    "allowance",
    [
        BK7231T.flash.restore_of_own_backup,
        BK7231T.flash.restore_keeping(BK7231T.flash.rf_calibration),
        BK7231T.flash.flash_job,
        BK7231T.flash.radio_repair,
    ],
)
def test_no_job_reaches_a_bootloader_that_holds_the_loader(
    allowance: WriteAllowance,
) -> None:
    lowest = BK7231T.flash.application.start
    assert not allowed(allowance, lowest - SECTOR_SIZE, SECTOR_SIZE)
    assert not allowed(allowance, lowest - 1, 1)
    assert not allowed(allowance, 0, lowest)


@pytest.mark.parametrize("allowance", [NOTHING, FLASH_JOB, RESTORE_KEEPING_RF])
@pytest.mark.parametrize(
    ("start", "length"),
    [
        (RF_CALIBRATION.start, SECTOR_SIZE),
        (RF_CALIBRATION.start, 1),
        (RF_CALIBRATION.end - 1, 1),
        (RF_CALIBRATION.start - SECTOR_SIZE, 2 * SECTOR_SIZE),
        (0, FLASH_SIZE),
        (FLASH_SIZE, SECTOR_SIZE),
        (FLASH_SIZE - SECTOR_SIZE, 2 * SECTOR_SIZE),
        (-SECTOR_SIZE, SECTOR_SIZE),
        (APPLICATION.start, 0),
        (APPLICATION.start, -SECTOR_SIZE),
    ],
)
def test_nothing_but_a_restore_of_its_own_reaches_the_calibration(
    allowance: WriteAllowance, start: int, length: int
) -> None:
    """Not its first byte, not its last, not as part of more."""
    assert not allowed(allowance, start, length)


@pytest.mark.parametrize("start", [0, 0x10F9A, BOOTLOADER.end - SECTOR_SIZE])
def test_a_flash_job_never_reaches_the_bootloader(start: int) -> None:
    """Nor a piece that begins there and ends in the application."""
    assert not allowed(FLASH_JOB, start, SECTOR_SIZE)
    assert not allowed(FLASH_JOB, start, APPLICATION.start)


def test_a_flash_job_writes_application_and_configuration() -> None:
    """Wholly, and not one byte more."""
    for region in (APPLICATION, OPENBEKEN_CONFIG):
        assert allowed(FLASH_JOB, region.start, region.size)
        assert not allowed(FLASH_JOB, region.start, region.size + 1)
        assert not allowed(FLASH_JOB, region.start - 1, 2)
    assert not allowed(FLASH_JOB, TUYA_STORAGE.start, SECTOR_SIZE)
    assert not allowed(NOTHING, APPLICATION.start, 1)


def test_a_restore_writes_all_or_all_but_the_calibration() -> None:
    """The own backup brings its calibration; a foreign one leaves this chip's."""
    assert allowed(RESTORE_OF_OWN_BACKUP, 0, FLASH_SIZE)
    assert not allowed(RESTORE_OF_OWN_BACKUP, 0, FLASH_SIZE + 1)
    assert allowed(RESTORE_KEEPING_RF, 0, RF_CALIBRATION.start)
    end = RF_CALIBRATION.end
    assert allowed(RESTORE_KEEPING_RF, end, FLASH_SIZE - end)
