"""A disk that can be filled, and files that a machine's crash has torn."""

from collections.abc import Iterator
from contextlib import contextmanager
import ctypes
import errno
import os
from pathlib import Path
import random
from typing import Final

_SIZE: Final = 8 * 1024 * 1024
_PAGE: Final = 4096


class NoSmallDisk(Exception):
    """This process may not mount anything."""


def own_mounts() -> None:
    """Let what this process mounts be seen by nobody else, and go with it."""
    try:
        os.unshare(os.CLONE_NEWNS)
        _mount("none", Path("/"), "", _MS_REC | _MS_PRIVATE, "")
    except OSError as err:
        raise NoSmallDisk(str(err)) from err


_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18


def _mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(
        source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def _unmount(target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(target), 2):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


class SmallDisk:
    """Some MiB of memory as a disk."""

    def __init__(self, path: Path) -> None:
        """Take where it is mounted."""
        self.path = path
        self._filler = path / "filler"

    def fill(self, left: int) -> None:
        """Fill it until so many bytes are left."""
        found = os.statvfs(self.path)
        size = found.f_bavail * found.f_frsize - left
        if size <= 0:
            return
        try:
            with self._filler.open("ab") as file:
                file.write(bytes(size))
        except OSError as err:
            # Somebody else filled a part of it meanwhile.
            if err.errno != errno.ENOSPC:
                raise

    def make_room(self) -> None:
        """Remove what filled it."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount a small disk; raises NoSmallDisk where that is not allowed."""
    path.mkdir()
    try:
        _mount("tmpfs", path, "tmpfs", 0, f"size={_SIZE},mode=0700")
    except OSError as err:
        raise NoSmallDisk(str(err)) from err
    try:
        yield SmallDisk(path)
    finally:
        _unmount(path)


def tear_unsynced(folder: Path, seed: int) -> None:
    """Take from files that were never synced what a crash may take: pages, and their ends."""
    chooser = random.Random(f"tear {seed}")
    for path in sorted(folder.glob("*.part")) if folder.exists() else ():
        size = path.stat().st_size
        if path.name.endswith(".json.part"):
            os.truncate(path, chooser.choice((0, size // 2, size)))
            continue
        with path.open("r+b") as file:
            for _ in range(chooser.randrange(64)):
                file.seek(chooser.randrange(size // _PAGE) * _PAGE)
                file.write(bytes(_PAGE))
