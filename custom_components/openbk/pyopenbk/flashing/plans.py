"""What a flash job and a restore write, and what they leave alone."""

from ..beken.application import CodeKey
from ..beken.flash_map import (
    APPLICATION,
    BOOTLOADER,
    FLASH_JOB,
    FLASH_SIZE,
    OPENBEKEN_CONFIG,
    RESTORE_OF_OWN_BACKUP,
    RF_CALIBRATION,
    Region,
    restore_keeping,
)
from ..bootrom.chip import ChipIdentity
from ..obk.image import CHIP, ImageError, recognise
from .analysis import (
    FIRST_SECTOR,
    check_bootloader,
    code_key_of,
    find_rf_sectors,
    part,
    read_rf_sector,
    rf_region_of,
)
from .errors import (
    BackupTrouble,
    BackupUnfitError,
    BootloaderTrouble,
    BootloaderUnfitError,
    ForeignBackupError,
)
from .records import Phase
from .writing import Piece, WritePlan


def plan_flash(application: bytes, config: bytes | None, dump: bytes) -> WritePlan:
    """Plan to write an application over the whole of its region, and a configuration.

    ``dump`` is what the chip holds; its bootloader and RF calibration must stay.
    """
    application = application.ljust(APPLICATION.size, b"\xff")
    pieces = [
        Piece(
            phase=Phase.WRITE_APPLICATION,
            start=FIRST_SECTOR.end,
            data=application[FIRST_SECTOR.size :],
        )
    ]
    if config is not None:
        pieces.append(
            Piece(phase=Phase.WRITE_CONFIG, start=OPENBEKEN_CONFIG.start, data=config)
        )
    return WritePlan(
        before=dump,
        pieces=tuple(pieces),
        first_sector=application[: FIRST_SECTOR.size],
        allowance=FLASH_JOB,
        unchanged=(BOOTLOADER, RF_CALIBRATION),
    )


def plan_restore(
    content: bytes,
    dump: bytes,
    identity: ChipIdentity,
    *,
    keep_rf: bool,
    foreign: bool,
    read_here: bool,
) -> WritePlan:
    """Plan to write a backup's ``content`` over a chip that holds ``dump``.

    ``read_here``: we read it from this chip, so it goes back as it was. Raises ForeignBackupError
    unless the backup is this chip's own or ``foreign`` is set, and BackupUnfitError where one that
    came from elsewhere would not start.
    """
    if len(content) != identity.flash_size:
        raise BackupUnfitError(BackupTrouble.SIZE)
    radio = rf_region_of(dump if find_rf_sectors(dump) else content)
    if not read_here:
        _check_fit(content, code_key_of(dump, identity.code_key), radio)
    writes_rf = _may_write_rf(content, dump, radio, foreign=foreign) and not keep_rf
    regions = [
        Region("below_rf", FIRST_SECTOR.end, radio.start),
        BOOTLOADER,
        Region("above_rf", radio.end, FLASH_SIZE),
    ]
    if writes_rf and part(content, radio) != part(dump, radio):
        # A piece of its own: no erase of a larger block may pass over it.
        regions.append(radio)
    keeps_rf = radio not in regions
    return WritePlan(
        before=dump,
        pieces=tuple(
            Piece(
                phase=Phase.WRITE_APPLICATION,
                start=region.start,
                data=part(content, region),
            )
            for region in regions
        ),
        first_sector=part(content, FIRST_SECTOR),
        allowance=restore_keeping(radio) if keeps_rf else RESTORE_OF_OWN_BACKUP,
        unchanged=(radio,) if keeps_rf else (),
    )


def _may_write_rf(content: bytes, dump: bytes, radio: Region, *, foreign: bool) -> bool:
    """Return whether the backup's RF calibration may replace the chip's."""
    of_backup, of_chip = (
        read_rf_sector(part(flash, radio)) for flash in (content, dump)
    )
    if of_chip is not None and of_chip.is_generic:
        of_chip = None
    own = of_backup is not None and of_chip is not None and of_backup.mac == of_chip.mac
    if not own and not foreign:
        raise ForeignBackupError(
            backup_mac=of_backup.mac if of_backup else None,
            chip_mac=of_chip.mac if of_chip else None,
        )
    return own or (of_chip is None and of_backup is not None)


def _check_fit(content: bytes, key: CodeKey, radio: Region) -> None:
    """Refuse a backup of another kind of chip, by what its code, its key and its map say."""
    try:
        chip = recognise(content).chip
    except ImageError as err:
        raise BackupUnfitError(BackupTrouble.NO_FLASH) from err
    if chip not in (None, CHIP):
        raise BackupUnfitError(BackupTrouble.CHIP, chip)
    try:
        check_bootloader(content, key)
    except BootloaderUnfitError as err:
        is_foreign = err.trouble is BootloaderTrouble.FOREIGN
        raise BackupUnfitError(
            BackupTrouble.KEY if is_foreign else BackupTrouble.BOOTLOADER
        ) from err
    if set(find_rf_sectors(content)) - {radio.start}:
        raise BackupUnfitError(BackupTrouble.MAP)
