"""The questions about one socket: its name, Wi-Fi, broker and clock."""

from dataclasses import replace
import socket
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import (
    CONF_HOST,
    CONF_NAME,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio

from ...const import CONF_CLIENT_ID, CONF_GROUP
from ...flows.forms import tidy
from ...network.broker import (
    Suggestion,
    async_suggest,
    concern_about,
    own_password,
    try_login,
)
from ...pyopenbk.obk.messages import is_client_id
from ...pyopenbk.obk.names import client_id_of
from ...pyopenbk.obk.setup import Broker, SocketSettings, WifiNetwork
from ..forms import opened
from .base import WizardFlow

CONF_SSID: Final = "ssid"
CONF_SECOND: Final = "second"
CONF_USE_OWN_LOGIN: Final = "use_own_login"
CONF_ADVANCED: Final = "advanced"
CONF_NTP: Final = "ntp_server"
CONF_TIME_ZONE: Final = "time_zone"

PASSWORD: Final = TextSelector(
    # Not remembered by the browser: these are other people's passwords to it.
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
)
_PORT: Final = NumberSelector(
    NumberSelectorConfig(min=1, max=65535, step=1, mode=NumberSelectorMode.BOX)
)
_WIFI: Final = probatio.Schema(
    {
        probatio.Required(CONF_SSID): TextSelector(),
        probatio.Optional(CONF_PASSWORD): PASSWORD,
        probatio.Required(CONF_SECOND): section(
            probatio.Schema(
                {
                    probatio.Optional(CONF_SSID): TextSelector(),
                    probatio.Optional(CONF_PASSWORD): PASSWORD,
                }
            ),
            {"collapsed": True},
        ),
    }
)
_NAME: Final = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Required(CONF_ADVANCED): section(
            probatio.Schema(
                {
                    probatio.Required(CONF_CLIENT_ID): TextSelector(),
                    probatio.Required(CONF_GROUP): TextSelector(),
                    probatio.Required(CONF_NTP): TextSelector(),
                    probatio.Required(CONF_TIME_ZONE): TextSelector(),
                }
            ),
            {"collapsed": True},
        ),
    }
)
BROKER: Final = {
    probatio.Required(CONF_HOST): TextSelector(),
    probatio.Required(CONF_PORT): _PORT,
    probatio.Optional(CONF_USERNAME): TextSelector(),
    probatio.Optional(CONF_PASSWORD): PASSWORD,
}
OWN_LOGIN: Final = {
    probatio.Required(CONF_USE_OWN_LOGIN, default=False): BooleanSelector()
}


class NetworkSteps(WizardFlow):
    """The steps that fill in SocketSettings."""

    settings: SocketSettings = SocketSettings()
    _suggestion: Suggestion | None = None
    _accepted_host: str | None = None
    """An address that was questioned once; submitted again unchanged, it is taken."""

    async def async_step_name(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the name, and for what hardly anybody changes."""
        errors: dict[str, str] = {}
        if user_input is None:
            user_input = self._name_suggestions()
        else:
            errors = await self._take_name(user_input)
            if not errors:
                return await self.async_after_name()
        return self.async_show_form(
            step_id="name",
            data_schema=self.add_suggested_values_to_schema(
                opened(_NAME, CONF_ADVANCED) if "base" in errors else _NAME, user_input
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_after_name(self) -> ConfigFlowResult:
        """Go on with the Wi-Fi."""
        return await self.async_step_wifi()

    def _name_suggestions(self) -> dict[str, Any]:
        settings = self._settings_before()
        mac = self._analysis.mac if self._analysis else None
        return {
            CONF_NAME: settings.name,
            CONF_ADVANCED: {
                CONF_CLIENT_ID: settings.client_id
                or (client_id_of(mac) if mac else ""),
                CONF_GROUP: settings.group,
                CONF_NTP: settings.ntp_server,
                CONF_TIME_ZONE: settings.time_zone or self.hass.config.time_zone,
            },
        }

    def _settings_before(self) -> SocketSettings:
        """Return what was chosen so far; a socket that is set up already keeps its names."""
        mac = self._analysis.mac if self._analysis else None
        for entry in self._async_current_entries():
            if entry.unique_id == mac and not self.settings.name:
                return replace(
                    self.settings,
                    name=entry.title,
                    client_id=entry.data[CONF_CLIENT_ID],
                    group=entry.data[CONF_GROUP],
                )
        return self.settings

    async def _take_name(self, user_input: dict[str, Any]) -> dict[str, str]:
        name = tidy(user_input[CONF_NAME])
        advanced = user_input[CONF_ADVANCED]
        client_id, group = tidy(advanced[CONF_CLIENT_ID]), tidy(advanced[CONF_GROUP])
        time_zone = tidy(advanced[CONF_TIME_ZONE])
        server = await self._async_address_of(tidy(advanced[CONF_NTP]))
        if not name:
            return {CONF_NAME: "name_missing"}
        if not is_client_id(client_id) or not is_client_id(group):
            return {"base": "topic_invalid"}
        if client_id == group:
            return {"base": "topic_same"}
        if self._topics_clash(client_id, group):
            return {"base": "topic_taken"}
        if server is None:
            return {"base": "ntp_unknown"}
        if not await self.hass.async_add_executor_job(_is_time_zone, time_zone):
            return {"base": "time_zone_unknown"}
        self.settings = replace(
            self.settings,
            name=name,
            client_id=client_id,
            group=group,
            ntp_server=server,
            time_zone=time_zone,
        )
        return {}

    def _topics_clash(self, client_id: str, group: str) -> bool:
        """Two sockets under one name would throw each other off the broker for ever.

        And a name that is the group of others would make one command switch them all.
        """
        mac = self._analysis.mac if self._analysis else None
        return any(
            client_id in (entry.data.get(CONF_CLIENT_ID), entry.data.get(CONF_GROUP))
            or group == entry.data.get(CONF_CLIENT_ID)
            for entry in self._async_current_entries()
            if entry.unique_id != mac
        )

    async def _async_address_of(self, server: str) -> str | None:
        """Return the IPv4 address of a time server: the firmware looks up no names."""
        if not server:
            return None
        try:
            found = await self.hass.loop.getaddrinfo(
                server, None, family=socket.AF_INET
            )
        except OSError, UnicodeError:
            return None
        return str(found[0][4][0])

    async def async_step_wifi(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for one or two Wi-Fi networks."""
        errors: dict[str, str] = {}
        if user_input is None:
            second = self.settings.wifi2 or WifiNetwork()
            user_input = {
                CONF_SSID: self.settings.wifi.ssid,
                CONF_SECOND: {CONF_SSID: second.ssid},
            }
        else:
            first, second = _wifi(user_input), _wifi(user_input[CONF_SECOND])
            if problem := first.problem:
                errors["base"] = problem
            elif (second.ssid or second.password) and (problem := second.problem):
                errors["base"] = f"second_{problem}"
            else:
                self.settings = replace(
                    self.settings, wifi=first, wifi2=second if second.ssid else None
                )
                return await self.async_step_broker()
        return self.async_show_form(
            step_id="wifi",
            data_schema=self.add_suggested_values_to_schema(
                opened(_WIFI, CONF_SECOND)
                if any(user_input[CONF_SECOND].values())
                else _WIFI,
                user_input,
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_broker(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the broker and try the login before it is written into a chip."""
        errors: dict[str, str] = {}
        if self._suggestion is None:
            self._suggestion = await async_suggest(self.hass)
        if user_input is None:
            broker = self.settings.broker
            if not broker.host:
                broker = self._suggestion.broker
                if self._suggestion.needs_plain_listener:
                    errors["base"] = "broker_needs_plain_listener"
            user_input = {
                CONF_HOST: broker.host,
                CONF_PORT: broker.port,
                CONF_USERNAME: broker.username,
            }
        else:
            errors = await self._take_broker(user_input)
            if not errors:
                return await self.async_step_releases()
        return self.async_show_form(
            step_id="broker",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(BROKER | OWN_LOGIN), user_input
            ),
            errors=errors,
            description_placeholders=self.placeholders
            | {"own_login": self._suggestion.broker.username or "-"},
            last_step=False,
        )

    async def _take_broker(self, user_input: dict[str, Any]) -> dict[str, str]:
        broker = Broker(
            host=tidy(user_input[CONF_HOST]),
            port=int(user_input[CONF_PORT]),
            username=user_input.get(CONF_USERNAME, ""),
            password=user_input.get(CONF_PASSWORD, ""),
        )
        if "://" in broker.host or "/" in broker.host or not broker.host:
            return {CONF_HOST: "broker_not_a_host"}
        concern = concern_about(broker.host)
        if concern is not None and self._accepted_host != broker.host:
            self._accepted_host = broker.host
            return {CONF_HOST: concern}
        if user_input[CONF_USE_OWN_LOGIN] and not broker.password:
            password = own_password(self.hass, broker.username)
            if password is None:
                return {CONF_USERNAME: "broker_login_not_own"}
            broker = replace(broker, password=password)
        problem = await self.hass.async_add_executor_job(try_login, broker)
        if problem is not None:
            return {"base": problem}
        self.settings = replace(self.settings, broker=broker)
        return {}

    async def async_step_releases(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the firmware; the part of the wizard that knows firmware does that."""
        raise NotImplementedError


def _wifi(user_input: dict[str, Any]) -> WifiNetwork:
    # A network's name may begin or end with a blank, so it is taken as typed.
    return WifiNetwork(
        ssid=user_input.get(CONF_SSID, ""), password=user_input.get(CONF_PASSWORD, "")
    )


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except ZoneInfoNotFoundError, ValueError, OSError:
        return False
    return True
