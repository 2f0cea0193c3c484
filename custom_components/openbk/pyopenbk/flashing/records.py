"""What is written down of a job before its first erase, so that a later one can go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
import json
import logging
from pathlib import Path
import re
from typing import Any, Final, Self

from ..backups import BackupFolder
from ..backups.errors import UnreadableRecordError
from ..backups.files import (
    is_missing,
    list_files,
    read_date,
    read_small_file,
    read_text_field,
    write_private_file,
)
from ..backups.sidecar import MAC
from ..beken.chips import FLASH_SIZES
from ..beken.flash_map import Region, WriteAllowance

_LOGGER = logging.getLogger(__name__)

_FORMAT: Final = 1
_SUFFIX: Final = ".job"
_LONGEST_NAME: Final = 200
_PAIR: Final = re.compile("..")


class Phase(StrEnum):
    """The parts of a flashing job that take time, in their order."""

    LINK = "link"
    IDENTIFY = "identify"
    BACKUP = "backup"
    ANALYSE = "analyse"
    WRITE_APPLICATION = "write_application"
    WRITE_CONFIG = "write_config"
    VERIFY = "verify"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job that has begun to change a chip and is not known to have ended; holds no secret."""

    mac: str
    """The chip: its Wi-Fi station address, lower case with colons."""
    started: datetime
    phase: Phase
    """How far it got."""
    backup: str
    """File name of the backup that was complete before it began."""
    content: str
    """What was being written, in a few words, such as a version."""
    content_sha256: str
    """Digest of the application that was being written."""
    regions: tuple[tuple[int, int], ...]
    """Start and end of each part of the flash that the job may have changed."""
    restores: str | None = None
    """File name of the backup that was being put back; None: a firmware was written."""
    first_sector_crc: int | None = None
    """JAMCRC of the application's first sector, which is written last."""

    @property
    def allowance(self) -> WriteAllowance:
        """Return what the job had leave to change."""
        return WriteAllowance(
            tuple(Region("changed", start, end) for start, end in self.regions)
        )

    def as_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(
            {
                "format": _FORMAT,
                "mac": self.mac,
                "started": self.started.isoformat(),
                "phase": self.phase,
                "backup": self.backup,
                "content": self.content,
                "content_sha256": self.content_sha256,
                "regions": [list(region) for region in self.regions],
                "restores": self.restores,
                "first_sector_crc": self.first_sector_crc,
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what as_json returned; raises ValueError where it is something else."""
        try:
            stored: Mapping[str, Any] = json.loads(text)
            if stored["format"] != _FORMAT:
                raise ValueError("a job record of another format")
            if not MAC.fullmatch(stored["mac"]):
                raise ValueError("no MAC address")
            restores, crc = stored["restores"], stored["first_sector_crc"]
            if type(crc) is not int and crc is not None:
                raise ValueError("a CRC is a number")
            return cls(
                mac=stored["mac"],
                started=read_date(stored["started"]),
                phase=Phase(stored["phase"]),
                backup=read_text_field(stored["backup"], _LONGEST_NAME),
                content=read_text_field(stored["content"], _LONGEST_NAME),
                content_sha256=read_text_field(stored["content_sha256"], 64),
                regions=tuple(_read_region(*region) for region in stored["regions"]),
                restores=None
                if restores is None
                else read_text_field(restores, _LONGEST_NAME),
                first_sector_crc=crc,
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as err:
            raise ValueError("not a job record") from err


def _read_region(start: object, end: object) -> tuple[int, int]:
    if type(start) is not int or type(end) is not int:
        raise ValueError("a border is a number")
    if not 0 <= start < end <= max(FLASH_SIZES):
        raise ValueError("a region lies in the flash")
    return start, end


class JobRecords:
    """The records of unfinished jobs, one a chip, beside the backups; blocks on files."""

    def __init__(self, folder: BackupFolder) -> None:
        """Take the folder of backups."""
        self._folder = folder

    def save(self, record: JobRecord) -> None:
        """Write a record, in the place of an older one of the same chip; raises BackupError."""
        self._folder.prepare()
        write_private_file(self.path_of(record.mac), record.as_json())

    def find(self, mac: str) -> JobRecord | None:
        """Return the record of a chip, None where there is none.

        Raises UnreadableRecordError where there is one, and nobody knows of what.
        """
        return _read(self.path_of(mac))

    def list(self) -> tuple[JobRecord, ...]:
        """Return all records that can be read, newest first; raises BackupError.

        See `unreadable` for the others.
        """
        return tuple(
            sorted(
                (found for found in self.by_mac().values() if found),
                key=lambda record: record.started,
                reverse=True,
            )
        )

    def unreadable(self) -> tuple[str, ...]:
        """Return the MACs of the chips whose records cannot be read; raises BackupError."""
        return tuple(mac for mac, found in self.by_mac().items() if found is None)

    def remove(self, mac: str) -> None:
        """Forget the job of a chip; a record that cannot be removed does no harm."""
        try:
            self.path_of(mac).unlink(missing_ok=True)
        except OSError as err:
            _LOGGER.warning("The record of a finished job stays: %s", err.strerror)

    def by_mac(self) -> dict[str, JobRecord | None]:
        """Return the record of each chip by its MAC, None for one that cannot be read.

        Raises BackupError where the folder cannot be.
        """
        found: dict[str, JobRecord | None] = {}
        for path in list_files(self._folder.path, _SUFFIX):
            mac = ":".join(_PAIR.findall(path.stem))
            if not MAC.fullmatch(mac) or path != self.path_of(mac):
                # Not of ours: no chip would find it.
                continue
            try:
                record = _read(path)
            except UnreadableRecordError as err:
                _LOGGER.warning("%s", err)
                found[mac] = None
            else:
                if record is not None:
                    found[mac] = record
        return found

    def path_of(self, mac: str) -> Path:
        """Return where the record of a chip is kept."""
        return self._folder.path / f"{mac.replace(':', '')}{_SUFFIX}"


def _read(path: Path) -> JobRecord | None:
    try:
        record = JobRecord.from_json(read_small_file(path).decode())
    except NotADirectoryError:
        return None
    except (OSError, ValueError) as err:
        if isinstance(err, FileNotFoundError) and is_missing(path):
            return None
        raise UnreadableRecordError(
            f"the record of a job {path.name} cannot be read: {type(err).__name__}"
        ) from err
    if record.mac.replace(":", "") != path.stem:
        raise UnreadableRecordError(
            f"the record of a job {path.name} is of another chip"
        )
    return record
