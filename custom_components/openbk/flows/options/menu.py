"""What can be done with a socket that is set up: one menu, which each part adds its steps to."""

import re
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import probatio

from ...const import CONF_DISCOVERY_PREFIX, CONF_MODE, CONF_PROFILE, CONF_UNDO
from ...live.publisher import Mode, own_prefix
from ...live.snapshots import SNAPSHOTS
from ...pyopenbk.profile import SocketProfile
from ..talking import with_pages
from .backups import BackupSteps
from .calibration import PAGES, CalibrationSteps
from .firmware import FirmwareSteps
from .pins import PinSteps
from .polarity import PolaritySteps
from .reporting import ReportingSteps
from .snapshots import SnapshotSteps
from .tuning import TuningSteps
from .web_password import WebPasswordSteps

# Levels of a topic, none of them empty or a wildcard; those below $… are the broker's own.
_PREFIX: Final = re.compile(r"(?!\$)[^/+#\s\x00-\x1f]+(/[^/+#\s\x00-\x1f]+)*")
_DISCOVERY: Final = probatio.Schema(
    {
        probatio.Required(CONF_MODE, default=Mode.NATIVE): SelectSelector(
            SelectSelectorConfig(
                options=list(Mode), mode=SelectSelectorMode.LIST, translation_key="mode"
            )
        ),
        probatio.Optional(CONF_DISCOVERY_PREFIX): TextSelector(),
    }
)


@with_pages
class OpenBekenOptionsFlow(
    CalibrationSteps,
    TuningSteps,
    PolaritySteps,
    PinSteps,
    ReportingSteps,
    FirmwareSteps,
    WebPasswordSteps,
    BackupSteps,
    SnapshotSteps,
    OptionsFlowWithReload,
):
    """The options of a socket."""

    pages = PAGES

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what is to be done; without a choice, begin."""
        await self.async_fetch_texts("selector")
        menu = ["calibration", "polarity", "pins", "tune"]
        if self.config_entry.data.get(CONF_UNDO):
            menu.append("untune")
        if SocketProfile.from_dict(self.config_entry.data[CONF_PROFILE]).has_meter:
            menu.append("reporting")
        menu += ["firmware", "web_password", "backups"]
        if self.hass.data[SNAPSHOTS].of(self.config_entry):
            menu.append("snapshots")
        return self.async_show_menu(step_id="init", menu_options=[*menu, "discovery"])

    async def async_step_discovery(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask who describes the socket to whom."""
        errors: dict[str, str] = {}
        own = own_prefix(self.hass)
        if user_input is not None:
            prefix = user_input.pop(CONF_DISCOVERY_PREFIX, "").strip().strip("/")
            if prefix and not _PREFIX.fullmatch(prefix):
                errors[CONF_DISCOVERY_PREFIX] = "prefix_invalid"
            elif user_input[CONF_MODE] == Mode.BOTH and prefix in ("", own):
                errors[CONF_DISCOVERY_PREFIX] = "prefix_own"
            if not errors:
                if prefix:
                    user_input[CONF_DISCOVERY_PREFIX] = prefix
                others = {
                    key: value
                    for key, value in self.config_entry.options.items()
                    if key not in (CONF_MODE, CONF_DISCOVERY_PREFIX)
                }
                return self.async_create_entry(data=others | user_input)
            user_input[CONF_DISCOVERY_PREFIX] = prefix
        return self.async_show_form(
            step_id="discovery",
            data_schema=self.add_suggested_values_to_schema(
                _DISCOVERY, user_input or self.config_entry.options
            ),
            errors=errors,
            description_placeholders={"own_prefix": own},
        )
