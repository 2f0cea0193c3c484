"""The folder of flash backups: dumps with their sidecars, complete or still growing.

Everything here blocks on files: call it in an executor. A backup holds passwords and keys, so its
bytes and the names of what is in it never reach a log, a text or a ``repr``.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
import errno
import hashlib
import json
import logging
import os
from pathlib import Path
import shutil
from typing import Any, Final, Self

from ..beken.flash_map import BLOCK_SIZE, FLASH_SIZE
from ..checksums import crc32_jamcrc
from ..errors import OpenBekenError

_LOGGER = logging.getLogger(__name__)

_FORMAT: Final = 1
_DUMP: Final = ".bin"
_SIDECAR: Final = ".json"
_UNFINISHED: Final = ".part"
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_PERMISSION: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class BackupError(OpenBekenError):
    """A backup cannot be kept, found or trusted."""


class DiskFullError(BackupError):
    """There is no room left for the backup."""


class FolderNotWritableError(BackupError):
    """The backup folder cannot be made or written."""


class BackupStorageError(BackupError):
    """The storage of the backup folder failed."""


class BackupDamagedError(BackupError):
    """A backup is gone or its bytes are no longer those that were verified."""


class BackupExistsError(BackupError):
    """A backup of this name is there already; none is ever overwritten."""


class EmptyDumpError(BackupError):
    """Every byte of a dump is 0x00, as of a flash out of reach, or 0xFF, as of an erased one."""

    def __init__(self, byte: int) -> None:
        """Keep the byte."""
        super().__init__(f"a flash of nothing but 0x{byte:02X} is not worth keeping")
        self.byte = byte


class Contents(StrEnum):
    """What a flash holds."""

    FACTORY = "factory"
    OPENBEKEN = "openbeken"
    HALF_WRITTEN = "half_written"
    BLANK = "blank"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The chip that a backup was read from."""

    chip_id: int
    jedec: str
    """The flash chip's JEDEC id, six hexadecimal digits."""
    code_key_sha256: str
    """Digest of the 16 key bytes in eFuse, which tells keys apart without naming them."""
    mac: str | None
    """Wi-Fi station address, lower case with colons; None without an RF sector."""
    flash_size: int = FLASH_SIZE

    @property
    def blocks(self) -> int:
        """Return how many blocks of 64 KiB the flash has."""
        return self.flash_size // BLOCK_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What is known of a dump; lies beside it as JSON."""

    origin: Origin
    date: datetime
    tool: str
    block_crcs: tuple[int | None, ...]
    """JAMCRC of each 64 KiB block as the chip confirmed it; None where not read yet."""
    sha256: str | None = None
    """Digest of the whole dump; None while it is unfinished."""
    contents: Contents | None = None

    def as_json(self) -> str:
        """Return the text of the file."""
        origin = self.origin
        return json.dumps(
            {
                "format": _FORMAT,
                "chip_id": f"{origin.chip_id:08x}",
                "jedec": origin.jedec,
                "code_key_sha256": origin.code_key_sha256,
                "mac": origin.mac,
                "flash_size": origin.flash_size,
                "date": self.date.isoformat(),
                "tool": self.tool,
                "contents": self.contents,
                "sha256": self.sha256,
                "block_crcs": [
                    None if crc is None else f"{crc:08x}" for crc in self.block_crcs
                ],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what as_json returned; raises ValueError where it is something else."""
        try:
            stored = json.loads(text)
            if stored["format"] != _FORMAT:
                raise ValueError(f"sidecar of format {stored['format']}")
            return cls._from_stored(stored)
        except (KeyError, TypeError, AttributeError) as err:
            raise ValueError("not a sidecar") from err

    @classmethod
    def _from_stored(cls, stored: Mapping[str, Any]) -> Self:
        origin = Origin(
            chip_id=int(stored["chip_id"], 16),
            jedec=str(stored["jedec"]),
            code_key_sha256=str(stored["code_key_sha256"]),
            mac=stored["mac"],
            flash_size=int(stored["flash_size"]),
        )
        crcs = tuple(
            None if crc is None else int(crc, 16) for crc in stored["block_crcs"]
        )
        if len(crcs) != origin.blocks:
            raise ValueError("a sidecar has one CRC for each block")
        contents = stored["contents"]
        return cls(
            origin=origin,
            date=datetime.fromisoformat(stored["date"]).astimezone(UTC),
            tool=str(stored["tool"]),
            block_crcs=crcs,
            sha256=stored["sha256"],
            contents=None if contents is None else Contents(contents),
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup: every block was confirmed by the chip, and the file is on disk."""

    path: Path
    sidecar: Sidecar

    @property
    def mac(self) -> str | None:
        """Return the address of the chip that this came from."""
        return self.sidecar.origin.mac

    @property
    def date(self) -> datetime:
        """Return when the reading began."""
        return self.sidecar.date

    @property
    def complete(self) -> bool:
        """Return whether this is a whole dump."""
        return self.sidecar.sha256 is not None

    def read(self) -> bytes:
        """Return the dump; raises BackupDamagedError unless it is the one that was verified."""
        with _reading(self.path):
            dump = self.path.read_bytes()
        if hashlib.sha256(dump).hexdigest() != self.sidecar.sha256:
            raise BackupDamagedError(f"{self.path.name} is not what was saved")
        return dump


class UnfinishedBackup:
    """A backup that grows block by block; a later job of the same chip goes on with it."""

    def __init__(self, path: Path, sidecar: Sidecar) -> None:
        """Take ``path``, the final name of the dump, and what is known so far."""
        self._final = path
        self.sidecar = sidecar

    @property
    def path(self) -> Path:
        """Return the temporary name of the dump."""
        return _unfinished(self._final)

    @property
    def missing(self) -> tuple[int, ...]:
        """Return the indices of the blocks that are still to be read."""
        crcs = self.sidecar.block_crcs
        return tuple(index for index, crc in enumerate(crcs) if crc is None)

    def put(self, index: int, block: bytes) -> None:
        """Keep a block of 64 KiB that the chip confirmed.

        Not synced: what a crash of the host takes away shows by its CRC when it is read again.
        """
        if len(block) != BLOCK_SIZE:
            raise ValueError(f"a block has {BLOCK_SIZE} bytes, this has {len(block)}")
        with _writing(self.path.parent):
            _write_at(self.path, index * BLOCK_SIZE, block)
        self._note(index, crc32_jamcrc(block))

    def forget(self, index: int) -> None:
        """Count a block as missing, because the chip holds another one by now."""
        self._note(index, None)

    def finish(self, contents: Contents) -> Backup:
        """Read the file back, compare it with what the chip said, and give it its name.

        Raises BackupDamagedError where the file differs (its bad blocks are missing again),
        EmptyDumpError for a dump of one repeated byte, BackupExistsError.
        """
        dump = self.drop_damaged_blocks()
        if self.missing:
            raise BackupDamagedError(
                f"{len(self.missing)} blocks did not reach the disk"
            )
        if dump[0] in (0x00, 0xFF) and not dump.strip(dump[:1]):
            self.discard()
            raise EmptyDumpError(dump[0])
        if self._final.exists():
            raise BackupExistsError(self._final.name)
        sidecar = replace(
            self.sidecar, sha256=hashlib.sha256(dump).hexdigest(), contents=contents
        )
        with _writing(self._final.parent):
            _sync(self.path)
            _write_whole(self._final.with_suffix(_SIDECAR), sidecar.as_json())
            # The moment from which the backup counts.
            self.path.replace(self._final)
            _sync(self._final.parent)
            _unfinished(self._final.with_suffix(_SIDECAR)).unlink(missing_ok=True)
        return Backup(self._final, sidecar)

    def drop_damaged_blocks(self) -> bytes:
        """Count every block as missing whose bytes on disk have another CRC; return the file."""
        with _reading(self.path):
            dump = self.path.read_bytes()
        for index, crc in enumerate(self.sidecar.block_crcs):
            if crc is not None and crc32_jamcrc(_block(dump, index)) != crc:
                self._note(index, None)
        return dump

    def discard(self) -> None:
        """Remove the files of this unfinished backup."""
        with _writing(self._final.parent):
            self.path.unlink(missing_ok=True)
            _unfinished(self._final.with_suffix(_SIDECAR)).unlink(missing_ok=True)

    def _note(self, index: int, crc: int | None) -> None:
        crcs = list(self.sidecar.block_crcs)
        crcs[index] = crc
        self.sidecar = replace(self.sidecar, block_crcs=tuple(crcs))
        self.save_sidecar()

    def save_sidecar(self) -> None:
        """Write down which blocks are there."""
        sidecar = _unfinished(self._final.with_suffix(_SIDECAR))
        with _writing(sidecar.parent):
            _write_whole(sidecar, self.sidecar.as_json(), sync=False)


class KnownBlocks:
    """The blocks of earlier backups of one chip: what need not be read again."""

    def __init__(self, sources: Iterable[tuple[Path, Sidecar]]) -> None:
        """Take dumps and what is known of them, the most trusted last."""
        self._paths = {
            (index, crc): path
            for path, sidecar in sources
            for index, crc in enumerate(sidecar.block_crcs)
            if crc is not None
        }
        self._indices = {index for index, _ in self._paths}

    def may_have(self, index: int) -> bool:
        """Return whether asking the chip for this block's CRC can save reading it."""
        return index in self._indices

    def find(self, index: int, crc: int) -> bytes | None:
        """Return the block if one with this CRC is on disk and still intact."""
        if (path := self._paths.get((index, crc))) is None:
            return None
        try:
            with path.open("rb") as file:
                file.seek(index * BLOCK_SIZE)
                block = file.read(BLOCK_SIZE)
        except OSError:
            return None
        intact = len(block) == BLOCK_SIZE and crc32_jamcrc(block) == crc
        return block if intact else None


class BackupFolder:
    """A folder of backups, for the eyes of its owner only."""

    def __init__(self, path: Path, *, tool: str = "openbk") -> None:
        """Take the folder, which is made when first written, and who writes into it."""
        self.path = path
        self._tool = tool

    def list(self) -> tuple[Backup, ...]:
        """Return the complete backups, newest first; whatever else lies there is passed over."""
        backups = []
        for path, sidecar in self._sidecars(_SIDECAR):
            dump = path.with_suffix(_DUMP)
            if sidecar.sha256 is not None and _has_size(
                dump, sidecar.origin.flash_size
            ):
                backups.append(Backup(dump, sidecar))
        return tuple(sorted(backups, key=lambda found: found.date, reverse=True))

    def find(self, mac: str) -> tuple[Backup, ...]:
        """Return the complete backups of the chip with this address, newest first."""
        return tuple(backup for backup in self.list() if backup.mac == mac.lower())

    def unfinished(self) -> tuple[UnfinishedBackup, ...]:
        """Return the backups that were begun and not finished, newest first."""
        found = []
        for path, sidecar in self._sidecars(_SIDECAR + _UNFINISHED):
            backup = UnfinishedBackup(path.with_suffix("").with_suffix(_DUMP), sidecar)
            if _has_size(backup.path, sidecar.origin.flash_size):
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
        for index in range(origin.blocks):
            backup.put(index, _block(dump, index))
        return backup.finish(contents)

    def prepare(self) -> None:
        """Make the folder; raises FolderNotWritableError where that cannot be."""
        with _writing(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Some file systems have no permissions to set.
            with suppress(PermissionError):
                self.path.chmod(0o700)

    def _begin_anew(self, origin: Origin, date: datetime) -> UnfinishedBackup:
        sidecar = Sidecar(
            origin=origin,
            date=date.astimezone(UTC),
            tool=self._tool,
            block_crcs=(None,) * origin.blocks,
        )
        backup = UnfinishedBackup(self._free_name(sidecar), sidecar)
        with _writing(self.path):
            if shutil.disk_usage(self.path).free < origin.flash_size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _create(backup.path, origin.flash_size)
        backup.save_sidecar()
        return backup

    def _sidecars(self, suffix: str) -> Iterator[tuple[Path, Sidecar]]:
        try:
            paths = [path for path in self.path.iterdir() if path.name.endswith(suffix)]
        except FileNotFoundError, NotADirectoryError:
            return
        except OSError as err:
            raise _typed(err, self.path) from err
        for path in paths:
            try:
                yield path, Sidecar.from_json(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as err:
                _LOGGER.debug("Passing over %s: %s", path.name, type(err).__name__)

    def _free_name(self, sidecar: Sidecar) -> Path:
        chip = (sidecar.origin.mac or "no-mac").replace(":", "")
        stem = f"bk7231n_{chip}_{sidecar.date:%Y%m%dT%H%M%SZ}"
        count = 1
        while True:
            path = self.path / f"{stem}{'' if count == 1 else f'_{count}'}{_DUMP}"
            if not path.exists() and not _unfinished(path).exists():
                return path
            count += 1


def write_private_file(path: Path, text: str) -> None:
    """Replace a small file in one step, readable by its owner only and synced to disk.

    Raises DiskFullError, FolderNotWritableError, BackupStorageError.
    """
    with _writing(path.parent):
        _write_whole(path, text)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + _UNFINISHED)


def _block(dump: bytes, index: int) -> bytes:
    return dump[index * BLOCK_SIZE : (index + 1) * BLOCK_SIZE]


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _create(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.truncate(size)


def _write_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


def _write_whole(path: Path, text: str, *, sync: bool = True) -> None:
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as err:
        # Some network file systems cannot sync a folder.
        if not path.is_dir() or err.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise _typed(err, folder) from err


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise BackupDamagedError(f"{path.name} cannot be read: {err.strerror}") from err


def _typed(err: OSError, folder: Path) -> BackupError:
    if err.errno in _NO_SPACE:
        return DiskFullError(f"no room left in {folder}")
    if err.errno in _NO_PERMISSION or isinstance(
        err, NotADirectoryError | FileExistsError
    ):
        return FolderNotWritableError(f"{folder} cannot be written: {err.strerror}")
    return BackupStorageError(f"{folder}: {err.strerror}")
