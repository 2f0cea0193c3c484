"""Tuning in a socket's options: what would be changed and why, and how it is taken back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.translation import async_get_translations
import probatio

from ...const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_TUNED, CONF_UNDO, DOMAIN, LOGGER
from ...network import discovery
from ...pyopenbk.obk.console import ConsoleError, PasswordError
from ...pyopenbk.obk.tuning import NEEDED, Tuning

CONF_CHANGES: Final = "changes"
COMMANDS_WORD: Final = ("tuning_commands", "all")
"""The selector and its option that stand above what is sent."""
_SUMMARY: Final = "component.{}.selector.{}.options.{}".format(DOMAIN, *COMMANDS_WORD)
_PASSWORD: Final = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
)


def changes_schema(steps: Iterable[str], ticked: Iterable[str] = ()) -> probatio.Schema:
    """Return the form with one tick for each change."""
    return probatio.Schema(
        {
            probatio.Required(CONF_CHANGES, default=list(ticked)): SelectSelector(
                SelectSelectorConfig(
                    options=[str(step) for step in steps],
                    multiple=True,
                    mode=SelectSelectorMode.LIST,
                    translation_key="tuning",
                )
            )
        }
    )


def tune_schema(tunings: Iterable[Tuning]) -> probatio.Schema:
    """Return the form of a proposal; ticked is only what Home Assistant cannot do without."""
    steps = [tuning.step for tuning in tunings]
    return changes_schema(steps, [str(step) for step in steps if step in NEEDED])


def commands_text(tunings: Iterable[Tuning], summary: str) -> str:
    """Return Markdown that unfolds to what exactly is sent; long commands wrap."""
    lines = [f"- `{command}`" for tuning in tunings for command in tuning.commands]
    return "\n".join(
        (f"<details><summary>{summary}</summary>", "", *lines, "", "</details>")
    )


@callback
def undo_data(known: Mapping[str, list[str]], done: Iterable[Tuning]) -> dict[str, Any]:
    """Return how everything that was changed so far is taken back, by the name of the change."""
    return {
        **known,
        # What was there before our first change counts.
        **{
            str(tuning.step): list(tuning.undo)
            for tuning in done
            if tuning.step not in known
        },
    }


class TuningSteps(OptionsFlow):
    """Nothing is changed in the socket that was not ticked."""

    _tunings: tuple[Tuning, ...] = ()

    async def async_step_tune(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the socket what it is set to, and offer what would suit it better."""
        entry = self.config_entry
        if user_input is not None and CONF_CHANGES in user_input:
            return await self._tune(user_input[CONF_CHANGES])
        if not self._is_online():
            return self.async_abort(reason="not_loaded")
        if (address := entry.data[CONF_ADDRESS]) is None:
            return self.async_abort(reason="settings_closed")
        password = (user_input or {}).get(CONF_PASSWORD)
        try:
            answers = await discovery.async_ask(self.hass, address, password)
        except PasswordError:
            return self.async_show_form(
                step_id="tune_password",
                data_schema=probatio.Schema(
                    {probatio.Required(CONF_PASSWORD): _PASSWORD}
                ),
                errors={CONF_PASSWORD: "socket_password"} if password else {},
            )
        except (ConsoleError, ValueError) as err:
            LOGGER.debug("Settings of %s: %s", entry.title, err)
            return self.async_abort(reason="settings_closed")
        self._tunings = answers.tunings(entry.runtime_data.clock.utc_offset)
        if not self._tunings:
            self._note_tuned(entry.data.get(CONF_UNDO, {}), tuned=True)
            return self.async_abort(reason="nothing_to_tune")
        words = await async_get_translations(
            self.hass, self.hass.config.language, "selector", [DOMAIN]
        )
        return self.async_show_form(
            step_id="tune",
            data_schema=tune_schema(self._tunings),
            description_placeholders={
                "name": entry.title,
                "commands": commands_text(self._tunings, words[_SUMMARY]),
            },
        )

    async def async_step_tune_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the password of the socket's web page; it is not kept."""
        return await self.async_step_tune(user_input)

    async def _tune(self, chosen: list[str]) -> ConfigFlowResult:
        done = [tuning for tuning in self._tunings if tuning.step in chosen]
        if not done:
            return self.async_abort(reason="nothing_changed")
        if not self._is_online():
            return self.async_abort(reason="not_loaded")
        data = self.config_entry.data
        await discovery.async_tune(self.hass, data[CONF_CLIENT_ID], done)
        self._note_tuned(
            undo_data(data.get(CONF_UNDO, {}), done),
            tuned=len(done) == len(self._tunings),
        )
        return self.async_abort(reason="tuned")

    async def async_step_untune(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take back changes that were made here; the socket gets what it had before."""
        entry = self.config_entry
        known: dict[str, list[str]] = entry.data.get(CONF_UNDO, {})
        if user_input is not None:
            chosen = user_input[CONF_CHANGES]
            if not chosen:
                return self.async_abort(reason="nothing_changed")
            if not self._is_online():
                return self.async_abort(reason="not_loaded")
            await discovery.async_take_back(
                self.hass, entry.data[CONF_CLIENT_ID], (known[step] for step in chosen)
            )
            left = {step: undo for step, undo in known.items() if step not in chosen}
            self._note_tuned(left, tuned=False)
            return self.async_abort(reason="untuned")
        return self.async_show_form(
            step_id="untune",
            data_schema=changes_schema(known),
            description_placeholders={"name": entry.title},
        )

    def _is_online(self) -> bool:
        entry = self.config_entry
        return entry.state is ConfigEntryState.LOADED and entry.runtime_data.online

    def _note_tuned(self, undo: Mapping[str, list[str]], *, tuned: bool) -> None:
        """Keep how to take it back; whether we may set the clock has changed, so load anew."""
        data = dict(self.config_entry.data)
        before = (data.get(CONF_UNDO, {}), data.get(CONF_TUNED, True))
        if before == (undo, tuned):
            return
        self.hass.config_entries.async_update_entry(
            self.config_entry, data={**data, CONF_UNDO: dict(undo), CONF_TUNED: tuned}
        )
        self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
