"""Config flow: flash a socket, add one that runs OpenBeken, or take one that was discovered."""

from typing import Any, override

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.core import callback

from .const import CONF_ROAD, DOMAIN, ROAD_FLASH, ROAD_RESTORE
from .flows.adding import AddingSteps
from .flows.new_broker import NewBrokerSteps
from .flows.options.menu import OpenBekenOptionsFlow
from .flows.reconfiguring import ReconfigureSteps
from .flows.talking import with_pages
from .flows.wizard.firmware import FirmwareSteps
from .flows.wizard.link import LinkSteps
from .flows.wizard.network import NetworkSteps
from .flows.wizard.pins import PinSteps
from .flows.wizard.radio import RadioSteps
from .flows.wizard.restore import RestoreSteps
from .flows.wizard.resume import ResumeSteps
from .flows.wizard.twin import TwinSteps
from .flows.wizard.waiting import WaitSteps
from .flows.wizard.writing import WriteSteps


@with_pages
class OpenBekenConfigFlow(
    LinkSteps,
    PinSteps,
    NetworkSteps,
    FirmwareSteps,
    WriteSteps,
    WaitSteps,
    ResumeSteps,
    RestoreSteps,
    TwinSteps,
    RadioSteps,
    AddingSteps,
    NewBrokerSteps,
    ReconfigureSteps,
    domain=DOMAIN,
):
    """The ways in which a socket comes to Home Assistant."""

    VERSION = 1

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Return what each chapter tells; a later one may say it better than an earlier one."""
        return {
            **self.common_placeholders,
            **self.pin_placeholders,
            **self.network_placeholders,
            **self.firmware_placeholders,
            **self.link_placeholders,
            **self.write_placeholders,
            **self.wait_placeholders,
            **self.restore_placeholders,
            **self.twin_placeholders,
            **self.radio_placeholders,
            **self.adding_placeholders,
            **self.new_broker_placeholders,
        }

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
        if road == ROAD_FLASH:
            return await self.async_step_flash()
        if road == ROAD_RESTORE:
            return await self.async_step_restore()
        return self.async_show_menu(
            step_id="user", menu_options=["flash", "existing", "restore"]
        )
