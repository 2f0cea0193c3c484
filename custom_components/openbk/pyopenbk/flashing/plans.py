"""What a flash job and a restore write, and what they leave alone."""

from ..beken.code_flash import CodeKey, CodeKeyWords
from ..beken.flash_map import Region
from ..obk.image import ImageError, recognise
from .analysis import check_bootloader, code_key_of
from .dump import Dump, read_rf_sector
from .errors import (
    BackupTrouble,
    BackupUnfitError,
    BootloaderTrouble,
    BootloaderUnfitError,
    ForeignBackupError,
)
from .records import Phase
from .writing import Piece, WritePlan


def plan_flash(application: bytes, config: bytes | None, dump: Dump) -> WritePlan:
    """Plan to write an application over the whole of its region, and a configuration.

    ``dump`` is what the chip holds; its bootloader and RF calibration must stay.
    """
    flash = dump.chip.flash
    first = flash.first_sector
    application = application.ljust(flash.application.size, b"\xff")
    pieces = [
        Piece(
            phase=Phase.WRITE_APPLICATION,
            start=first.end,
            data=application[first.size :],
        )
    ]
    if config is not None:
        place = flash.openbeken_config
        pieces.append(Piece(phase=Phase.WRITE_CONFIG, start=place.start, data=config))
    return WritePlan(
        before=dump,
        pieces=tuple(pieces),
        first_sector=application[: first.size],
        allowance=flash.flash_job,
        unchanged=(flash.bootloader, flash.rf_calibration),
    )


def plan_restore(
    content: bytes,
    dump: Dump,
    code_key: CodeKeyWords | None,
    *,
    keep_rf: bool,
    foreign: bool,
    read_here: bool,
) -> WritePlan:
    """Plan to write a backup's ``content`` over a chip that holds ``dump`` and has a code key.

    A bootloader that holds the loader stays the chip's own.

    ``read_here``: we read it from this chip, so it goes back as it was. Raises ForeignBackupError
    unless the backup is this chip's own or ``foreign`` is set, and BackupUnfitError where one that
    came from elsewhere would not start.
    """
    flash = dump.chip.flash
    if len(content) != flash.size:
        raise BackupUnfitError(BackupTrouble.SIZE)
    backup = Dump(content, dump.chip)
    radio = (dump if dump.rf_sectors else backup).rf_region
    if not read_here:
        _check_fit(backup, code_key_of(dump, code_key), radio)
    writes_rf = _may_write_rf(backup, dump, radio, foreign=foreign) and not keep_rf
    regions = [
        Region("below_rf", flash.first_sector.end, radio.start),
        Region("above_rf", radio.end, flash.size),
    ]
    if not flash.holds_loader:
        regions.insert(1, flash.bootloader)
    if writes_rf and backup.part(radio) != dump.part(radio):
        # A piece of its own: no erase of a larger block may pass over it.
        regions.append(radio)
    keeps_rf = radio not in regions
    unchanged = [region for region in (flash.bootloader,) if flash.holds_loader]
    if keeps_rf:
        unchanged.append(radio)
    return WritePlan(
        before=dump,
        pieces=tuple(
            Piece(
                phase=Phase.WRITE_APPLICATION,
                start=region.start,
                data=backup.part(region),
            )
            for region in regions
        ),
        first_sector=backup.part(flash.first_sector),
        allowance=flash.restore_keeping(radio)
        if keeps_rf
        else flash.restore_of_own_backup,
        unchanged=tuple(unchanged),
    )


def _may_write_rf(backup: Dump, dump: Dump, radio: Region, *, foreign: bool) -> bool:
    """Return whether the backup's RF calibration may replace the chip's."""
    of_backup, of_chip = (read_rf_sector(flash.part(radio)) for flash in (backup, dump))
    if of_chip is not None and of_chip.is_generic:
        of_chip = None
    own = of_backup is not None and of_chip is not None and of_backup.mac == of_chip.mac
    if not own and not foreign:
        raise ForeignBackupError(
            backup_mac=of_backup.mac if of_backup else None,
            chip_mac=of_chip.mac if of_chip else None,
        )
    return own or (of_chip is None and of_backup is not None)


def _check_fit(backup: Dump, key: CodeKey, radio: Region) -> None:
    """Refuse a backup of another kind of chip, by what its code, its key and its map say."""
    try:
        chip = recognise(backup.content, backup.chip).chip
    except ImageError as err:
        raise BackupUnfitError(BackupTrouble.NO_FLASH) from err
    if chip not in (None, backup.chip.name):
        raise BackupUnfitError(BackupTrouble.CHIP, chip)
    try:
        check_bootloader(backup, key)
    except BootloaderUnfitError as err:
        is_foreign = err.trouble is BootloaderTrouble.FOREIGN
        raise BackupUnfitError(
            BackupTrouble.KEY if is_foreign else BackupTrouble.BOOTLOADER
        ) from err
    if set(backup.rf_sectors) - {radio.start}:
        raise BackupUnfitError(BackupTrouble.MAP)
