"""Dumps on the disk: complete ones, and one that grows block by block."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
import hashlib
from pathlib import Path
from typing import Final

from ..beken.flash_map import BLOCK_SIZE
from ..checksums import crc32_jamcrc
from .errors import BackupDamagedError, BackupExistsError, EmptyDumpError
from .files import (
    read_block,
    read_whole,
    reading,
    replace_file,
    sync,
    write_at,
    writing,
)
from .sidecar import Contents, Sidecar

DUMP: Final = ".bin"
SIDECAR: Final = ".json"
UNFINISHED: Final = ".part"


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
        with reading(self.path):
            dump = read_whole(self.path, self.sidecar.origin.flash_size)
        if hashlib.sha256(dump).hexdigest() != self.sidecar.sha256:
            raise BackupDamagedError(f"{self.path.name} is not what was saved")
        return dump

    def remove(self) -> None:
        """Delete the dump and what is known of it; raises BackupError where a part of it stays."""
        with writing(self.path.parent):
            # Without its sidecar a dump is no backup any more, so an interruption leaves none.
            self.path.with_suffix(SIDECAR).unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            sync(self.path.parent)


class UnfinishedBackup:
    """A backup that grows block by block; a later job of the same chip goes on with it."""

    def __init__(self, path: Path, sidecar: Sidecar) -> None:
        """Take ``path``, the final name of the dump, and what is known so far."""
        self._final = path
        self.sidecar = sidecar

    @property
    def path(self) -> Path:
        """Return the temporary name of the dump."""
        return unfinished_name(self._final)

    @property
    def missing(self) -> tuple[int, ...]:
        """Return the indices of the blocks that are still to be read."""
        crcs = self.sidecar.block_crcs
        return tuple(index for index, crc in enumerate(crcs) if crc is None)

    def put(self, index: int, blocks: bytes) -> None:
        """Keep adjacent blocks of 64 KiB that the chip confirmed, from this one on.

        Not synced: what a crash of the host takes away shows by its CRC when it is read again.
        """
        count, rest = divmod(len(blocks), BLOCK_SIZE)
        if rest or not count:
            raise ValueError(f"a block has {BLOCK_SIZE} bytes, these are {len(blocks)}")
        with self._noting() as noted:
            for n in range(count):
                block = block_of(blocks, n)
                self._write(index + n, block)
                noted[index + n] = crc32_jamcrc(block)

    def settle(self, crcs: Mapping[int, int], known: KnownBlocks) -> None:
        """Take what is known already of blocks that have these CRCs, and forget what is not so."""
        with self._noting() as noted:
            for index, crc in crcs.items():
                present = self.sidecar.block_crcs[index]
                if present == crc:
                    continue
                if (block := known.find(index, crc)) is not None:
                    self._write(index, block)
                    noted[index] = crc
                elif present is not None:
                    noted[index] = None

    def forget(self, index: int) -> None:
        """Count a block as missing, because the chip holds another one by now."""
        with self._noting() as noted:
            noted[index] = None

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
        with writing(self._final.parent):
            sync(self.path)
            replace_file(self._final.with_suffix(SIDECAR), sidecar.as_json().encode())
            # The moment from which the backup counts.
            self.path.replace(self._final)
            sync(self._final.parent)
            unfinished_name(self._final.with_suffix(SIDECAR)).unlink(missing_ok=True)
        return Backup(self._final, sidecar)

    def drop_damaged_blocks(self) -> bytes:
        """Count every block as missing whose bytes on disk have another CRC; return the file."""
        with reading(self.path):
            dump = read_whole(self.path, self.sidecar.origin.flash_size)
        with self._noting() as noted:
            for index, crc in enumerate(self.sidecar.block_crcs):
                if crc is not None and crc32_jamcrc(block_of(dump, index)) != crc:
                    noted[index] = None
        return dump

    def discard(self) -> None:
        """Remove the files of this unfinished backup."""
        with writing(self._final.parent):
            self.path.unlink(missing_ok=True)
            unfinished_name(self._final.with_suffix(SIDECAR)).unlink(missing_ok=True)

    def _write(self, index: int, block: bytes) -> None:
        with writing(self.path.parent):
            write_at(self.path, index * BLOCK_SIZE, block)

    @contextmanager
    def _noting(self) -> Iterator[dict[int, int | None]]:
        """Save the CRCs that are put in by the end of the block, also where something fails."""
        noted: dict[int, int | None] = {}
        try:
            yield noted
        finally:
            if noted:
                crcs = tuple(
                    noted.get(index, present)
                    for index, present in enumerate(self.sidecar.block_crcs)
                )
                self.sidecar = replace(self.sidecar, block_crcs=crcs)
                self.save_sidecar()

    def save_sidecar(self) -> None:
        """Write down which blocks are there."""
        sidecar = unfinished_name(self._final.with_suffix(SIDECAR))
        with writing(sidecar.parent):
            replace_file(sidecar, self.sidecar.as_json().encode(), durable=False)


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
            block = read_block(path, index * BLOCK_SIZE, BLOCK_SIZE)
        except OSError:
            return None
        intact = len(block) == BLOCK_SIZE and crc32_jamcrc(block) == crc
        return block if intact else None


def unfinished_name(path: Path) -> Path:
    """Return the name of a file that is not whole yet."""
    return path.with_name(path.name + UNFINISHED)


def block_of(dump: bytes, index: int) -> bytes:
    """Return one block of 64 KiB."""
    return dump[index * BLOCK_SIZE : (index + 1) * BLOCK_SIZE]
