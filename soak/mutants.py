"""Mistakes that could be made in our own code, and what notices each of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re
import shutil
import sys
import tempfile
import time
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_LIBRARY: Final = Path("custom_components/openbk/pyopenbk")
_COPIED: Final = ("custom_components", "simulator", "soak", "tests", "pyproject.toml")
# A mutant that makes a job go on for ever is noticed by that.
_LONGEST: Final = 240.0
NO_SUCH_RUN: Final = 2
"""What `directed` ends with where no case has the name."""


class Unfit(Exception):
    """A mutant no longer fits the code that it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mistake: what it is, where, and who should notice."""

    name: str
    file: str
    """Below the library."""
    old: str
    """Occurs once in the file."""
    new: str
    chip: str = "bk7231n"
    """On which it shows; see `SUBJECTS`."""
    cases: tuple[str, ...] = ()
    """Directed runs that should notice it; see `directed`."""
    cuts: tuple[str, ...] = ()
    """Aims whose power cuts should."""
    tests: tuple[str, ...] = ()
    """Tests that should where no run can."""
    harmless: str = ""
    """Why it may survive everything."""

    def apply(self, root: Path) -> None:
        """Change a copy of the tree; raises Unfit."""
        path = root / _LIBRARY / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise Unfit(
                f"{self.name}: its text occurs {text.count(self.old)} times in {self.file}"
            )
        path.write_text(text.replace(self.old, self.new))


_FLASH: Final = "undisturbed flash"
_RENEW: Final = "undisturbed renew"
_RESTORE: Final = "undisturbed restore"
_ADOPT: Final = "undisturbed adopt"

MUTANTS: Final = (
    Mutant(
        name="the CRC of what is read is not compared",
        file="bootrom/reading.py",
        old="area.proven = crc32_jamcrc(self._view[area.start : area.end]) == area.crc",
        new="area.proven = not area.missing",
        cases=("a byte of the backup arrives wrong",),
    ),
    Mutant(
        name="no link check before a CRC (fence off)",
        file="bootrom/link.py",
        old="if request.command is frames.CHECK_CRC and self.sends_ahead:",
        new="if False:",
        cases=("CRC 3 is answered twice", "CRC 9 is answered twice"),
        tests=("tests/pyopenbk/bootrom/test_link.py",),
    ),
    Mutant(
        name="no link check behind a CRC where nothing is sent ahead",
        file="bootrom/link.py",
        old="if pending.request.command is frames.CHECK_CRC and pending.fence is None:",
        new="if False:",
        tests=("tests/pyopenbk/bootrom/test_link.py",),
    ),
    Mutant(
        name="link checks go behind a change that a loader may wait for ever for the rest of",
        file="bootrom/link.py",
        old="            and not self.waits_for_ever\n            and self._push_failures",
        new="            and self._push_failures",
        tests=("tests/pyopenbk/bootrom/test_slow_adapter.py",),
    ),
    Mutant(
        name="link checks go on behind changes though nobody hears them",
        file="bootrom/link.py",
        old="        self._push_failures += any(",
        new="        self._push_failures += 0 * any(",
        tests=("tests/pyopenbk/bootrom/test_slow_adapter.py",),
    ),
    Mutant(
        name="a block of which a few bytes are right is taken for right",
        file="bootrom/programming.py",
        old="            if crc != crc32_jamcrc(self._part(page, page + _PAGE_SIZE)):",
        new="            if crc == crc32_jamcrc(self._part(page, page + _PAGE_SIZE)):\n"
        "                work.sectors = []\n"
        "                return work\n"
        "            else:",
        tests=("tests/pyopenbk/bootrom/test_programming.py",),
    ),
    Mutant(
        name="a request may change any flash (bounds off)",
        file="beken/flash_map.py",
        old="if length <= 0 or not any(",
        new="if length <= 0 and not any(",
        cases=(_FLASH, _ADOPT),
        tests=("tests/pyopenbk/bootrom/test_programming.py",),
    ),
    Mutant(
        name="the first sector is not erased first",
        file="flashing/writing.py",
        old="        await self._disable_start()\n        phase",
        new="        phase",
        cases=(_RENEW,),
    ),
    Mutant(
        name="the first sector is written first",
        file="flashing/writing.py",
        old="        for piece in self._plan.pieces:\n            if piece.phase",
        new="        await self._put(self._first)\n"
        "        for piece in self._plan.pieces:\n            if piece.phase",
        cases=(_FLASH,),
    ),
    Mutant(
        name="the first record is written with its sector",
        file="flashing/writing.py",
        old='disabled = b"\\xff" * RECORD_SIZE + piece.data[RECORD_SIZE:]',
        new="disabled = piece.data",
        cuts=("flash",),
    ),
    Mutant(
        name="a sector is rewritten without an erase",
        file="bootrom/programming.py",
        old="if crc != BLANK_SECTOR_CRC:\n                await self._erase_unit(sector",
        new="if crc == BLANK_SECTOR_CRC:\n                await self._erase_unit(sector",
        cases=("a byte of the application arrives wrong", _RENEW),
    ),
    Mutant(
        name="a block is written without an erase",
        file="bootrom/programming.py",
        old="if not work.is_blank:",
        new="if work.is_blank:",
        cases=(_RENEW,),
    ),
    Mutant(
        name="a block is erased where the job may not write all of it",
        file="bootrom/programming.py",
        old="        if work.start % BLOCK_SIZE or work.end - work.start != BLOCK_SIZE:\n"
        "            return False",
        new="        work.start -= work.start % BLOCK_SIZE",
        cases=(_FLASH, _RENEW),
    ),
    Mutant(
        name="what was written is not compared",
        file="bootrom/programming.py",
        old="for sector in await find_differences(self._loader, start, bytes(expected)):",
        new="for sector in list[int]():",
        cases=("a byte of the application arrives wrong",),
    ),
    Mutant(
        name="old answers are not waited out after a failure",
        file="bootrom/link.py",
        old="        self._flight.clear()\n        await self._port.quiet(seconds)",
        new="        self._flight.clear()",
        cases=("a CRC is answered late", "a write is answered late"),
        tests=(
            "tests/pyopenbk/bootrom/test_faults.py",
            "tests/pyopenbk/bootrom/test_link.py",
        ),
        harmless="answers tell their address or stand behind a link check, and a sector of which"
        " a part was lost is filled up",
    ),
    Mutant(
        name="an answer with another address is taken",
        file="bootrom/frames.py",
        old="        if not frame.payload.startswith(echo):\n            return None",
        new="",
        tests=("tests/pyopenbk/bootrom/test_frames.py",),
    ),
    Mutant(
        name="a backup is not read back before it counts",
        file="backups/dumps.py",
        old="        if self.missing:\n            raise BackupDamagedError(",
        new="        if False:\n            raise BackupDamagedError(",
        tests=("tests/pyopenbk/test_backups.py",),
    ),
    Mutant(
        name="a backup that was changed on the disk is written back",
        file="backups/dumps.py",
        old="if hashlib.sha256(dump).hexdigest() != self.sidecar.sha256:",
        new="if False:",
        tests=("tests/pyopenbk/test_backups.py",),
    ),
    Mutant(
        name="a dump gets its name before it is whole",
        file="backups/dumps.py",
        old="return path.with_name(path.name + UNFINISHED)",
        new='return path if path.suffix == ".bin" else path.with_name(path.name + UNFINISHED)',
        cases=("cancelled in the backup",),
    ),
    Mutant(
        name="a backup is used again without asking the chip",
        file="flashing/reading.py",
        old="                if await self._chip_crc(index) != crc:\n                    break\n",
        new="",
        cases=(_RESTORE,),
    ),
    Mutant(
        name="blocks that a crash took from the disk count as read",
        file="backups/dumps.py",
        old="if crc is not None and crc32_jamcrc(block_of(dump, index)) != crc",
        new="if False",
        cases=tuple(
            f"the machine stops in the backup, {number}" for number in range(3)
        ),
        tests=("tests/pyopenbk/test_backups.py",),
    ),
    Mutant(
        name="another chip's RF calibration is restored",
        file="flashing/plans.py",
        old="return own or (of_chip is None and of_backup is not None)",
        new="return True",
        cases=(_ADOPT,),
    ),
    Mutant(
        name="a bootloader is written by a flash job",
        file="flashing/plans.py",
        old="        unchanged=(flash.bootloader, flash.rf_calibration),",
        new="        unchanged=(),",
        cases=("an erase goes astray",),
        tests=("tests/pyopenbk/flashing/test_job.py",),
    ),
    Mutant(
        name="what must not change is not compared (proofs off)",
        file="flashing/writing.py",
        old="        if changed:\n            raise ProtectedRegionChangedError(changed)\n\n    async def _settle",
        new="\n    async def _settle",
        tests=(
            "tests/pyopenbk/flashing/test_job.py",
            "tests/pyopenbk/flashing/test_faults.py",
        ),
    ),
    Mutant(
        name="a disturbed line is not looked into (settling off)",
        file="flashing/writing.py",
        old="            if _disturbances(self._chip) == self._disturbances:",
        new="            if True:",
        cases=("an erase goes astray",),
        tests=("tests/pyopenbk/flashing/test_faults.py",),
    ),
    Mutant(
        name="the chip is said to be untouched until the first erase is over",
        file="flashing/writing.py",
        old="        self._set_state(ChipState.HALF_WRITTEN)\n        try:\n",
        new="        try:\n",
        cases=("power is lost in the first erase",),
    ),
    Mutant(
        name="no record of a job is kept",
        file="flashing/job.py",
        old="            if record is None:\n                return",
        new="            return",
        cases=("power is lost in the application",),
    ),
    Mutant(
        name="the record of a finished job stays",
        file="flashing/job.py",
        old="            if subject.state in _SETTLED and (mac := subject.own_mac):",
        new="            if False and (mac := subject.own_mac):",
        cases=(_FLASH,),
    ),
    Mutant(
        name="a record counts as ended once all other records are there",
        file="flashing/analysis.py",
        old='return records.sound < records.count or first_sector.endswith(b"\\xff")',
        new="return bool(records.damaged)",
        cuts=("flash",),
    ),
    Mutant(
        name="the port stays open",
        file="flashing/job.py",
        old="        await to_the_end(port.aclose())",
        new="        self._left = port",
        cases=(_FLASH,),
    ),
    Mutant(
        name="what goes over the line is logged",
        file="bootrom/link.py",
        old='        self._port.write(b"".join((data',
        new='        _LOGGER.debug("sent %s", data.hex())\n'
        '        self._port.write(b"".join((data',
        cases=("undisturbed configure",),
    ),
    Mutant(
        name="files are made as the umask has it",
        file="backups/files.py",
        old="        os.fchmod(descriptor, _FILE_MODE)",
        new="        os.fchmod(descriptor, 0o644)",
        cases=(_FLASH,),
    ),
    Mutant(
        name="the folder of backups is everybody's",
        file="backups/files.py",
        old="            folder.mkdir(_FOLDER_MODE, exist_ok=True)",
        new="            folder.mkdir(0o755, exist_ok=True)",
        cases=(_FLASH,),
        harmless="its mode is set once more right behind",
    ),
    Mutant(
        name="a file's length is not compared",
        file="backups/files.py",
        old="return stat.S_ISREG(found.st_mode) and found.st_size == size",
        new="return stat.S_ISREG(found.st_mode)",
        tests=("tests/pyopenbk/test_backups.py",),
    ),
    Mutant(
        name="an image for another key is written",
        file="flashing/job.py",
        old="            if image.key is not self.code_key:",
        new="            if False:",
        cases=("another key",),
        tests=("tests/pyopenbk/flashing/test_job.py",),
    ),
    Mutant(
        name="a chip without an RF calibration is flashed",
        file="flashing/job.py",
        old="        if (obstacle := await self._run(find_obstacle, dump, key)) is not None:",
        new="        if (obstacle := await self._run(find_obstacle, dump, key)) is ...:",
        tests=("tests/pyopenbk/flashing/test_job.py",),
    ),
    Mutant(
        name="another chip is written than the one that was backed up",
        file="flashing/job.py",
        old="            if crc != crc32_jamcrc(dump.part(region)):",
        new="            if False:",
        tests=(
            "tests/pyopenbk/flashing/test_job.py",
            "tests/pyopenbk/flashing/test_restore.py",
        ),
    ),
    Mutant(
        name="the status register is written in any case",
        file="bootrom/rom_loader.py",
        old="            if not status & part.protection:\n                return",
        new="            if not status & part.protection and _:\n                return",
        cases=("undisturbed repair", _RESTORE),
    ),
    Mutant(
        name="the status register is never written",
        file="bootrom/rom_loader.py",
        old="            await self.link.exchange(frames.write_status(wanted, part.status_bytes))",
        new="",
        cases=(_FLASH,),
    ),
    Mutant(
        name="a chip that no erase was sent to is said to be half-written",
        file="flashing/writing.py",
        old="is_untold = self._chip.link.changes_sent == sent",
        new="is_untold = False",
        tests=("tests/pyopenbk/flashing/test_faults.py",),
    ),
    Mutant(
        name="no link check before an erase on BK7231T",
        file="bootrom/flash_loader.py",
        old="        await self.link.exchange(frames.link_check())\n        await super().erase",
        new="        await super().erase",
        chip="bk7231t",
        cases=(_FLASH, _RENEW),
        harmless="each CRC has a link check of its own, and behind a CRC alone the flash is closed",
    ),
    Mutant(
        name="a write behind a CRC finds BK7231T's flash closed",
        file="bootrom/flash_loader.py",
        old="        if self._opened_at != self.link.failures:",
        new="        if False:",
        chip="bk7231t",
        cases=(_FLASH,),
    ),
    Mutant(
        name="the bootloader that holds BK7231T's loader is restored",
        file="flashing/plans.py",
        old="    if not flash.holds_loader:",
        new="    if True:",
        chip="bk7231t",
        cases=(_ADOPT,),
    ),
    Mutant(
        name="BK7231T's bootloader may be written by a restore",
        file="beken/flash_map.py",
        old="return self.application.start if self.holds_loader else 0",
        new="return 0",
        tests=("tests/pyopenbk/beken/test_flash_map.py",),
    ),
    Mutant(
        name="what lost its end is not filled up on BK7231T",
        file="bootrom/link.py",
        old="            data = _FILLER + data",
        new="            pass",
        tests=("tests/pyopenbk/bootrom/test_flash_loader.py",),
    ),
    Mutant(
        name="a register that was read once is believed",
        file="bootrom/rom_loader.py",
        old="        jedec = await _steady(link, lambda: _read_flash_id(link))",
        new="        jedec = await _read_flash_id(link)",
        cases=("the flash id arrives wrong",),
        tests=(
            "tests/pyopenbk/bootrom/test_faults.py",
            "tests/pyopenbk/bootrom/test_chip.py",
        ),
    ),
)


async def run_mutants(
    names: str = "",
    *,
    seconds: float | None = None,
    mutants: Sequence[Mutant] = MUTANTS,
) -> tuple[int, list[str]]:
    """Make each mistake in a copy of the tree and say who notices; return 0 where each is noticed.

    ``names``: only those whose names match; ``seconds``: begin no further one after so long.
    """
    chosen = [mutant for mutant in mutants if re.search(names, mutant.name)]
    rows = ["| mistake | noticed by |", "|---|---|"]
    print(*rows, sep="\n", flush=True)
    survivors, tried, started = [], 0, time.monotonic()
    for mutant in chosen:
        if seconds is not None and time.monotonic() - started > seconds:
            break
        tried += 1
        found = await _try(mutant)
        if not found and not mutant.harmless:
            survivors.append(mutant.name)
        verdict = found or (
            f"nothing: {mutant.harmless}" if mutant.harmless else "**NOTHING**"
        )
        rows.append(f"| {mutant.name} | {verdict} |")
        print(rows[-1], flush=True)
    rows += ["", f"{tried} mistakes, {len(survivors)} unnoticed without a reason"]
    print(*rows[-2:], sep="\n", flush=True)
    return 1 if survivors or not tried else 0, rows


async def _try(mutant: Mutant) -> str:
    """Return what noticed a mutant, or nothing."""
    with tempfile.TemporaryDirectory(prefix="openbk-mutant-") as folder:
        root = Path(folder)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, root / name, ignore=ignored)
            else:
                shutil.copy(source, root / name)
        mutant.apply(root)
        for case in mutant.cases:
            chosen = ("--name", f"^{case}$", "--chip", mutant.chip)
            if found := await _notices(root, "soak", "directed", *chosen):
                return f"soak, {case}: {found}"
        for aim in mutant.cuts:
            chosen = ("--aim", aim, "--chip", mutant.chip)
            if found := await _notices(root, "soak", "cuts", *chosen):
                return f"power cuts of {aim}: {found}"
        for path in mutant.tests:
            if (root / path).exists() and (
                found := await _notices(
                    root, "pytest", "-x", "-q", "-p", "no:cacheprovider", path
                )
            ):
                return f"test: {found}"
    return ""


_NOTICED: Final = re.compile(
    r"VIOLATION[^>]*-> (?P<invariant>[A-Za-z]+(?:_[A-Z]+)*)|^(?:FAILED|ERROR) \S*?::(?P<test>\S+)",
    re.MULTILINE,
)


async def _notices(root: Path, *arguments: str) -> str:
    """Return what a command in the changed tree complains about, or nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments),
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_LONGEST):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "it never ends"
    if not process.returncode:
        return ""
    if process.returncode == NO_SUCH_RUN:
        raise Unfit(" ".join(arguments))
    found = _NOTICED.search(output.decode(errors="replace"))
    if found is None:
        return f"it ends with {process.returncode}"
    return found["invariant"] or found["test"]


def check_fit(mutants: Sequence[Mutant] = MUTANTS, root: Path = ROOT) -> list[str]:
    """Return what no longer fits the code, so that a change of it tells at once."""
    complaints = []
    for mutant in mutants:
        count = (root / _LIBRARY / mutant.file).read_text().count(mutant.old)
        if count != 1:
            complaints.append(f"{mutant.name}: {count} times in {mutant.file}")
        complaints += [
            f"{mutant.name}: no {path}"
            for path in mutant.tests
            if not (root / path).exists()
        ]
    return complaints
