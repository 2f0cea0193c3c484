"""The pins of a socket read again, after somebody gave them other roles on its own web page."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import CONF_PASSWORD
import probatio

from ...const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_MAC, CONF_PROFILE, LOGGER
from ...live.state import is_online
from ...network import discovery
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.console import ConsoleError, PasswordError
from ...pyopenbk.profile import SocketProfile
from .. import pin_form
from ..forms import ask_for_web_password
from ..talking import TalkingFlow


class PinSteps(TalkingFlow, OptionsFlow):
    """Nothing is changed in the socket; the entry follows what it has."""

    _known: SocketProfile | None = None
    _has_now: SocketProfile | None = None

    async def async_step_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the socket for its pins, and show which are others than Home Assistant knows."""
        entry = self.config_entry
        if not is_online(entry):
            return self.async_abort(reason="not_loaded")
        if (address := entry.data[CONF_ADDRESS]) is None:
            return self.async_abort(reason="pins_closed")
        password = (user_input or {}).get(CONF_PASSWORD)
        try:
            answers = await discovery.async_ask(self.hass, address, password)
        except PasswordError:
            return ask_for_web_password(self, "pins_password", refused=bool(password))
        except ConsoleError as err:
            LOGGER.debug("Pins of %s: %s", entry.title, err)
            return self.async_abort(reason="pins_closed")
        if not answers.is_of(entry.data[CONF_MAC], entry.data[CONF_CLIENT_ID]):
            return self.async_abort(reason="other_socket")
        known = SocketProfile.from_dict(entry.data[CONF_PROFILE])
        self._has_now = _brought_up_to_date(known, answers.profile)
        if pin_form.problem_of(self._has_now):
            return self.async_abort(reason="pins_unusable")
        if self._has_now == known:
            return self.async_abort(reason="pins_same")
        self._known = known
        return await self.async_step_pins_changed()

    async def async_step_pins_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the password of the socket's web page; it is not kept."""
        return await self.async_step_pins(user_input)

    async def async_step_pins_changed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what is different, and let the entry have it once that was seen."""
        assert self._known is not None
        assert self._has_now is not None
        entry = self.config_entry
        if user_input is None:
            return self.async_show_form(
                step_id="pins_changed",
                data_schema=probatio.Schema({}),
                description_placeholders={
                    "name": markdown_text(entry.title),
                    "pins": pin_form.changes(self._known, self._has_now, self.word),
                },
            )
        self.hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_PROFILE: self._has_now.as_dict()}
        )
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_abort(reason="pins_taken")


def _brought_up_to_date(known: SocketProfile, told: SocketProfile) -> SocketProfile:
    """Return what is known of a socket with the pins that it has, and with its meter if it tells.

    Where no pin has changed, a guess about one stays a guess.
    """
    if told.pins != known.pins:
        known = known.with_pins(told.pins)
    if told.serial_meter is not None and told.serial_meter != known.serial_meter:
        known = replace(known, meter=told.meter, baud=told.baud)
    return known
