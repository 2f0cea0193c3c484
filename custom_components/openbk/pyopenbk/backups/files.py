"""Files that only their owner may read, and files of which nobody knows what they are."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
import errno
import os
from pathlib import Path
import re
import stat
from typing import IO, Final

from .errors import (
    BackupDamagedError,
    BackupError,
    BackupStorageError,
    DiskFullError,
    FolderNotWritableError,
)

LARGEST_TEXT: Final = 64 * 1024
"""Bytes of a small file; those that are written here have about one thousand."""

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_PERMISSION: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# Dates that every time zone can show.
_YEARS: Final = range(1971, 9999)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def make_private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for the eyes of their owner only.

    Raises FolderNotWritableError, DiskFullError, BackupStorageError.
    """
    with writing(path):
        missing = []
        folder = path
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(_FOLDER_MODE, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        # Some file systems have no permissions to set.
        for folder in missing or [path]:
            with suppress(PermissionError):
                folder.chmod(_FOLDER_MODE)


def write_private_file(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, readable by its owner only and synced to disk.

    Raises DiskFullError, FolderNotWritableError, BackupStorageError.
    """
    with writing(path.parent):
        replace_file(path, content.encode() if isinstance(content, str) else content)


def read_small_file(path: Path, limit: int = LARGEST_TEXT) -> bytes:
    """Return what a file of at most ``limit`` bytes holds.

    Anything else that can lie in a folder (a folder, a pipe, a device) neither blocks nor fills the
    memory. Raises OSError, and ValueError for a larger file.
    """
    with _regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit} bytes")
    return content


def list_files(folder: Path, suffix: str) -> list[Path]:
    """Return what lies in a folder under names that end so, nothing where there is no folder.

    Raises BackupError where there is one that cannot be read, which is not the same as empty.
    """
    try:
        return [path for path in folder.iterdir() if path.name.endswith(suffix)]
    except NotADirectoryError:
        return []
    except FileNotFoundError as err:
        if is_missing(folder):
            return []
        raise typed(err, folder) from err
    except OSError as err:
        raise typed(err, folder) from err


def is_missing(path: Path) -> bool:
    """Return whether nothing is there, and not only a link to a drive that is away."""
    while not path.exists():
        if path.is_symlink():
            return False
        path = path.parent
    return True


def has_plain_name(path: Path) -> bool:
    """Return whether a name can be shown: a file system may give anything for one."""
    return path.name.isprintable() and path.name.isascii()


def read_date(text: str) -> datetime:
    """Return a moment that was written down with its offset; raises ValueError and TypeError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise ValueError("no date that can be meant")
    return moment.astimezone(UTC)


def read_text_field(text: str, longest: int) -> str:
    """Return a short text in one line; raises ValueError and TypeError where it is none."""
    if _CONTROL.search(text) or len(text.encode()) > longest:
        raise ValueError("no short text in one line")
    return text


# What follows is for the modules beside this one; it raises OSError.


def create_file(path: Path, size: int) -> None:
    """Make a file of so many zeros; raises OSError, also where there is one of this name."""
    with _new(path) as file:
        try:
            file.truncate(size)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Write into a file that is there already."""
    with _regular(path, os.O_RDWR) as file:
        file.seek(offset)
        file.write(data)


def read_block(path: Path, offset: int, size: int) -> bytes:
    """Return a part of a file, shorter where it ends."""
    with _regular(path) as file:
        file.seek(offset)
        return file.read(size)


def read_whole(path: Path, size: int) -> bytes:
    """Return what a file holds, cut behind ``size`` bytes and one more."""
    return read_block(path, 0, size + 1)


def has_size(path: Path, size: int) -> bool:
    """Return whether there is a file of this size."""
    try:
        found = path.stat()
    except OSError, ValueError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put a new file in the place of an old one in one step."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        with _new(temporary) as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def sync(path: Path) -> None:
    """Have a file or a folder on the disk, not only in the host's memory."""
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
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system refuses while something is written into a BackupError."""
    try:
        yield
    except OSError as err:
        raise typed(err, folder) from err


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system refuses while a dump is read into a BackupDamagedError."""
    try:
        yield
    except OSError as err:
        raise BackupDamagedError(f"{path.name} cannot be read: {err.strerror}") from err


def typed(err: OSError, folder: Path) -> BackupError:
    """Return the BackupError that says what the system refused."""
    if err.errno in _NO_SPACE:
        return DiskFullError(f"no room left in {folder}")
    if err.errno in _NO_PERMISSION or isinstance(
        err, NotADirectoryError | FileExistsError
    ):
        return FolderNotWritableError(f"{folder} cannot be written: {err.strerror}")
    return BackupStorageError(f"{folder}: {err.strerror}")


def _new(path: Path) -> IO[bytes]:
    """Open a new file, its owner's alone from the first moment on, whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(path, flags, _FILE_MODE)
    with suppress(PermissionError):
        os.fchmod(descriptor, _FILE_MODE)
    return os.fdopen(descriptor, "wb")


def _regular(path: Path, flags: int = os.O_RDONLY) -> IO[bytes]:
    """Open a file that must be one; raises OSError for anything else under this name."""
    # A pipe would wait for somebody at its other end.
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file")
    return os.fdopen(descriptor, "rb" if flags == os.O_RDONLY else "r+b")
