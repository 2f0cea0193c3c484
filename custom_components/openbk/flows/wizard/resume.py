"""Going on with a socket that an earlier wizard left half-written."""

from dataclasses import replace
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
import probatio

from ...network.broker import own_password
from ...pyopenbk.backups import Contents
from ...pyopenbk.obk.setup import SocketSettings, WifiNetwork
from .firmware import FirmwareSteps
from .link import LinkSteps
from .network import (
    BROKER_LOGIN,
    CONF_SECOND,
    CONF_USE_OWN_LOGIN,
    OWN_LOGIN,
    PASSWORD,
    WIFI,
    NetworkSteps,
)
from .pins import PinSteps
from .unfinished import UnfinishedSocket, UnfinishedSockets

CONF_WIFI_PASSWORD: Final = "wifi_password"
CONF_SECOND_WIFI_PASSWORD: Final = "second_wifi_password"
CONF_BROKER_PASSWORD: Final = "broker_password"

_UNFINISHED: Final = {
    Contents.HALF_WRITTEN: "resume",
    Contents.OPENBEKEN: "unreported",
}


class ResumeSteps(LinkSteps, FirmwareSteps, NetworkSteps, PinSteps):
    """Everything is known of such a socket but its passwords, which are never stored."""

    _unfinished: UnfinishedSocket | None = None

    @override
    async def async_next_after_reading(self) -> str:
        """Offer to go on where the earlier wizard stopped."""
        assert self._analysis is not None
        self._take_what_it_had()
        mac = self._analysis.mac
        page = _UNFINISHED.get(self._analysis.state)
        if self._analysis.mac_is_generic:
            # Which of the chips with this address it is, nobody knows.
            page = None
        if page is not None and mac is not None:
            self._unfinished = await UnfinishedSockets(self.hass).async_find(mac)
        if page == "unreported" and mac in self._async_current_ids():
            # It was discovered after its wizard had been left.
            self._unfinished = None
        if page is None or self._unfinished is None:
            return await super().async_next_after_reading()
        self.take_pins(self._unfinished.profile, "attempt")
        self.settings = replace(self._unfinished.settings, before=self._analysis.config)
        self._keep_passwords_of(self.settings)
        return page

    def _take_what_it_had(self) -> None:
        """Fill in what a socket that runs OpenBeken is set to, where nothing was typed yet."""
        assert self._analysis is not None
        config, typed = self._analysis.config, self.settings
        self.settings = replace(typed, before=config)
        if config is None:
            return
        had = SocketSettings.of(config)
        mac = (self._analysis.mac or "").replace(":", "")
        if config.mac not in (bytes(len(config.mac)), bytes.fromhex(mac)):
            # The configuration was copied from another socket, which goes on with its topic.
            had = replace(had, client_id="")
        if typed.wifi.ssid:
            # This is the next socket of a dialog that knows the network already.
            topic = typed.client_id or had.client_id
            self.settings = replace(self.settings, client_id=topic)
            return
        self.settings = replace(
            had,
            client_id=typed.client_id or had.client_id,
            group=typed.group if typed.client_id else had.group,
        )
        self._keep_passwords_of(self.settings)

    def _keep_passwords_of(self, settings: SocketSettings) -> None:
        """Let an empty field mean the password that the chip holds for this very network."""
        if settings.before is None:
            return
        had = SocketSettings.of(settings.before)
        second, had_second = settings.wifi2 or WifiNetwork(), had.wifi2 or WifiNetwork()
        for form, field, same, password in (
            (
                WIFI,
                CONF_PASSWORD,
                settings.wifi.ssid == had.wifi.ssid,
                had.wifi.password,
            ),
            (WIFI, CONF_SECOND, second.ssid == had_second.ssid, had_second.password),
            (
                BROKER_LOGIN,
                CONF_PASSWORD,
                settings.broker.username == had.broker.username,
                had.broker.password,
            ),
        ):
            if same:
                self.passwords.keep(form, field, password)

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
        assert self._unfinished is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._take_passwords(user_input)
            if not errors:
                return await self._take_up_firmware(self._unfinished)
        fields: dict[Any, Any] = {probatio.Optional(CONF_WIFI_PASSWORD): PASSWORD}
        if self.settings.wifi2 is not None:
            fields[probatio.Optional(CONF_SECOND_WIFI_PASSWORD)] = PASSWORD
        username = self.settings.broker.username
        if username:
            fields[probatio.Optional(CONF_BROKER_PASSWORD)] = PASSWORD
        if own_password(self.hass, username) is not None:
            fields |= OWN_LOGIN
        return self.async_show_form(
            step_id="resume_passwords",
            data_schema=probatio.Schema(fields),
            errors=errors,
            description_placeholders=self.placeholders | {"own_login": username or "-"},
            last_step=False,
        )

    async def _take_up_firmware(self, unfinished: UnfinishedSocket) -> ConfigFlowResult:
        """Go on with the very file that was being written, or fetch its release again."""
        assert self._analysis is not None
        assert self._analysis.mac is not None
        kept = await UnfinishedSockets(self.hass).async_firmware(self._analysis.mac)
        self.release = unfinished.release
        if kept is not None and await self.async_take_firmware(kept) is None:
            return await self.async_step_write_confirm()
        return await self.async_step_releases()

    async def _take_passwords(self, user_input: dict[str, Any]) -> dict[str, str]:
        """Take the passwords where the forms that asked for them first would have kept them."""
        settings = self.settings
        first, second = (
            self.passwords.take(WIFI, {kept: user_input.get(typed, "")}, kept)
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
        password = self.passwords.take(
            BROKER_LOGIN, {CONF_PASSWORD: typed}, CONF_PASSWORD
        )
        broker = replace(settings.broker, password=password)
        if problem := broker.problem or await self.async_try_broker(broker):
            return {"base": problem}
        self.settings = replace(settings, wifi=wifi, wifi2=wifi2, broker=broker)
        return {}
