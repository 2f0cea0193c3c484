"""The folder of flash backups: dumps with their sidecars, complete or still growing.

Everything here blocks on files: call it in an executor. A backup holds passwords and keys, so its
bytes and the names of what is in it never reach a log, a text or a ``repr``.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
import errno
import logging
import os
from pathlib import Path
import shutil

from .dumps import (
    DUMP,
    SIDECAR,
    UNFINISHED,
    Backup,
    KnownBlocks,
    UnfinishedBackup,
    unfinished_name,
)
from .errors import BackupError
from .files import (
    create_file,
    has_plain_name,
    has_size,
    list_files,
    make_private_folder,
    read_small_file,
    writing,
)
from .sidecar import Contents, Origin, Sidecar

_LOGGER = logging.getLogger(__name__)


class BackupFolder:
    """A folder of backups, for the eyes of its owner only."""

    def __init__(self, path: Path, *, tool: str = "openbk") -> None:
        """Take the folder, which is made when first written, and who writes into it."""
        self.path = path
        self._tool = tool

    def list(self) -> tuple[Backup, ...]:
        """Return the complete backups, newest first; whatever else lies there is passed over.

        Raises BackupError where the folder is there and cannot be read, as all that look into it.
        """
        backups = []
        for path, sidecar in self._sidecars(SIDECAR):
            dump = path.with_suffix(DUMP)
            if sidecar.sha256 is not None and has_size(dump, sidecar.origin.flash_size):
                backups.append(Backup(dump, sidecar))
        return tuple(sorted(backups, key=lambda found: found.date, reverse=True))

    def find(self, mac: str) -> tuple[Backup, ...]:
        """Return the complete backups of the chip with this address, newest first."""
        return tuple(backup for backup in self.list() if backup.mac == mac.lower())

    def has_unreadable(self) -> bool:
        """Return whether there may be backups that list passes over, as nothing can be read of them.

        Raises BackupError.
        """
        return any(_sidecar_at(path) is None for path in list_files(self.path, SIDECAR))

    def unfinished(self) -> tuple[UnfinishedBackup, ...]:
        """Return the backups that were begun and not finished, newest first."""
        found = []
        for path, sidecar in self._sidecars(SIDECAR + UNFINISHED):
            backup = UnfinishedBackup(path.with_suffix("").with_suffix(DUMP), sidecar)
            if has_size(backup.path, sidecar.origin.flash_size):
                found.append(backup)
        return tuple(
            sorted(found, key=lambda backup: backup.sidecar.date, reverse=True)
        )

    def known_blocks(self, origin: Origin) -> KnownBlocks:
        """Return what the backups of this chip, finished or not, may spare reading again."""
        sources = [(backup.path, backup.sidecar) for backup in self.unfinished()]
        sources += [(backup.path, backup.sidecar) for backup in self.list()]
        return KnownBlocks(
            (path, sidecar) for path, sidecar in sources if sidecar.origin == origin
        )

    def begin(self, origin: Origin, date: datetime) -> UnfinishedBackup:
        """Return the unfinished backup of this chip, or a new one that was begun at ``date``.

        Raises DiskFullError, FolderNotWritableError, BackupStorageError, BackupDamagedError.
        """
        self.prepare()
        for unfinished in self.unfinished():
            if unfinished.sidecar.origin == origin:
                unfinished.drop_damaged_blocks()
                return unfinished
        return self._begin_anew(origin, date)

    def save(
        self, dump: bytes, origin: Origin, contents: Contents, date: datetime
    ) -> Backup:
        """Keep a dump that is already whole, such as one that a person brought.

        Raises what begin and finish raise.
        """
        self.prepare()
        backup = self._begin_anew(origin, date)
        try:
            backup.put(0, dump)
            return backup.finish(contents)
        except BackupError:
            # Unlike what is read from a chip, nobody goes on with half an upload.
            with suppress(BackupError):
                backup.discard()
            raise

    def prepare(self) -> None:
        """Make the folder; raises FolderNotWritableError where that cannot be."""
        make_private_folder(self.path)

    def _begin_anew(self, origin: Origin, date: datetime) -> UnfinishedBackup:
        sidecar = Sidecar(
            origin=origin,
            date=date.astimezone(UTC),
            tool=self._tool,
            block_crcs=(None,) * origin.blocks,
        )
        backup = UnfinishedBackup(self._free_name(sidecar), sidecar)
        with writing(self.path):
            if shutil.disk_usage(self.path).free < origin.flash_size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            create_file(backup.path, origin.flash_size)
        backup.save_sidecar()
        return backup

    def _sidecars(self, suffix: str) -> Iterator[tuple[Path, Sidecar]]:
        for path in list_files(self.path, suffix):
            if (sidecar := _sidecar_at(path)) is not None:
                yield path, sidecar

    def _free_name(self, sidecar: Sidecar) -> Path:
        origin = sidecar.origin
        unit = (origin.mac or "no-mac").replace(":", "")
        stem = f"{origin.chip.lower()}_{unit}_{sidecar.date:%Y%m%dT%H%M%SZ}"
        count = 1
        while True:
            path = self.path / f"{stem}{'' if count == 1 else f'_{count}'}{DUMP}"
            if not path.exists() and not unfinished_name(path).exists():
                return path
            count += 1


def _sidecar_at(path: Path) -> Sidecar | None:
    """Return what a sidecar says, None where nothing can be read of it."""
    try:
        return _read_sidecar(path)
    except (OSError, ValueError) as err:
        _LOGGER.warning("Passing over %r: %s", path.name, type(err).__name__)
        return None


def _read_sidecar(path: Path) -> Sidecar:
    """Return what a sidecar says; raises OSError and ValueError."""
    if not has_plain_name(path):
        raise ValueError("a name that cannot be shown")
    return Sidecar.from_json(read_small_file(path).decode())
