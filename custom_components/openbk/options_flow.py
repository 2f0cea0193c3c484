"""What can be done with a socket that is set up: one menu, which each part adds its steps to."""

from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult

from .calibration_flow import CalibrationSteps

MENU: Final = ("calibration",)


class OpenBekenOptionsFlow(CalibrationSteps):
    """The options of a socket."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what is to be done; without a choice, begin."""
        return self.async_show_menu(step_id="init", menu_options=list(MENU))
