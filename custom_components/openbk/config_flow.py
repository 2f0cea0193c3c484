"""Config flow: flash a socket, add one that runs OpenBeken, or take one that was discovered."""

from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import callback

from .const import DOMAIN
from .flows.options.menu import OpenBekenOptionsFlow
from .flows.reconfiguring import ReconfigureSteps
from .flows.talking import with_pages
from .issues.half_written import CONF_ROAD


@with_pages
class OpenBekenConfigFlow(ReconfigureSteps, domain=DOMAIN):
    """The ways in which a socket comes to Home Assistant."""

    VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OpenBekenOptionsFlow:
        """Return the options of a socket."""
        return OpenBekenOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what is to be done, unless a repair has led here."""
        road = (user_input or {}).get(CONF_ROAD)
        if road == "flash":
            return await self.async_step_flash()
        if road == "restore":
            return await self.async_step_restore()
        return self.async_show_menu(
            step_id="user", menu_options=["flash", "existing", "restore"]
        )
