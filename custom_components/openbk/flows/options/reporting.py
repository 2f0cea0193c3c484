"""How often a socket says its readings, as numbers, with what they cost the broker."""

from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import (
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
import probatio

from ...const import CONF_FIRMWARE
from ...live.reporting import (
    CONF_AMPERES,
    CONF_AT_REST,
    CONF_EVERY,
    CONF_VOLTS,
    CONF_WATTS,
    KEYS,
    Reporting,
)
from ...live.snapshots import SNAPSHOTS, Before
from ...live.state import is_online
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk.builds import is_before, version_of
from ..forms import without


def _number(low: float, high: float, step: float, unit: str) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=low,
            max=high,
            step=step,
            unit_of_measurement=unit,
            mode=NumberSelectorMode.BOX,
        )
    )


_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_EVERY): _number(2, 60, 1, UnitOfTime.SECONDS),
        probatio.Required(CONF_AT_REST): _number(10, 600, 1, UnitOfTime.SECONDS),
        probatio.Required(CONF_VOLTS): _number(
            0.1, 50, 0.01, UnitOfElectricPotential.VOLT
        ),
        probatio.Required(CONF_AMPERES): _number(
            0.001, 5, 0.001, UnitOfElectricCurrent.AMPERE
        ),
        probatio.Required(CONF_WATTS): _number(0.1, 500, 0.05, UnitOfPower.WATT),
    }
)


# VCPPublishIntervals; the thresholds came two days earlier.
_KNOWN_SINCE: Final = (1, 15, 600)


class ReportingSteps(OptionsFlow):
    """One page; the entry is loaded anew, which tells the socket."""

    async def async_step_reporting(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the numbers, where the firmware knows the commands for them."""
        build = self.config_entry.data[CONF_FIRMWARE] or ""
        if is_before(build, _KNOWN_SINCE):
            return self.async_abort(
                reason="reporting_too_old",
                description_placeholders={"version": version_of(build) or ""},
            )
        options = self.config_entry.options
        chosen = Reporting.of(user_input or options) or Reporting()
        errors: dict[str, str] = {}
        if user_input is not None:
            if chosen.at_rest >= chosen.every:
                if is_online(self.config_entry):
                    await self.hass.data[SNAPSHOTS].async_keep(
                        self.config_entry, Before.REPORTING
                    )
                others = without(options, *KEYS)
                return self.async_create_entry(data=others | chosen.as_options())
            errors[CONF_AT_REST] = "rest_shorter"
        return self.async_show_form(
            step_id="reporting",
            data_schema=self.add_suggested_values_to_schema(
                _SCHEMA, chosen.as_options()
            ),
            errors=errors,
            description_placeholders={
                "name": markdown_text(self.config_entry.title),
                "at_rest": str(chosen.messages_at_rest),
                "moving": str(chosen.messages_moving),
            },
        )
