"""Tuning in a socket's options: nothing is changed in the socket that was not ticked."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD

from ...const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_ENERGY_IN_KWH,
    CONF_FIRMWARE,
    CONF_MAC,
    CONF_TUNED,
    CONF_UNDO,
    DOMAIN,
    LOGGER,
)
from ...live.snapshots import SNAPSHOTS, Before
from ...live.state import is_online
from ...network import discovery
from ...network.consoles import async_console_of
from ...network.mqtt import NotConnectedError
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.console import Console, ConsoleError, PasswordError
from ...pyopenbk.obk.tuning import Proposal, StartupChangedError, TuneStep, Tuning
from ..forms import ask_for_web_password, without
from ..talking import TalkingFlow
from ..tuning_form import (
    CONF_CHANGES,
    changes_schema,
    left_out_text,
    proposal_text,
    tune_schema,
    undo_data,
)


class TuningSteps(TalkingFlow, OptionsFlow):
    """Nothing is changed in the socket that was not ticked."""

    _tunings = Proposal()
    _password: str | None = None
    _chosen: tuple[str, ...] = ()
    _reload_needed = False

    async def async_step_tune(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the socket what it is set to, and offer what would suit it better."""
        entry = self.config_entry
        if user_input is not None and CONF_CHANGES in user_input:
            return await self._tune(user_input[CONF_CHANGES])
        if not is_online(self.config_entry):
            return self.async_abort(reason="not_loaded")
        if (address := entry.data[CONF_ADDRESS]) is None:
            return self.async_abort(reason="settings_closed")
        self._password = (user_input or {}).get(CONF_PASSWORD)
        try:
            answers = await discovery.async_ask(self.hass, address, self._password)
        except PasswordError:
            return self._ask_for_password("tune_password")
        except ConsoleError as err:
            LOGGER.debug("Settings of %s: %s", entry.title, err)
            return self.async_abort(reason="settings_closed")
        if not answers.is_of(entry.data[CONF_MAC], entry.data[CONF_CLIENT_ID]):
            return self.async_abort(reason="other_socket")
        if answers.flags is None:
            return self.async_abort(reason="settings_untold")
        self._tunings = answers.proposal(entry.runtime_data.clock.utc_offset)
        if not self._tunings.tunings:
            self._note_tuned(tuned=self._tunings.tuned(()))
            if not (left_out := self._tunings.left_out):
                return self.async_abort(reason="nothing_to_tune")
            return self.async_abort(
                reason="startup_left_alone",
                description_placeholders={
                    "left_out": left_out_text(left_out, self.word)
                },
            )
        return self.async_show_form(
            step_id="tune",
            data_schema=tune_schema(self._tunings.tunings),
            description_placeholders={
                "name": markdown_text(entry.title),
                "commands": proposal_text(self._tunings, self.word),
            },
        )

    async def async_step_tune_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the password of the socket's web page; it is not kept."""
        return await self.async_step_tune(user_input)

    async def _tune(self, chosen: list[str]) -> ConfigFlowResult:
        wanted = [item for item in self._tunings.tunings if item.step in chosen]
        if not wanted:
            return self.async_abort(reason="nothing_changed")
        if not is_online(self.config_entry):
            return self.async_abort(reason="not_loaded")
        # Another socket may have got its address while somebody thought about it.
        try:
            console = await self._open_console()
        except PasswordError:
            return self._ask_for_password("tune_password")
        if console is None:
            return self.async_abort(reason="settings_closed")
        # Who closes the dialog now must not leave what is done without its undo.
        reason = await asyncio.shield(
            self.hass.async_create_task(
                self._make(wanted, console),
                f"{DOMAIN} tuning of {self.config_entry.title}",
            )
        )
        return self.async_abort(reason=reason)

    async def _make(self, wanted: Iterable[Tuning], console: Console) -> str:
        """Make changes, and note after each how it is taken back; return the reason to end for."""
        data = self.config_entry.data
        await self.hass.data[SNAPSHOTS].async_keep(
            self.config_entry, Before.TUNING, console
        )
        done: list[Tuning] = []
        reason = "tuned"
        try:
            for tuning in wanted:
                await discovery.async_tune(
                    self.hass,
                    data[CONF_CLIENT_ID],
                    tuning,
                    console,
                    build=data[CONF_FIRMWARE],
                )
                done.append(tuning)
                self._note_undo(undo_data(self._undo, [tuning]))
        except (ConsoleError, NotConnectedError) as err:
            LOGGER.debug("Tuning of %s: %s", self.config_entry.title, err)
            reason = _failure(err, "tuning_stopped")
        finally:
            self._note_tuned(tuned=self._tunings.tuned(done))
        return reason

    async def async_step_untune(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take back changes that were made here; the socket gets what it had before."""
        entry = self.config_entry
        if user_input is not None:
            self._chosen = tuple(user_input[CONF_CHANGES])
            if not self._chosen:
                return self.async_abort(reason="nothing_changed")
            return await self._untune()
        return self.async_show_form(
            step_id="untune",
            data_schema=changes_schema(self._undo),
            description_placeholders={"name": markdown_text(entry.title)},
        )

    async def async_step_untune_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the password of the socket's web page; it is not kept."""
        self._password = (user_input or {}).get(CONF_PASSWORD)
        return await self._untune()

    async def _untune(self) -> ConfigFlowResult:
        if not is_online(self.config_entry):
            return self.async_abort(reason="not_loaded")
        try:
            console = await self._open_console()
        except PasswordError:
            return self._ask_for_password("untune_password")
        if console is None and TuneStep.STARTUP_COMMAND in self._chosen:
            return self.async_abort(reason="settings_closed")
        reason = await asyncio.shield(
            self.hass.async_create_task(
                self._take_back(console),
                f"{DOMAIN} tuning of {self.config_entry.title}",
            )
        )
        return self.async_abort(reason=reason)

    async def _take_back(self, console: Console | None) -> str:
        """Take changes back, and note each; return the reason to end for."""
        entry = self.config_entry
        if console is not None:
            await self.hass.data[SNAPSHOTS].async_keep(entry, Before.UNTUNING, console)
        reason = "untuned"
        try:
            # Another dialog may have taken some back.
            for step in (each for each in self._chosen if each in self._undo):
                await discovery.async_take_back(
                    self.hass,
                    entry.data[CONF_CLIENT_ID],
                    self._undo[step],
                    console,
                    build=entry.data[CONF_FIRMWARE],
                )
                self._note_undo(without(self._undo, step))
        except (ConsoleError, NotConnectedError) as err:
            LOGGER.debug("Taking tuning of %s back: %s", entry.title, err)
            reason = _failure(err, "untuning_stopped")
        finally:
            if self._reload_needed:
                self._note_tuned(tuned=False)
        return reason

    async def _open_console(self) -> Console | None:
        """Return a client for this very socket, or None where its web page is closed."""
        try:
            return await async_console_of(
                self.hass, self.config_entry.data, self._password
            )
        except PasswordError:
            raise
        except ConsoleError as err:
            LOGGER.debug("Settings of %s: %s", self.config_entry.title, err)
            return None

    def _ask_for_password(self, step_id: str) -> ConfigFlowResult:
        return ask_for_web_password(self, step_id, refused=bool(self._password))

    @property
    def _undo(self) -> Mapping[str, list[str]]:
        undo: Mapping[str, list[str]] = self.config_entry.data.get(CONF_UNDO, {})
        return undo

    def _note_undo(self, undo: Mapping[str, list[str]]) -> None:
        """Keep how to take back what is in force now."""
        data = {**self.config_entry.data, CONF_UNDO: dict(undo)}
        if TuneStep.ENERGY_IN_KWH in self._undo.keys() ^ undo.keys():
            data[CONF_ENERGY_IN_KWH] = TuneStep.ENERGY_IN_KWH in self._undo
        self._reload_needed |= self._undo != undo
        self.hass.config_entries.async_update_entry(self.config_entry, data=data)

    def _note_tuned(self, *, tuned: bool) -> None:
        """Note whether we may set the clock; where anything has changed, load anew."""
        data = self.config_entry.data
        if not self._reload_needed and data.get(CONF_TUNED, True) == tuned:
            return
        self._reload_needed = False
        self.hass.config_entries.async_update_entry(
            self.config_entry, data={**data, CONF_TUNED: tuned}
        )
        self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)


def _failure(err: Exception, otherwise: str) -> str:
    return "startup_changed" if isinstance(err, StartupChangedError) else otherwise
