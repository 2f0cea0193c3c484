"""Backing up a chip: what was read before is not read again if the chip still confirms it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import batched, groupby
from typing import Final

from ..backups import Backup, BackupDamagedError, BackupFolder, Origin, UnfinishedBackup
from ..beken.flash_map import BLOCK_SIZE, SECTOR_SIZE, Region
from ..bootrom.chip import LinkedChip
from ..bootrom.errors import FlashUnreachableError
from ..checksums import crc32_jamcrc
from ..executor import RunBlocking, run_to_the_end
from .dump import Dump
from .progress import PhaseProgress
from .records import JobRecord

# So many zeros on end are what a flash says that is out of reach, and hardly what it holds.
_NO_ANSWER: Final = bytes(SECTOR_SIZE)
# Blocks that are known already are noted together; a chip takes some tenths of a second to sum one up.
_SETTLED_AT_ONCE: Final = 8


class BackupReader:
    """Gets a complete backup of one chip onto the disk, with as few bytes over the line as it takes.

    Equal CRC-32 of a 64 KiB block at the same address of the same chip counts as equal bytes; it
    is also all that a finished reading is proven by.
    """

    def __init__(
        self,
        chip: LinkedChip,
        folder: BackupFolder,
        origin: Origin,
        progress: PhaseProgress,
        run_blocking: RunBlocking,
    ) -> None:
        """Take the chip, where its backups are, and what tells it from other chips."""
        self._chip = chip
        self._folder = folder
        self._origin = origin
        self._progress = progress
        self._run_blocking = run_blocking
        self._crcs: dict[int, int] = {}

    async def find_backup_of_job(self, record: JobRecord) -> tuple[Backup, Dump] | None:
        """Return the backup that an unfinished job made before it began, and its dump.

        None unless everything that the job had no leave to change is still as in that backup.
        Bootloader and RF calibration are in the dump as they are now, where it had leave.
        """
        for backup in await self._complete():
            if backup.path.name == record.backup:
                dump = await self._read_file(backup)
                untouched = record.allowance.outside(self._origin.flash_size)
                if dump and await self._holds(dump, untouched):
                    return backup, await self._brought_up_to_date(dump, record)
        return None

    async def _brought_up_to_date(self, dump: Dump, record: JobRecord) -> Dump:
        """Read what later steps have to know as it is, and the job may have changed."""
        regions = (dump.chip.flash.bootloader, await self._run(lambda: dump.rf_region))
        for region in regions:
            if not record.allowance.spares(region):
                now = await self._chip.read(region.start, region.size)
                dump = dump.with_part(region, now)
        return dump

    async def find_true_backup(self) -> tuple[Backup, Dump] | None:
        """Return the newest backup whose every block is what the chip holds now, and its dump."""
        for backup in await self._complete():
            crcs = backup.sidecar.block_crcs
            for index, crc in enumerate(crcs):
                if await self._chip_crc(index) != crc:
                    break
                self._progress.reach((index + 1) * BLOCK_SIZE)
            else:
                if dump := await self._read_file(backup):
                    return backup, dump
        return None

    async def read(self, date: datetime) -> tuple[Backup, Dump]:
        """Read what no earlier backup can tell, and return the finished backup and its dump.

        Raises BackupError, FlashUnreachableError and what LinkedChip.read raises; what was read until then is kept for
        the next time.
        """
        unfinished = await self._run(self._folder.begin, self._origin, date)
        await self._settle_known_blocks(unfinished)
        for blocks in _runs(unfinished.missing):
            await self._read_blocks(unfinished, blocks)
        content = await self._run(unfinished.drop_damaged_blocks)
        await self._chip.check_flash()
        await self._prove_zeros(unfinished, content)
        dump = self._dump_of(content)
        contents = await self._run(lambda: dump.contents)
        backup = await self._run(unfinished.finish, contents)
        self._progress.reach(self._origin.flash_size)
        return backup, dump

    async def _settle_known_blocks(self, unfinished: UnfinishedBackup) -> None:
        known = await self._run(self._folder.known_blocks, self._origin)
        maybe = [n for n in range(self._origin.blocks) if known.may_have(n)]
        for some in batched(maybe, _SETTLED_AT_ONCE, strict=False):
            crcs = {index: await self._chip_crc(index) for index in some}
            await self._run(unfinished.settle, crcs, known)
            self._report(unfinished)

    async def _prove_zeros(self, unfinished: UnfinishedBackup, content: bytes) -> None:
        """Compare again what may be of a moment in which the flash was out of reach."""
        for index in range(self._origin.blocks):
            start = index * BLOCK_SIZE
            block = content[start : start + BLOCK_SIZE]
            if _NO_ANSWER not in block:
                continue
            if await self._chip.crc(start, BLOCK_SIZE) != crc32_jamcrc(block):
                await self._run(unfinished.forget, index)
                raise FlashUnreachableError(
                    f"the flash was out of reach while {start:#08x} was read"
                )

    async def _read_blocks(self, unfinished: UnfinishedBackup, blocks: range) -> None:
        """Read adjacent blocks in one go; each is on disk while the next is on the line."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        saving = asyncio.create_task(self._save_blocks(unfinished, blocks.start, queue))
        collected = bytearray()

        def take(_: int, part: bytes) -> None:
            if saving.done():
                saving.result()
            collected.extend(part)
            if whole := len(collected) // BLOCK_SIZE * BLOCK_SIZE:
                queue.put_nowait(bytes(collected[:whole]))
                del collected[:whole]

        done_before = (self._origin.blocks - len(unfinished.missing)) * BLOCK_SIZE
        try:
            await self._chip.read(
                blocks.start * BLOCK_SIZE,
                len(blocks) * BLOCK_SIZE,
                progress=self._progress.part(done_before),
                verified=take,
            )
        finally:
            queue.put_nowait(b"")
            await saving

    async def _save_blocks(
        self, unfinished: UnfinishedBackup, index: int, queue: asyncio.Queue[bytes]
    ) -> None:
        """Save what comes, from this block on, until nothing does.

        A line can be faster than a disk is with one block at a time; what waits is saved in one go.
        """
        ended = False
        while not ended:
            arrived = [await queue.get()]
            while not queue.empty():
                arrived.append(queue.get_nowait())
            ended = not arrived[-1]
            if blocks := b"".join(arrived):
                await self._run(unfinished.put, index, blocks)
                index += len(blocks) // BLOCK_SIZE

    async def _holds(self, dump: Dump, regions: Iterable[Region]) -> bool:
        for region in regions:
            for start in range(region.start, region.end, BLOCK_SIZE):
                end = min(start + BLOCK_SIZE, region.end)
                if await self._chip.crc(start, end - start) != crc32_jamcrc(
                    dump.content[start:end]
                ):
                    return False
                self._progress.reach(end)
        return True

    async def _chip_crc(self, index: int) -> int:
        if index not in self._crcs:
            self._crcs[index] = await self._chip.crc(index * BLOCK_SIZE, BLOCK_SIZE)
        return self._crcs[index]

    async def _complete(self) -> list[Backup]:
        backups = await self._run(self._folder.list)
        return [backup for backup in backups if backup.sidecar.origin == self._origin]

    async def _read_file(self, backup: Backup) -> Dump | None:
        try:
            return self._dump_of(await self._run(backup.read))
        except BackupDamagedError:
            return None

    def _dump_of(self, content: bytes) -> Dump:
        return Dump(content, self._chip.identity.chip)

    async def _run[*Arguments, Result](
        self, function: Callable[[*Arguments], Result], *args: *Arguments
    ) -> Result:
        return await run_to_the_end(self._run_blocking, function, *args)

    def _report(self, unfinished: UnfinishedBackup) -> None:
        done = self._origin.blocks - len(unfinished.missing)
        self._progress.reach(done * BLOCK_SIZE)


def _runs(indices: Iterable[int]) -> Iterator[range]:
    """Return ascending numbers as ranges of adjacent ones."""
    for _, group in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        members = [index for _, index in group]
        yield range(members[0], members[-1] + 1)
