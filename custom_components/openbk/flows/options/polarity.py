"""Inverting pins in a socket's options: an active level that was a guess is tried on the socket."""

from dataclasses import replace
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio

from ...const import CONF_PROFILE
from ...live.state import is_online
from ...pyopenbk.profile import PinAssignment, SocketProfile
from ...pyopenbk.roles import PinRole
from .. import pin_form
from ..talking import TalkingFlow

CONF_PINS: Final = "pins"
_PAIRS: Final = (
    (PinRole.REL, PinRole.REL_N),
    (PinRole.LED, PinRole.LED_N),
    (PinRole.WIFI_LED, PinRole.WIFI_LED_N),
    (PinRole.BTN, PinRole.BTN_N),
)
# A new role of these takes effect at once, and the firmware keeps it and the channel.
_INVERSE: Final = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}


class PolaritySteps(TalkingFlow, OptionsFlow):
    """What is inverted here can be inverted again."""

    async def async_step_polarity(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask which pins do the opposite of what they should."""
        entry = self.config_entry
        if not is_online(entry):
            return self.async_abort(reason="not_loaded")
        profile = SocketProfile.from_dict(entry.data[CONF_PROFILE])
        if user_input is not None:
            chosen = {int(pin) for pin in user_input[CONF_PINS]}
            if not chosen:
                return self.async_abort(reason="nothing_changed")
            return await self._invert(profile, chosen)
        return self.async_show_form(
            step_id="polarity",
            data_schema=probatio.Schema(
                {
                    probatio.Required(CONF_PINS, default=list): SelectSelector(
                        SelectSelectorConfig(
                            options=self._options(profile),
                            multiple=True,
                            mode=SelectSelectorMode.LIST,
                        )
                    )
                }
            ),
        )

    def _options(self, profile: SocketProfile) -> list[SelectOptionDict]:
        def label(pin: PinAssignment) -> str:
            text = f"P{pin.pin}: {self.word('pin_kind', pin_form.kind_of(pin.role))}"
            if pin.polarity_guessed:
                text += f" ({self.word('pin_kind', 'guessed')})"
            return text

        return [
            SelectOptionDict(value=str(pin.pin), label=label(pin))
            for pin in profile.pins
            if pin.role in _INVERSE
        ]

    async def _invert(
        self, profile: SocketProfile, chosen: set[int]
    ) -> ConfigFlowResult:
        pins = [
            replace(pin, role=_INVERSE[pin.role], polarity_guessed=False)
            if pin.pin in chosen
            else pin
            for pin in profile.pins
        ]
        try:
            await self.config_entry.runtime_data.async_change_profile(
                profile.with_pins(pins)
            )
        except HomeAssistantError:
            # It was there when the form was submitted; nothing is noted that it may not have got.
            return self.async_abort(reason="polarity_unanswered")
        return self.async_abort(reason="polarity_changed")
