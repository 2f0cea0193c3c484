"""What every part of the wizard shares: the chip, the one job that holds the port, its pages."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import callback
from homeassistant.helpers.device_registry import format_mac
from homeassistant.setup import async_setup_component

from ...const import DOMAIN, LOGGER
from ...helpers import async_list_backups, backup_folder
from ...live.entries import async_identity_of
from ...pyopenbk.backups import Backup, BackupError, BackupFolder
from ...pyopenbk.beken.chips import FlashableChip
from ...pyopenbk.bootrom.errors import WrongChipError
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import FlashingJob, Phase
from ...pyopenbk.flashing.errors import ChipState
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk import image
from ...pyopenbk.obk.image import FirmwareImage
from ...updating.updates import UPDATES
from .. import pictures, serial_port
from ..road import ConfigRoad
from .failures import LEFT, page_of
from .pages import PAGES
from .session import WizardSession

_PICTURES: Final = (
    "safety",
    "opening",
    "pads",
    "wiring",
    "reset",
    "reset_now",
    "reassemble",
)
# One ring for a page whose work has several phases: from where to where each moves it.
_SPANS: Final = {
    Phase.BACKUP: (0.0, 0.98),
    Phase.ANALYSE: (0.98, 1.0),
    Phase.WRITE_APPLICATION: (0.0, 0.9),
    Phase.WRITE_CONFIG: (0.9, 0.92),
    Phase.VERIFY: (0.92, 1.0),
}


class WizardFlow(ConfigRoad):
    """What every chapter stands on: the session, the job that holds the port, the way out."""

    pages: ClassVar[Mapping[str, tuple[str, ...]]] = PAGES
    session: WizardSession
    _job: FlashingJob | None = None
    _found_chip: str = "?"
    """The chip that answered and cannot be flashed."""
    _pictures: str = ""
    leaving: bool = False
    """The dialog is closed; the port is about to be free."""

    def __init__(self) -> None:
        """Begin a dialog that knows of no chip yet."""
        super().__init__()
        self.session = WizardSession()
        self.left = asyncio.Event()

    @property
    def job(self) -> FlashingJob:
        """Return the job that holds the port; it is opened by the first search."""
        if self._job is None:
            assert self.session.address is not None
            self._job = FlashingJob(
                self.session.address,
                backups=self.backups,
                progress=self._show_progress_of,
                run_blocking=self.hass.async_add_executor_job,
                adapter=self.session.adapter,
            )
        return self._job

    @property
    def backups(self) -> BackupFolder:
        """Return the folder of flash backups under Home Assistant's configuration."""
        return backup_folder(self.hass)

    @override
    async def async_prepare(self) -> None:
        """Serve the pictures, too."""
        await super().async_prepare()
        if not self._pictures:
            self._pictures = await pictures.async_serve(self.hass)

    def error_text(self, error: str) -> str:
        """Return the text of an error, for a page that is no form."""
        return self._texts.get(f"component.{DOMAIN}.config.error.{error}", error)

    @property
    def common_placeholders(self) -> dict[str, str]:
        """Return what the texts of all chapters may name."""
        session = self.session
        expected = next(filter(None, session.expected_macs), None) or session.entry_mac
        backup = session.backup.path.name if session.backup else ""
        return {name: pictures.picture(self._pictures, name) for name in _PICTURES} | {
            # What only some people look at: nobody else need scroll past it.
            "ways_in": pictures.folded(
                self.word("fold", "ways_in"),
                pictures.picture(self._pictures, "ways_in"),
            ),
            "pads_3s": pictures.folded(
                "CB3S, WB3S", pictures.picture(self._pictures, "pads_3s")
            ),
            # What follows may be a key.
            "port": (session.address or "").partition("?")[0],
            "expected_mac": expected or "?",
            "connected_mac": session.connected_mac or "?",
            "mac": session.mac or "?",
            "state": self.word("state", session.state),
            "chip": session.chip.name,
            "found_chip": self._found_chip,
            "build_chip": (session.analysis and session.analysis.build_chip) or "?",
            "backup": backup,
            "backup_kept": f"{self.word('backup', 'kept')} {backup}" if backup else "",
            "backup_folder": str(self.backups.path),
            "other": self._what_the_other_does(),
        }

    @property
    def title(self) -> str:
        """Return what a person knows the socket on the wires by; empty before there is one."""
        return self.session.settings.name or self.session.mac or ""

    @property
    def doing(self) -> str:
        """Return the key of how far this wizard has got, for another one that would end it."""
        state = self._job.chip_state if self._job else ChipState.UNTOUCHED
        if state is ChipState.UNTOUCHED:
            state = self.session.chip_state
        if state is ChipState.WRITTEN:
            return "written"
        if state is not ChipState.UNTOUCHED:
            return "writing" if self._task is not None else "half_written"
        return "read" if self.session.analysis is not None else "begun"

    def _what_the_other_does(self) -> str:
        """Return Markdown that says how far the wizard at work has got, and with what."""
        other = serial_port.async_wizard_at_work(self.hass)
        if other is None or other is self:
            return ""
        done = self.word("other_wizard", other.doing)
        title = markdown_text(other.title)
        return f"**{title}**: {done}" if title else done

    @override
    def page_after(self, step_id: str, err: OpenBekenError | None) -> str:
        """Return the page for a failure, which depends on what has become of the chip."""
        self._note_chip_state()
        if isinstance(err, WrongChipError):
            self._found_chip = err.name
        return page_of(err, self.session.chip_state)

    @override
    async def async_let_go(self) -> None:
        """Close the port: a new attempt starts with a fresh link."""
        await self.async_close_job()

    async def async_take_firmware(self, data: bytes) -> None:
        """Take an image whose application can be written to this chip; raises ImageError."""
        self.session.image = None
        found = await self.hass.async_add_executor_job(
            _recognise, data, self.session.chip
        )
        self.session.image, self.session.firmware = found, data

    async def async_list_backups(self) -> tuple[Backup, ...]:
        """Return the backups that are here; none where the folder cannot be read."""
        try:
            return await async_list_backups(self.hass)
        except BackupError as err:
            LOGGER.warning("The backups cannot be listed: %s", err)
            return ()

    @callback
    def _note_chip_state(self, job: FlashingJob | None = None) -> None:
        """Remember what a job did to the chip; the next job knows nothing of it at first."""
        job = job or self._job
        if job is not None and job.chip_state is not ChipState.UNTOUCHED:
            self.session.chip_state = job.chip_state

    @override
    async def async_step_leave(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End the wizard, saying in what state the chip is left, if there has been one."""
        if self.session.address is None:
            return await super().async_step_leave()
        return self.async_abort(
            reason=LEFT[self.session.state], description_placeholders=self.placeholders
        )

    async def async_close_job(self) -> None:
        """Release the port."""
        job, self._job = self._job, None
        if job is not None:
            await job.close()

    @callback
    def _show_progress_of(self, phase: Phase, done: int, total: int) -> None:
        if phase is Phase.WRITE_APPLICATION and not self.session.change_noted:
            # Whatever happens from now on, somebody has to be told of what is left half-written.
            self.session.change_noted = True
            self.hass.async_create_task(self.async_chip_changes(), eager_start=True)
        if total and phase in _SPANS:
            start, end = _SPANS[phase]
            self.show_fraction(start + (end - start) * done / total)

    @property
    def identity(self) -> str:
        """Return the unique id of the entry of the socket on the wires."""
        session = self.session
        mac, topic = format_mac(session.written_mac), session.settings.client_id
        return async_identity_of(self.hass, mac, topic)

    async def async_forget_update(self) -> None:
        """Forget what an update over the air had left to be done in the chip that was just written."""
        entry = self.hass.config_entries.async_entry_for_domain_unique_id(
            DOMAIN, self.identity
        )
        if entry is not None:
            # It may be disabled, as all others are; then nothing of this integration is loaded.
            await async_setup_component(self.hass, DOMAIN, {})
            await self.hass.data[UPDATES].async_rewritten(entry)

    async def async_start_waiting(self) -> None:
        """Listen for the socket that is about to start."""

    @callback
    def async_stop_waiting(self) -> None:
        """Stop listening for a socket, as the wizard ends."""

    async def async_chip_changes(self) -> None:
        """Do what has to be done once the chip is no longer what it was."""

    async def async_left(self) -> None:
        """Do what has to be done once the wizard has ended and its port is free."""

    @callback
    @override
    def async_remove(self) -> None:
        """Let go of the port when the wizard ends, whichever way it ends."""
        super().async_remove()
        self.leaving = True
        self.async_stop_waiting()
        task, self._task = self._task, None
        job, self._job = self._job, None
        if task is not None:
            task.cancel()
        if (
            job is None
            and task is None
            and self.session.chip_state is ChipState.UNTOUCHED
        ):
            serial_port.async_release(self.hass, self)
            return
        self.hass.async_create_task(
            self._async_let_go(task, job),
            f"{DOMAIN} wizard: release {self.session.address}",
        )

    async def _async_let_go(
        self, task: asyncio.Task[str] | None, job: FlashingJob | None
    ) -> None:
        try:
            if task is not None:
                with suppress(asyncio.CancelledError):
                    await task
            if job is not None:
                await job.close()
                self._note_chip_state(job)
        finally:
            serial_port.async_release(self.hass, self)
        await self.async_left()


def _recognise(data: bytes, chip: FlashableChip) -> FirmwareImage:
    """Return an image whose application can be written over UART; raises ImageError."""
    found = image.recognise(data, chip)
    # Told by the image itself only when its application is asked for.
    _ = found.application
    return found
