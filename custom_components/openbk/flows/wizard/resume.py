"""Going on with a socket that an earlier wizard left half-written."""

from dataclasses import replace
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
import probatio

from ...const import LOGGER
from ...issues.unfinished import UnfinishedSocket, UnfinishedSockets
from ...network.broker import own_password
from ...pyopenbk.errors import OpenBekenError
from ..broker_form import CONF_USE_OWN_LOGIN, OWN_LOGIN, BrokerForm
from ..forms import BROKER_LOGIN, CONF_SECOND, PASSWORD, WIFI
from .base import WizardFlow

CONF_WIFI_PASSWORD: Final = "wifi_password"
CONF_SECOND_WIFI_PASSWORD: Final = "second_wifi_password"
CONF_BROKER_PASSWORD: Final = "broker_password"


class ResumeSteps(BrokerForm, WizardFlow):
    """Everything is known of such a socket but its passwords, which are never stored."""

    async def async_step_resume(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how far the earlier wizard got."""
        return self.async_show_menu(
            step_id="resume",
            menu_options=["resume_passwords", "pins", "leave"],
            description_placeholders=self.placeholders,
        )

    async def async_step_unreported(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the earlier wizard was left before the socket reported in."""
        return self.async_show_menu(
            step_id="unreported",
            menu_options=["resume_passwords", "pins", "leave"],
            description_placeholders=self.placeholders,
        )

    async def async_step_resume_passwords(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the passwords, and for nothing else."""
        assert self.session.unfinished is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._take_passwords(user_input)
            if not errors:
                return await self._take_up_firmware(self.session.unfinished)
        fields: dict[Any, Any] = {probatio.Optional(CONF_WIFI_PASSWORD): PASSWORD}
        if self.session.settings.wifi2 is not None:
            fields[probatio.Optional(CONF_SECOND_WIFI_PASSWORD)] = PASSWORD
        username = self.session.settings.broker.username
        if username:
            fields[probatio.Optional(CONF_BROKER_PASSWORD)] = PASSWORD
        if own_password(self.hass, username) is not None:
            fields |= OWN_LOGIN
        return self.async_show_form(
            step_id="resume_passwords",
            data_schema=probatio.Schema(fields),
            errors=errors,
            description_placeholders=self.placeholders
            | self.broker_placeholders(self.session.settings.broker),
            last_step=False,
        )

    async def _take_up_firmware(self, unfinished: UnfinishedSocket) -> ConfigFlowResult:
        """Go on with the very file that was being written, or fetch its release again."""
        assert self.session.mac is not None
        kept = await UnfinishedSockets(self.hass).async_firmware(self.session.mac)
        self.session.release = unfinished.release
        if kept is not None:
            try:
                await self.async_take_firmware(kept)
            except OpenBekenError as err:
                LOGGER.debug("Firmware refused: %s", err)
            else:
                return await self.async_step("write_confirm")
        return await self.async_step("releases")

    async def _take_passwords(self, user_input: dict[str, Any]) -> dict[str, str]:
        """Take the passwords where the forms that asked for them first would have kept them."""
        settings = self.session.settings
        first, second = (
            self.session.passwords.take(WIFI, {kept: user_input.get(typed, "")}, kept)
            for kept, typed in (
                (CONF_PASSWORD, CONF_WIFI_PASSWORD),
                (CONF_SECOND, CONF_SECOND_WIFI_PASSWORD),
            )
        )
        wifi = replace(settings.wifi, password=first)
        if problem := wifi.problem:
            return {"base": problem}
        wifi2 = settings.wifi2 and replace(settings.wifi2, password=second)
        if wifi2 is not None and (problem := wifi2.problem):
            return {"base": f"second_{problem}"}
        typed = user_input.get(CONF_BROKER_PASSWORD, "")
        if user_input.get(CONF_USE_OWN_LOGIN) and not typed:
            typed = own_password(self.hass, settings.broker.username) or ""
        password = self.session.passwords.take(
            BROKER_LOGIN, {CONF_PASSWORD: typed}, CONF_PASSWORD
        )
        broker = replace(
            settings.broker, password=password or self.password_of(settings.broker)
        )
        if problem := broker.problem or await self.async_try_broker(broker):
            return {"base": problem}
        self.remember(broker)
        self.session.settings = replace(settings, wifi=wifi, wifi2=wifi2, broker=broker)
        return {}
