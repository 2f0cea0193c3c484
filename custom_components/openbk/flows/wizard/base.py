"""What every part of the wizard shares: the chip, the one job that holds the port, its pages."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final, override

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.core import callback

from ...const import DOMAIN
from ...issues.half_written import backup_folder
from ...pyopenbk.backups import Backup, BackupFolder
from ...pyopenbk.beken.chips import BK7231N, FlashableChip
from ...pyopenbk.beken.rf_sector import is_generic_mac
from ...pyopenbk.bootrom.adapter import Adapter
from ...pyopenbk.bootrom.loader import ChipIdentity
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import Analysis, FlashingJob, Phase
from ...pyopenbk.flashing.errors import ChipState
from ...pyopenbk.foreign_text import markdown_text
from .. import pictures, serial_port
from ..forms import Passwords
from ..talking import TalkingFlow
from .failures import LEFT, page_of
from .pages import PAGES

_PICTURES: Final = (
    "safety",
    "opening",
    "pads",
    "wiring",
    "ways_in",
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


class WizardFlow(TalkingFlow, ConfigFlow):
    """The state that the wizard's steps hand to each other, and how a long one is run."""

    pages: ClassVar[Mapping[str, tuple[str, ...]]] = PAGES
    _job: FlashingJob | None = None
    _address: str | None = None
    _adapters: Mapping[str, Adapter] = {}
    """What was learnt of each port that this wizard has used."""
    _owner: str = ""
    _backup: Backup | None = None
    _analysis: Analysis | None = None
    _identity: ChipIdentity | None = None
    _chip_state: ChipState = ChipState.UNTOUCHED
    _pictures: str = ""
    _change_noted: bool = False
    leaving: bool = False
    """The dialog is closed; the port is about to be free."""
    _meant: frozenset[str | None] = frozenset()
    """The addresses by which the chip is known that everything was confirmed for; None stands for
    a chip without one. Another chip may not be written with it."""
    _connected_mac: str | None = None
    _entry_mac: str | None = None
    """The socket whose entry the wizard was opened from."""

    def __init__(self) -> None:
        """Begin a dialog in which no password was typed yet."""
        super().__init__()
        self.passwords = Passwords()

    @property
    def adapter(self) -> Adapter:
        """Return what was learnt of the port that is used now; it outlives each try."""
        address = self._address or ""
        if address not in self._adapters:
            self._adapters = {**self._adapters, address: Adapter()}
        return self._adapters[address]

    @property
    def job(self) -> FlashingJob:
        """Return the job that holds the port; it is opened by the first search."""
        if self._job is None:
            assert self._address is not None
            self._job = FlashingJob(
                self._address,
                backups=self.backups,
                progress=self._show_progress_of,
                run_blocking=self.hass.async_add_executor_job,
                adapter=self.adapter,
            )
        return self._job

    @property
    def chip(self) -> FlashableChip:
        """Return the chip on the line; until it is known, the one that most sockets have."""
        return self._identity.chip if self._identity else BK7231N

    @property
    def backups(self) -> BackupFolder:
        """Return the folder of flash backups under Home Assistant's configuration."""
        return backup_folder(self.hass)

    async def async_prepare(self) -> None:
        """Serve the pictures and fetch the words that stand in tables."""
        if not self._pictures:
            self._pictures = await pictures.async_serve(self.hass)
            await self.async_fetch_texts("selector", "config")

    def error_text(self, error: str) -> str:
        """Return the text of an error, for a page that is no form."""
        return self._texts.get(f"component.{DOMAIN}.config.error.{error}", error)

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Return what the texts of all steps may name."""
        expected = next(filter(None, self._meant), None) or self._entry_mac
        backup = self._backup.path.name if self._backup else ""
        return {name: pictures.picture(self._pictures, name) for name in _PICTURES} | {
            # Who has the commoner modules need not scroll past it.
            "pads_3s": pictures.folded(
                "CB3S, WB3S", pictures.picture(self._pictures, "pads_3s")
            ),
            # What follows may be a key.
            "port": (self._address or "").partition("?")[0],
            "owner": self._owner,
            "expected_mac": expected or "?",
            "connected_mac": self._connected_mac or "?",
            "mac": (self._analysis.mac if self._analysis else None) or "?",
            "state": self.word("state", self.state),
            "backup": backup,
            "backup_kept": f"{self.word('backup', 'kept')} {backup}" if backup else "",
            "backup_folder": str(self.backups.path),
            "other": self._what_the_other_does(),
        }

    @property
    def title(self) -> str:
        """Return what a person knows the socket on the wires by; empty before there is one."""
        return (self._analysis.mac if self._analysis else None) or ""

    @property
    def doing(self) -> str:
        """Return the key of how far this wizard has got, for another one that would end it."""
        state = self._job.chip_state if self._job else ChipState.UNTOUCHED
        if state is ChipState.UNTOUCHED:
            state = self._chip_state
        if state is ChipState.WRITTEN:
            return "written"
        if state is not ChipState.UNTOUCHED:
            return "writing" if self._task is not None else "half_written"
        return "read" if self._analysis is not None else "begun"

    def _what_the_other_does(self) -> str:
        """Return Markdown that says how far the wizard at work has got, and with what."""
        other = serial_port.async_wizard_at_work(self.hass)
        if other is None or other is self:
            return ""
        done = self.word("other_wizard", other.doing)
        title = markdown_text(other.title)
        return f"**{title}**: {done}" if title else done

    @property
    def state(self) -> str:
        """Return the key of what has become of the chip so far, for every page that stops."""
        return self._chip_state

    def is_another_chip(self, mac: str | None) -> bool:
        """Return whether all this is meant for another chip than the one with this address."""
        self._connected_mac = mac
        if self._meant:
            return mac not in self._meant
        # A chip that has lost its address may still be the one.
        return (
            self._entry_mac is not None
            and mac is not None
            and not is_generic_mac(mac)
            and not is_generic_mac(self._entry_mac)
            and mac != self._entry_mac
        )

    @override
    def page_after(self, step_id: str, err: OpenBekenError | None) -> str:
        """Return the page for a failure, which depends on what has become of the chip."""
        self._note_chip_state()
        return page_of(err, self._chip_state)

    @override
    async def async_let_go(self) -> None:
        """Close the port: a new attempt starts with a fresh link."""
        await self.async_close_job()

    @callback
    def _note_chip_state(self, job: FlashingJob | None = None) -> None:
        """Remember what a job did to the chip; the next job knows nothing of it at first."""
        job = job or self._job
        if job is not None and job.chip_state is not ChipState.UNTOUCHED:
            self._chip_state = job.chip_state

    async def async_step_leave(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End the wizard, saying in what state the chip is left."""
        return self.async_abort(
            reason=self.farewell, description_placeholders=self.placeholders
        )

    @property
    def farewell(self) -> str:
        """Return the key of what is said to somebody who leaves."""
        return LEFT[self._chip_state]

    async def async_close_job(self) -> None:
        """Release the port."""
        job, self._job = self._job, None
        if job is not None:
            await job.close()

    @callback
    def _show_progress_of(self, phase: Phase, done: int, total: int) -> None:
        if phase is Phase.WRITE_APPLICATION and not self._change_noted:
            # Whatever happens from now on, somebody has to be told of what is left half-written.
            self._change_noted = True
            self.hass.async_create_task(self.async_chip_changes(), eager_start=True)
        if total and phase in _SPANS:
            start, end = _SPANS[phase]
            self.show_fraction(start + (end - start) * done / total)

    async def async_chip_changes(self) -> None:
        """Do what has to be done once the chip is no longer what it was."""

    async def async_left(self) -> None:
        """Do what has to be done once the wizard has ended and its port is free."""

    @callback
    @override
    def async_remove(self) -> None:
        """Let go of the port when the wizard ends, whichever way it ends."""
        self.leaving = True
        task, self._task = self._task, None
        job, self._job = self._job, None
        if task is not None:
            task.cancel()
        if job is None and task is None and self._chip_state is ChipState.UNTOUCHED:
            serial_port.async_release(self.hass, self)
            return
        self.hass.async_create_task(
            self._async_let_go(task, job), f"{DOMAIN} wizard: release {self._address}"
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
