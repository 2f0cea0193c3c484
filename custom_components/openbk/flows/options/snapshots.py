"""The settings that a socket had before changes: compared with those of now, and put back."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util
import probatio

from ...const import (
    CONF_CHILD_LOCK,
    CONF_POWER_CUT,
    CONF_PROFILE,
    CONF_TUNED,
    CONF_UNDO,
    DOMAIN,
    LOGGER,
)
from ...live.reporting import KEYS, Reporting
from ...live.snapshots import SNAPSHOTS, Before, KeptSettings
from ...live.state import is_online
from ...network.consoles import SOCKET_ACCESS, async_console_of
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.foreign_text import markdown_code, markdown_text
from ...pyopenbk.obk.console import Console, PasswordError
from ...pyopenbk.obk.snapshot import Snapshot, put_snapshot_back, take_snapshot
from ...pyopenbk.obk.startup import LONGEST_STARTUP_COMMAND
from ...pyopenbk.obk.tuning import still_in_force
from ...pyopenbk.profile import SocketProfile
from ..forms import CONF_CONSENT, CONSENT, ask_for_web_password, folded, without
from ..talking import TalkingFlow

CONF_SNAPSHOT: Final = "snapshot"


class SnapshotSteps(TalkingFlow, OptionsFlow):
    """A list of what was kept, what is different now, and the way back."""

    _kept: KeptSettings | None = None
    _web_password: str | None = None

    async def async_step_snapshots(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what was kept, the latest first."""
        kept = {item.at.isoformat(): item for item in self._all_kept}
        if not kept:
            return self.async_abort(reason="no_snapshots")
        if user_input is not None:
            # Later ones may have taken its place meanwhile; then the list is shown anew.
            self._kept = kept.get(user_input[CONF_SNAPSHOT])
            if self._kept is not None:
                return await self.async_step_snapshot()
        options = [
            SelectOptionDict(value=at, label=self._title(item))
            for at, item in kept.items()
        ]
        return self.async_show_form(
            step_id="snapshots",
            data_schema=probatio.Schema(
                {
                    probatio.Required(
                        CONF_SNAPSHOT, default=next(iter(kept))
                    ): SelectSelector(
                        SelectSelectorConfig(
                            options=options, mode=SelectSelectorMode.LIST
                        )
                    )
                }
            ),
            description_placeholders={"name": markdown_text(self.config_entry.title)},
        )

    async def async_step_snapshot(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what is different now, and put it back where somebody agrees."""
        kept = self._kept
        if kept is None or kept not in self._all_kept:
            # The entry may be of other hardware by now, to which these settings are nothing.
            return await self.async_step_snapshots()
        errors: dict[str, str] = {}
        if user_input is not None:
            if not user_input[CONF_CONSENT]:
                errors[CONF_CONSENT] = "consent_missing"
            elif not is_online(self.config_entry):
                return self.async_abort(reason="not_loaded")
            else:
                return await self._put_back(kept)
        try:
            now = await take_snapshot(await self._open())
        except PasswordError:
            return ask_for_web_password(
                self, "snapshot_password", refused=bool(self._web_password)
            )
        except OpenBekenError as err:
            LOGGER.debug("Settings of %s: %s", self.config_entry.title, err)
            return self.async_abort(
                reason="snapshot_unreadable",
                description_placeholders={"settings": self._everything(kept)},
            )
        difference = self._difference(kept, now)
        placeholders = {
            "name": markdown_text(self.config_entry.title),
            "when": self._title(kept),
            "difference": difference,
            "settings": self._everything(kept),
        }
        if not self._can_put_back(kept, now):
            return self.async_abort(
                reason="snapshot_same", description_placeholders=placeholders
            )
        return self.async_show_form(
            step_id="snapshot",
            data_schema=CONSENT,
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_snapshot_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the password of the socket's web page; it is not kept."""
        self._web_password = (user_input or {}).get(CONF_PASSWORD)
        return await self.async_step_snapshot()

    async def _put_back(self, kept: KeptSettings) -> ConfigFlowResult:
        # Who closes the dialog now must not leave the entry behind its socket.
        after = await asyncio.shield(
            self.hass.async_create_task(
                self._give_back(kept), f"{DOMAIN} settings of {self.config_entry.title}"
            )
        )
        if after is None:
            return self.async_abort(reason="snapshot_stopped")
        if left := kept.snapshot.difference(after).restorable:
            return self.async_abort(
                reason="snapshot_partly",
                description_placeholders={"difference": _lines(left)},
            )
        return self.async_abort(reason="snapshot_put_back")

    async def _give_back(self, kept: KeptSettings) -> Snapshot | None:
        """Put settings back and let the entry follow; return what the socket has, None if silent."""
        entry = self.config_entry
        try:
            console = await self._open()
            await self.hass.data[SNAPSHOTS].async_keep(
                entry, Before.PUTTING_BACK, console
            )
            after = await put_snapshot_back(
                console, kept.snapshot, self.hass.data[SOCKET_ACCESS].sleep
            )
        except OpenBekenError as err:
            LOGGER.warning("Settings of %s are not all put back: %s", entry.title, err)
            return None
        self._follow(kept, after)
        return after

    def _follow(self, kept: KeptSettings, now: Snapshot) -> None:
        """Let the entry know what the socket has now, and load it anew."""
        entry = self.config_entry
        # What is read back counts from now on.
        data = without(entry.data, CONF_CHILD_LOCK, CONF_POWER_CUT)
        profile = SocketProfile.from_dict(entry.data[CONF_PROFILE])
        data[CONF_PROFILE] = profile.with_pins(now.profile.pins).as_dict()
        undo = entry.data.get(CONF_UNDO, {})
        left = still_in_force(undo, now.flags, now.startup_command)
        if left != undo:
            data |= {CONF_UNDO: left, CONF_TUNED: False}
        options = without(entry.options, *KEYS)
        if kept.reporting is not None:
            options |= kept.reporting.as_options()
        self.hass.config_entries.async_update_entry(entry, data=data, options=options)
        self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def _open(self) -> Console:
        """Return a client for this very socket; raises OpenBekenError."""
        data = self.config_entry.data
        return await async_console_of(self.hass, data, self._web_password)

    @property
    def _all_kept(self) -> tuple[KeptSettings, ...]:
        return self.hass.data[SNAPSHOTS].of(self.config_entry)

    def _title(self, kept: KeptSettings) -> str:
        when = f"{dt_util.as_local(kept.at):%Y-%m-%d %H:%M}"
        return f"{when}, {self.word('kept_before', kept.before)}"

    def _told_now(self) -> Reporting | None:
        return Reporting.of(self.config_entry.options)

    def _can_put_back(self, kept: KeptSettings, now: Snapshot) -> bool:
        return bool(
            kept.snapshot.difference(now).restorable
            or kept.reporting_difference(self._told_now())
        )

    def _difference(self, kept: KeptSettings, now: Snapshot) -> str:
        """Return Markdown of what is different, and which part of it stays as it is."""
        found = kept.snapshot.difference(now)
        restorable = (
            *found.restorable,
            *kept.reporting_difference(self._told_now()),
        )
        texts = [_lines(restorable)] if restorable else []
        if found.lasting:
            texts += [self.word("snapshot_text", "lasting"), _lines(found.lasting)]
        return "\n\n".join(texts) or self.word("snapshot_text", "same")

    def _everything(self, kept: KeptSettings) -> str:
        """Return Markdown of all that was kept, which unfolds."""
        summary = self.word("snapshot_text", "all")
        lines = _lines(kept.text.splitlines())
        return folded(summary, lines)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(
        f"- {markdown_code(line, 2 * LONGEST_STARTUP_COMMAND)}" for line in lines
    )
