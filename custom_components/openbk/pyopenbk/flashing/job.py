"""One flashing job: link, identify, back up, analyse, write, verify, start; or restore."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
import hashlib
import logging
from typing import Final, Self

from ..backups import (
    Backup,
    BackupError,
    BackupFolder,
    Contents,
    EmptyDumpError,
    Origin,
)
from ..backups.errors import UnreadableRecordError
from ..beken.chips import RF_PLACES
from ..beken.code_flash import CodeKey
from ..beken.flash_map import SECTOR_SIZE, FlashMap
from ..beken.rf_sector import RfSector, parse_rf_sector
from ..bootrom.adapter import Adapter
from ..bootrom.chip import LinkedChip
from ..bootrom.errors import BootRomError, NoChipError, PortUnavailableError
from ..bootrom.link import DEFAULT_LADDER, Link, open_link
from ..bootrom.loader import ChipIdentity
from ..bootrom.search import SearchReport
from ..checksums import crc32_jamcrc
from ..executor import RunBlocking, run_to_the_end, to_the_end
from ..obk import config_sector
from ..obk.config_sector import ConfigSector, NotAConfigError
from ..obk.image import FirmwareImage
from .analysis import (
    Analysis,
    analyse,
    check_rf_sector,
    code_key_of,
    find_obstacle,
    has_ended,
)
from .dump import Dump, read_config, read_rf_sector
from .errors import (
    ChipChangedError,
    ChipState,
    FlashingError,
    FlashSizeError,
    ImageUnfitError,
    JobOrderError,
    RfSectorMisplacedError,
    RfSectorMissingError,
    RfSectorPresentError,
)
from .plans import plan_flash, plan_restore
from .progress import PhaseProgress, Progress
from .reading import BackupReader
from .records import JobRecord, JobRecords, Phase
from .writing import SafeWriter, WritePlan, WriteReport, prove_untouched

_LOGGER = logging.getLogger(__name__)

_BLANK: Final = 0xFF
# BK7231T's loader waits about thirty times as long as it does after a reset.
_SECONDS_BETWEEN_TOUCHES: Final = 1.0
# States in which no record has to tell a later job that there is something to go on with.
_SETTLED: Final = frozenset({ChipState.UNTOUCHED, ChipState.WRITTEN})


@dataclass(slots=True)
class _Subject:
    """The chip that a job works on, and what is known of it so far."""

    chip: LinkedChip
    rf_sector: RfSector | None = None
    unfinished: JobRecord | None = None
    backup: Backup | None = None
    dump: Dump | None = field(default=None, repr=False)
    """What it held when it was backed up, brought up to date by what was written."""
    state: ChipState = ChipState.UNTOUCHED

    @property
    def flash(self) -> FlashMap:
        """Return the map of its flash."""
        return self.chip.identity.chip.flash

    @property
    def mac(self) -> str | None:
        """Return the address that its RF sector has."""
        return self.rf_sector.mac if self.rf_sector else None

    @property
    def own_mac(self) -> str | None:
        """Return the address that tells it from all other chips."""
        return None if self.rf_sector and self.rf_sector.is_generic else self.mac

    @property
    def origin(self) -> Origin:
        """Return what its backups are told apart by."""
        identity = self.chip.identity
        digest = ""
        if identity.code_key is not None:
            key = b"".join(word.to_bytes(4, "big") for word in identity.code_key)
            digest = hashlib.sha256(key).hexdigest()
        return Origin(
            chip=identity.chip.name,
            chip_id=identity.chip_id,
            jedec=identity.jedec.hex(),
            code_key_sha256=digest,
            mac=self.mac,
            flash_size=identity.flash_size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Whether a chip still holds what was written to it."""

    application: bool
    """The whole region is as it was written, by its CRC."""
    config_sector: bool
    """The sector is as it was written; what was read was verified by its CRC."""
    config: ConfigSector | None
    """What the sector says now; None: the firmware would not accept it."""


class FlashingJob:
    """Holds a serial port from the first search to `close`, and works on one chip at a time.

    Every method can be cancelled at any moment; what it did is then as `chip_state` says, and a
    later job goes on from there. Errors are FlashingError, BootRomError, BackupError, ImageError
    or ConfigSectorError, all of them OpenBekenError. After an error of the link, `search` and
    `identify` begin anew; what was backed up is not read again.
    """

    def __init__(
        self,
        address: str,
        *,
        backups: BackupFolder,
        progress: Progress = lambda phase, done, total: None,
        run_blocking: RunBlocking = asyncio.to_thread,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        adapter: Adapter | None = None,
        baudrates: Sequence[int] = DEFAULT_LADDER,
        patience: float = 1.0,
    ) -> None:
        """Take the port's address and where backups are kept; nothing is opened yet.

        ``adapter`` is what earlier jobs over this port have learnt, and learns from this one.
        """
        self._address = address
        self._adapter = adapter or Adapter()
        self._backups = backups
        self._records = JobRecords(backups)
        self._progress = progress
        self._run_blocking = run_blocking
        self._clock = clock
        self._baudrates = baudrates
        self._patience = patience
        self._port = AsyncExitStack()
        self._link: Link | None = None
        self._subject: _Subject | None = None
        self._waking: asyncio.Task[None] | None = None
        """Keeps a chip awake between two steps that would else leave its loader."""

    async def __aenter__(self) -> Self:
        """Return the job itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Release the port."""
        await self.close()

    @property
    def mac(self) -> str | None:
        """Return the MAC of the identified chip; None if its RF sector has none."""
        return self._subject.mac if self._subject else None

    @property
    def code_key(self) -> CodeKey:
        """Return which key an image needs to run on the chip that was backed up."""
        subject, dump = self._backed_up()
        return code_key_of(dump, subject.chip.identity.code_key)

    @property
    def unfinished(self) -> JobRecord | None:
        """Return the job that left the identified chip half-written."""
        return self._subject.unfinished if self._subject else None

    @property
    def chip_state(self) -> ChipState:
        """Return what has become of the chip, as far as this job knows."""
        return self._subject.state if self._subject else ChipState.UNTOUCHED

    async def search(self, seconds: float = 3.0) -> SearchReport:
        """Look for a chip for some seconds, and say what was seen; opens the port when need be.

        Raises PortUnavailableError.
        """
        async with self._step():
            if self._link is None:
                self._link = await self._port.enter_async_context(
                    open_link(
                        self._address,
                        adapter=self._adapter,
                        baudrates=self._baudrates,
                        patience=self._patience,
                    )
                )
            self._progress(Phase.LINK, 0, 1)
            report = await self._link.search(seconds)
            self._progress(Phase.LINK, int(report.linked), 1)
            return report

    async def identify(self) -> ChipIdentity:
        """Go to the highest baud rate that works and ask the chip what it is.

        Also finds out whether an earlier job left this very chip half-written: see `unfinished`.
        Raises BootRomError (NoChipError before a search found one), FlashSizeError.
        """
        async with self._step():
            if self._link is None or not self._link.linked:
                raise NoChipError("no chip has answered yet")
            self._progress(Phase.IDENTIFY, 0, 1)
            await self._link.set_baudrate()
            chip = await LinkedChip.identify(self._link)
            if chip.identity.flash_size != chip.identity.chip.flash.size:
                raise FlashSizeError(chip.identity.flash_size)
            self._subject = await self._look_at(chip)
            self._progress(Phase.IDENTIFY, 1, 1)
            return self._subject.chip.identity

    async def back_up(self) -> Backup:
        """Return a complete backup of this very chip, verified and on disk.

        One that the chip still confirms by its CRCs is used again, an unfinished one is gone on
        with. On a chip that an earlier job left half-written, the backup from before that job
        counts. Raises BackupError (EmptyDumpError for an erased flash), BootRomError.
        """
        async with self._step():
            subject = self._identified()
            reader = BackupReader(
                subject.chip,
                self._backups,
                subject.origin,
                PhaseProgress(self._progress, Phase.BACKUP, subject.flash.size),
                self._run_blocking,
            )
            found = None
            if subject.unfinished is not None:
                found = await reader.find_backup_of_job(subject.unfinished)
            if found is None:
                found = await reader.find_true_backup()
            if found is None:
                found = await self._read(reader, subject)
            subject.backup, subject.dump = found
            return subject.backup

    async def analyse(self) -> Analysis:
        """Look through the backup and say what this chip is and whether it can be written.

        Raises JobOrderError before there is a backup.
        """
        async with self._step():
            subject, dump = self._backed_up()
            progress = PhaseProgress(self._progress, Phase.ANALYSE, subject.flash.size)
            analysis = await self._run(
                analyse,
                dump,
                subject.chip.identity.code_key,
                subject.unfinished,
            )
            if analysis.state is Contents.HALF_WRITTEN:
                subject.state = ChipState.HALF_WRITTEN
            progress.complete()
            return analysis

    async def write(
        self, image: FirmwareImage, config: bytes | None = None
    ) -> WriteReport:
        """Write an application and OpenBeken's configuration sector (None: leave that sector).

        Everything that can be refused is refused before the chip is touched: FlashingError,
        ImageError, ConfigSectorError, BackupError. After that come BootRomError and
        ProtectedRegionChangedError, and `chip_state` says what became of the chip.
        """
        async with self._step():
            application = image.application
            chip = self._identified().chip.identity.chip
            if image.chip not in (None, chip.name):
                raise ImageUnfitError(f"the image is for {image.chip}, not {chip.name}")
            if image.key is not self.code_key:
                raise ImageUnfitError("the image is encrypted for another chip's key")
            return await self._flash(application, config, image.version or image.kind)

    async def write_config(self, config: bytes) -> WriteReport:
        """Write OpenBeken's configuration sector alone; the application stays as it is.

        Raises what write raises, and JobOrderError on a chip that does not hold OpenBeken.
        """
        async with self._step():
            subject, dump = self._backed_up()
            if (
                subject.state not in _SETTLED
                or await self._run(lambda: dump.contents) is not Contents.OPENBEKEN
            ):
                raise JobOrderError("there is no OpenBeken to read this configuration")
            application = dump.part(subject.flash.application)
            return await self._flash(application, config, "configuration")

    async def compare(self, image: FirmwareImage, config: bytes) -> Comparison:
        """Say whether the identified chip holds what write was given; nothing is changed.

        Needs no backup. Raises BootRomError, ImageError.
        """
        async with self._step():
            subject = self._identified()
            chip, region = subject.chip, subject.flash.application
            place = subject.flash.openbeken_config
            progress = PhaseProgress(
                self._progress, Phase.VERIFY, region.size + place.size
            )
            application = image.application.ljust(region.size, bytes([_BLANK]))
            crc = await chip.crc(region.start, region.size)
            progress.reach(region.size)
            sector = await chip.read(place.start, place.size)
            progress.complete()
            return Comparison(
                application=crc == crc32_jamcrc(application),
                config_sector=sector == config,
                config=read_config(sector),
            )

    async def restore(
        self, backup: Backup, *, keep_rf: bool = False, foreign: bool = False
    ) -> WriteReport:
        """Write a backup back onto the chip, whole.

        A backup with this chip's MAC is its own. Any other needs ``foreign`` and keeps this chip's
        RF calibration, unless that is blank or generic: then the backup's is written as well.
        ``keep_rf`` leaves it alone in any case. Raises ForeignBackupError, BackupUnfitError and
        what write raises.
        """
        async with self._step():
            content = await self._run(backup.read)
            plan = await self._plan_restore(
                content, backup.sidecar.origin, keep_rf=keep_rf, foreign=foreign
            )
            return await self._carry_out(
                plan, backup.path.name, restores=backup.path.name
            )

    async def check_restore(
        self, content: bytes, origin: Origin | None = None, *, foreign: bool = False
    ) -> None:
        """Raise what `restore` would raise for this content before it changes anything.

        ``origin`` is the chip that it was read from, where that is known.
        """
        async with self._step():
            await self._plan_restore(content, origin, keep_rf=False, foreign=foreign)

    async def _plan_restore(
        self, content: bytes, origin: Origin | None, *, keep_rf: bool, foreign: bool
    ) -> WritePlan:
        subject, dump = self._backed_up()
        return await self._run(
            lambda: plan_restore(
                content,
                dump,
                subject.chip.identity.code_key,
                keep_rf=keep_rf,
                foreign=foreign,
                read_here=origin == subject.origin,
            )
        )

    async def repair_radio(self, sector: bytes, *, begun: bool = False) -> None:
        """Write the 4096 bytes of an RF calibration to a chip that has lost its own.

        Nothing else is changed, which is proven. ``begun``: an earlier call was broken off, so
        that what is in the place now may be anything. Raises RfSectorError where ``sector`` is no
        calibration, RfSectorPresentError, RfSectorMisplacedError, BackupError, BootRomError,
        ProtectedRegionChangedError.
        """
        async with self._step():
            subject, dump = self._backed_up()
            found = parse_rf_sector(sector)
            try:
                await self._run(check_rf_sector, dump)
            except RfSectorMissingError:
                pass
            except RfSectorMisplacedError as err:
                if err.found or not begun:
                    raise
            if subject.own_mac is not None:
                raise RfSectorPresentError("this chip has an RF calibration of its own")
            await self._refuse_unsafe(subject, dump)
            place, allowance = subject.flash.rf_calibration, subject.flash.radio_repair
            await subject.chip.unprotect()
            await subject.chip.program(place.start, sector, allowance=allowance)
            await prove_untouched(subject.chip, allowance, dump)
            subject.rf_sector = found
            subject.dump = dump.with_part(place, sector)

    async def start(self) -> None:
        """Leave the boot ROM, so that the chip starts what it holds; releases the port."""
        async with self._step():
            self._progress(Phase.START, 0, 1)
            chip = self._identified().chip
            await chip.reboot()
            await chip.link.boot()
            self._progress(Phase.START, 1, 1)
        await self.close()

    async def close(self) -> None:
        """Release the port; may be called at any time, and again.

        A chip that still waits in its boot ROM is started, where a wire can reset it, unless it is
        half-written.
        """
        await self._stop_waking()
        port, self._port = self._port, AsyncExitStack()
        link, self._link = self._link, None
        if link is not None and link.linked and self.chip_state in _SETTLED:
            port.push_async_callback(_boot, link)
        await to_the_end(port.aclose())

    async def _look_at(self, chip: LinkedChip) -> _Subject:
        """Find out which chip this is and whether an earlier job left it half-written."""
        subject = _Subject(chip)
        usual = subject.flash.rf_calibration
        for place in dict.fromkeys((usual, *RF_PLACES)):
            sector = await chip.read(place.start, place.size)
            if (found := read_rf_sector(sector)) is not None:
                subject.rf_sector = found
                break
        if (mac := subject.own_mac) is None:
            return subject
        record, readable = None, True
        try:
            record = await self._run(self._records.find, mac)
        except UnreadableRecordError as err:
            _LOGGER.warning("%s", err)
            readable = False
        if record is None and readable:
            return subject
        first = subject.flash.first_sector
        if has_ended(record, await chip.read(first.start, first.size)):
            # Only its record was left behind.
            await self._run(self._records.remove, mac)
        else:
            # Without what the record says, its content tells alone; but it is not untouched.
            subject.unfinished = record
            subject.state = ChipState.HALF_WRITTEN
        return subject

    async def _read(
        self, reader: BackupReader, subject: _Subject
    ) -> tuple[Backup, Dump]:
        try:
            return await reader.read(self._clock())
        except EmptyDumpError as err:
            if err.byte == _BLANK:
                # Nothing is lost by writing to a flash that holds nothing.
                blank = bytes([_BLANK]) * subject.flash.size
                subject.dump = Dump(blank, subject.chip.identity.chip)
            raise

    async def _flash(
        self, application: bytes, config: bytes | None, content: str
    ) -> WriteReport:
        subject, dump = self._backed_up()
        if config is not None:
            await self._run(_check_config, config)
        key = subject.chip.identity.code_key
        if (obstacle := await self._run(find_obstacle, dump, key)) is not None:
            raise obstacle
        return await self._carry_out(plan_flash(application, config, dump), content)

    async def _refuse_unsafe(self, subject: _Subject, dump: Dump) -> None:
        """Raise BackupError or ChipChangedError unless what the chip holds is on disk, now."""
        if subject.backup is not None:
            await self._run(subject.backup.read)
        regions = [await self._run(lambda: dump.rf_region)]
        if subject.own_mac is None or subject.unfinished is not None:
            # The RF sector tells one chip from another, but not how far a restore got.
            regions.append(subject.flash.bootloader)
        for region in regions:
            crc = await subject.chip.crc(region.start, region.size)
            if crc != crc32_jamcrc(dump.part(region)):
                raise ChipChangedError(
                    f"its {region.name} is not the one of the backup"
                )

    async def _carry_out(
        self, plan: WritePlan, content: str, *, restores: str | None = None
    ) -> WriteReport:
        subject, dump = self._backed_up()
        await self._refuse_unsafe(subject, dump)
        record = await self._run(
            lambda: self._record_of(subject, plan, content, restores)
        )

        async def note(phase: Phase) -> None:
            if record is None:
                return
            try:
                await self._run(self._records.save, replace(record, phase=phase))
            except BackupError:
                # Before the first erase it stops the job; later, stopping would only do harm.
                if phase is Phase.WRITE_APPLICATION:
                    raise
                _LOGGER.warning(
                    "The record of this job could not be brought up to date"
                )

        def set_state(state: ChipState) -> None:
            subject.state = state

        writer = SafeWriter(
            subject.chip, plan, self._progress, subject.state, set_state
        )
        try:
            report = await writer.run(note)
        finally:
            if subject.state in _SETTLED and (mac := subject.own_mac):
                await self._run(self._records.remove, mac)
        subject.dump = plan.after
        subject.unfinished = None
        return report

    def _record_of(
        self, subject: _Subject, plan: WritePlan, content: str, restores: str | None
    ) -> JobRecord | None:
        """Return what a later job of the same chip needs to know; None where it cannot tell."""
        if subject.backup is None or (mac := subject.own_mac) is None:
            return None
        return JobRecord(
            mac=mac,
            started=self._clock(),
            phase=Phase.WRITE_APPLICATION,
            backup=subject.backup.path.name,
            content=content,
            content_sha256=hashlib.sha256(plan.application).hexdigest(),
            regions=plan.allowance.borders,
            restores=restores,
            first_sector_crc=crc32_jamcrc(plan.first_sector),
        )

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[None]:
        """Keep the port and the errors true, whatever ends a step, and the chip awake after it."""
        await self._stop_waking()
        try:
            yield
        except PortUnavailableError:
            # Nothing that was opened works any more; the next search opens it anew.
            await self.close()
            raise
        except FlashingError as err:
            err.chip_state = self.chip_state
            raise
        finally:
            self._start_waking()

    def _start_waking(self) -> None:
        subject = self._subject
        if subject is None or subject.chip.link is not self._link:
            return
        if subject.chip.resets_when_idle and subject.chip.link.linked:
            self._waking = asyncio.create_task(_keep_awake(subject.chip.link))

    async def _stop_waking(self) -> None:
        waking, self._waking = self._waking, None
        if waking is not None:
            waking.cancel()
            await asyncio.wait({waking})

    def _identified(self) -> _Subject:
        """Return the chip, unless the port was closed since it was identified."""
        if self._subject is None or self._subject.chip.link is not self._link:
            raise JobOrderError("the chip was not identified yet")
        return self._subject

    def _backed_up(self) -> tuple[_Subject, Dump]:
        """Return the chip and what it holds."""
        subject = self._identified()
        if subject.dump is None:
            raise JobOrderError("the chip was not backed up yet")
        return subject, subject.dump

    async def _run[*Arguments, Result](
        self, function: Callable[[*Arguments], Result], *args: *Arguments
    ) -> Result:
        return await run_to_the_end(self._run_blocking, function, *args)


async def _keep_awake(link: Link) -> None:
    """Send a link check now and then; what keeps it from being answered shows in the next step."""
    with suppress(BootRomError):
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_TOUCHES)
            await link.touch()


async def _boot(link: Link) -> None:
    with suppress(BootRomError):
        await link.boot()


def _check_config(config: bytes) -> None:
    if len(config) != SECTOR_SIZE:
        raise NotAConfigError(f"a configuration sector has {SECTOR_SIZE} bytes")
    config_sector.parse(config)
