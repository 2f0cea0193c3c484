"""The questions about one socket: its name, Wi-Fi, broker and clock."""

from collections.abc import Mapping
from dataclasses import replace
import socket
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import (
    CONF_HOST,
    CONF_NAME,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector, TextSelector
import probatio

from ...const import CONF_CLIENT_ID, CONF_GROUP, CONF_MAC, CONF_MODEL, CONF_TIME_ZONE
from ...network.broker import async_suggest
from ...network.discovery import async_mac_on
from ...network.mqtt import NotConnectedError
from ...pyopenbk.beken.rf_sector import is_generic_mac
from ...pyopenbk.foreign_text import markdown_text, one_line
from ...pyopenbk.obk.names import client_id_of
from ...pyopenbk.obk.provisioning import DEFAULT_GROUP
from ...pyopenbk.obk.setup import SocketSettings, WifiNetwork
from ..broker_form import BROKER, OWN_LOGIN, BrokerForm, login_in
from ..checks import topics_problem
from ..forms import CONF_SECOND, PASSWORD, WIFI, opened, tidy, without
from . import route
from .base import WizardFlow

CONF_SSID: Final = "ssid"
CONF_OPEN: Final = "open"
CONF_ADVANCED: Final = "advanced"
CONF_NTP: Final = "ntp_server"

_LONGEST_MODEL: Final = 64

_NAME: Final = probatio.Schema(
    {
        probatio.Required(CONF_NAME): TextSelector(),
        probatio.Optional(CONF_MODEL): TextSelector(),
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


class NetworkSteps(BrokerForm, WizardFlow):
    """The steps that fill in SocketSettings."""

    _asked_for_password: bool = False

    @property
    def network_placeholders(self) -> dict[str, str]:
        """Return what an empty field for a password means."""
        return {
            **self._known_wifi_placeholders,
            "wifi_password": self.kept(WIFI, CONF_PASSWORD),
            "second_wifi_password": self.kept(WIFI, CONF_SECOND),
        }

    @property
    def _known_wifi_placeholders(self) -> dict[str, str]:
        if (known := self.session.factory_wifi) is None:
            return {}
        password = self.word("known_wifi", "password" if known.password else "open")
        return {
            "known_wifi": markdown_text(known.ssid),
            "known_wifi_password": password,
        }

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
                return await self.async_step(route.after_name(self.session))
        return self.async_show_form(
            step_id="name",
            data_schema=self.add_suggested_values_to_schema(
                opened(_NAME, CONF_ADVANCED) if "base" in errors else _NAME, user_input
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _name_suggestions(self) -> dict[str, Any]:
        settings = self._settings_before()
        mac = self.session.mac
        return {
            CONF_NAME: settings.name,
            CONF_MODEL: settings.model,
            CONF_ADVANCED: {
                CONF_CLIENT_ID: settings.client_id
                or (client_id_of(mac) if mac else ""),
                CONF_GROUP: self.session.chip.group
                if settings.group == DEFAULT_GROUP
                else settings.group,
                CONF_NTP: settings.ntp_server,
                CONF_TIME_ZONE: settings.time_zone or self.hass.config.time_zone,
            },
        }

    def _settings_before(self) -> SocketSettings:
        """Return what was chosen so far; a socket that is set up already keeps its names."""
        entry = self._own_entry
        if entry is None or self.session.settings.name:
            return self.session.settings
        return replace(
            self.session.settings,
            name=entry.title,
            model=self.session.settings.model or entry.data.get(CONF_MODEL) or "",
            client_id=entry.data[CONF_CLIENT_ID],
            group=entry.data[CONF_GROUP],
            time_zone=entry.data.get(CONF_TIME_ZONE, ""),
        )

    @property
    def _own_entry(self) -> ConfigEntry | None:
        """Return the entry of the connected socket; of one with a default MAC it was said to be."""
        mac = self.session.mac
        for entry in self._async_current_entries():
            if mac is not None and entry.data.get(CONF_MAC) == mac:
                return entry
        return None

    async def _take_name(self, user_input: dict[str, Any]) -> dict[str, str]:
        name = tidy(user_input[CONF_NAME])
        advanced = user_input[CONF_ADVANCED]
        client_id, group = tidy(advanced[CONF_CLIENT_ID]), tidy(advanced[CONF_GROUP])
        time_zone = tidy(advanced[CONF_TIME_ZONE])
        server = await self._async_address_of(tidy(advanced[CONF_NTP]))
        if not name:
            return {CONF_NAME: "name_missing"}
        own = self._own_entry
        if problem := topics_problem(self.hass, client_id, group, own=own):
            return {"base": problem}
        if await self._is_anothers(client_id):
            return {"base": "topic_taken"}
        if server is None:
            return {"base": "ntp_unknown"}
        if not await self.hass.async_add_executor_job(_is_time_zone, time_zone):
            return {"base": "time_zone_unknown"}
        self.session.settings = replace(
            self.session.settings,
            name=name,
            model=one_line(tidy(user_input.get(CONF_MODEL, "")))[:_LONGEST_MODEL],
            client_id=client_id,
            group=group,
            ntp_server=server,
            time_zone=time_zone,
        )
        return {}

    async def _is_anothers(self, client_id: str) -> bool:
        """Return whether a socket that is not set up here speaks on this topic now."""
        own = self._own_entry
        if own is not None and own.data[CONF_CLIENT_ID] == client_id:
            return False
        try:
            mac = await async_mac_on(self.hass, client_id)
        except NotConnectedError:
            return False
        # Nobody speaks for the connected chip, which is in its boot ROM.
        return mac is not None and (mac != self.session.mac or is_generic_mac(mac))

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

    async def async_step_known_wifi(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the network that the chip was in; its password is used unseen, and only if asked to."""
        return self.async_show_menu(
            step_id="known_wifi",
            menu_options=["use_known_wifi", "wifi"],
            description_placeholders=self.placeholders,
        )

    async def async_step_use_known_wifi(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the network that the chip was in."""
        known = self.session.factory_wifi
        assert known is not None
        self.session.passwords.keep(WIFI, CONF_PASSWORD, known.password)
        self.session.settings = replace(self.session.settings, wifi=known)
        return await self.async_step_broker()

    async def async_step_wifi(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for one or two Wi-Fi networks."""
        errors: dict[str, str] = {}
        if user_input is None:
            second = self.session.settings.wifi2 or WifiNetwork()
            user_input = {
                CONF_SSID: self.session.settings.wifi.ssid,
                CONF_SECOND: {CONF_SSID: second.ssid},
            }
        else:
            first = self._wifi(user_input, CONF_PASSWORD)
            second = self._wifi(user_input[CONF_SECOND], CONF_SECOND)
            if problem := first.problem or self._forgotten(first):
                errors["base"] = problem
            elif (second.ssid or second.password) and (problem := second.problem):
                errors["base"] = f"second_{problem}"
            else:
                self.session.settings = replace(
                    self.session.settings,
                    wifi=first,
                    wifi2=second if second.ssid else None,
                )
                return await self.async_step_broker()
        schema = self._wifi_schema()
        return self.async_show_form(
            step_id="wifi",
            data_schema=self.add_suggested_values_to_schema(
                opened(schema, CONF_SECOND)
                if any(user_input[CONF_SECOND].values())
                else schema,
                without(user_input, CONF_PASSWORD, CONF_OPEN),
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    def _forgotten(self, network: WifiNetwork) -> str | None:
        """Return the key of a question, once: the chip has a password for this network."""
        known, asked = self.session.factory_wifi, self._asked_for_password
        if known is None or not known.password or network.password or asked:
            return None
        self._asked_for_password = network.ssid == known.ssid
        return "wifi_needs_password" if self._asked_for_password else None

    def _wifi(self, typed: Mapping[str, Any], field: str) -> WifiNetwork:
        # A network's name may begin or end with a blank, so it is taken as typed.
        ssid = typed.get(CONF_SSID, "")
        if typed.get(CONF_OPEN) or (field == CONF_SECOND and not ssid):
            self.session.passwords.keep(WIFI, field, "")
        password = self.session.passwords.take(
            WIFI, {field: typed.get(CONF_PASSWORD, "")}, field
        )
        return WifiNetwork(ssid=ssid, password=password)

    def _wifi_schema(self) -> probatio.Schema:
        """Return the form; only who has given a password can say that there is none."""

        def network(field: str) -> dict[Any, Any]:
            fields: dict[Any, Any] = {probatio.Optional(CONF_PASSWORD): PASSWORD}
            if self.session.passwords.knows(WIFI, field):
                tick = probatio.Required(CONF_OPEN, default=False)
                fields[tick] = BooleanSelector()
            return fields

        return probatio.Schema(
            {
                probatio.Required(CONF_SSID): TextSelector(),
                **network(CONF_PASSWORD),
                probatio.Required(CONF_SECOND): section(
                    probatio.Schema(
                        {
                            probatio.Optional(CONF_SSID): TextSelector(),
                            **network(CONF_SECOND),
                        }
                    ),
                    {"collapsed": True},
                ),
            }
        )

    async def async_step_broker(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the broker, and do there what the socket will do, before it is written."""
        errors: dict[str, str] = {}
        if self._suggestion is None:
            self._suggestion = await async_suggest(self.hass)
        if user_input is None:
            broker = self.session.settings.broker
            if not broker.host and (last := self.last_broker) is not None:
                broker = last
            elif not broker.host:
                broker = self._suggestion.broker
                if self._suggestion.needs_plain_listener:
                    errors["base"] = "broker_needs_plain_listener"
            user_input = {
                CONF_HOST: broker.host,
                CONF_PORT: broker.port,
                CONF_USERNAME: broker.username,
            }
        else:
            errors = await self.take_broker(user_input)
            if not errors:
                return await self.async_step(route.after_settings(self.session))
        return self.async_show_form(
            step_id="broker",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(BROKER | OWN_LOGIN), without(user_input, CONF_PASSWORD)
            ),
            errors=errors,
            description_placeholders=self.placeholders
            | self.broker_placeholders(login_in(user_input)),
            last_step=False,
        )


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except ZoneInfoNotFoundError, ValueError, OSError:
        return False
    return True
