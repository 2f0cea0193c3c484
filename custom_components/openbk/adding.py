"""Adding a socket that already runs OpenBeken: by hand, or because it was discovered."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import TextSelector
from homeassistant.helpers.service_info.dhcp import DhcpServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
import probatio

from .const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_FIRMWARE,
    CONF_GROUP,
    CONF_MAC,
    CONF_PROFILE,
    CONF_TUNED,
    LOGGER,
)
from .flash_flow import pin_form
from .flash_flow.network import PASSWORD
from .flash_flow.restore import RestoreSteps
from .flash_flow.settings import tidy
from .pyopenbk.obk.console import (
    Console,
    ConsoleError,
    NotAnAnswerError,
    PasswordError,
    UnreachableError,
)
from .pyopenbk.obk.messages import (
    chip_of,
    decode_mac,
    is_build,
    is_client_id,
    publish_all,
)
from .pyopenbk.obk.provisioning import DEFAULT_GROUP

CHIP: Final = "BK7231N"
# The socket lists one item a second: host, build and mac come first, its address twelfth.
_ANSWER_TIME: Final = 16.0
_CONSOLE_ERRORS: Final = {
    UnreachableError: "socket_unreachable",
    PasswordError: "socket_password",
    NotAnAnswerError: "socket_not_openbeken",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSocket:
    """A socket that runs OpenBeken, as far as it has said who it is."""

    mac: str
    client_id: str
    build: str
    address: str | None


class AddingSteps(RestoreSteps):
    """The steps from a socket that runs to its entry."""

    _found: RunningSocket | None = None
    _password: str | None = None
    _adding: bool = False

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add who was found."""
        values = super().placeholders
        if (found := self._found) is not None:
            values |= {
                "name": found.client_id,
                "mac": found.mac,
                "build": found.build,
                "address": found.address or "?",
            }
        return values

    async def async_step_existing(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the socket is to be found."""
        await self.async_prepare()
        if not await mqtt.async_wait_for_mqtt_client(self.hass):
            return self.show_page("existing_mqtt_missing")
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._find(user_input)
            if not errors:
                return await self._take_found()
        return self.async_show_form(
            step_id="existing",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Optional(CONF_ADDRESS): TextSelector(),
                        probatio.Optional(CONF_CLIENT_ID): TextSelector(),
                        probatio.Optional(CONF_PASSWORD): PASSWORD,
                    }
                ),
                user_input,
            ),
            errors=errors,
            description_placeholders=self.placeholders,
        )

    async def _find(self, user_input: dict[str, Any]) -> dict[str, str]:
        self._password = user_input.get(CONF_PASSWORD) or None
        if address := tidy(user_input.get(CONF_ADDRESS, "")):
            try:
                info = await self._console(address).info()
            except ConsoleError as err:
                LOGGER.debug("Socket at %s: %s", address, err)
                return {CONF_ADDRESS: _console_error(err)}
            if info.chip != CHIP:
                return {CONF_ADDRESS: "socket_other_chip"}
            self._found = RunningSocket(
                mac=format_mac(info.mac),
                client_id=info.client_id,
                build=info.build,
                address=address,
            )
            return {}
        client_id = tidy(user_input.get(CONF_CLIENT_ID, ""))
        if not client_id:
            return {"base": "socket_missing"}
        if not is_client_id(client_id):
            return {CONF_CLIENT_ID: "topic_invalid"}
        self._found = await async_ask(self.hass, client_id)
        return {} if self._found else {CONF_CLIENT_ID: "socket_silent"}

    def _console(self, address: str) -> Console:
        host, _, port = address.partition(":")
        return Console(
            host, int(port) if port.isdecimal() else 80, password=self._password
        )

    async def _take_found(self) -> ConfigFlowResult:
        """Refuse a socket that is here already, else find out its pins."""
        assert self._found is not None
        await self.async_set_unique_id(self._found.mac)
        self._abort_if_unique_id_configured(updates=self._updates(self._found))
        return await self.async_step_read_pins()

    @callback
    def _updates(self, found: RunningSocket) -> dict[str, Any]:
        updates: dict[str, Any] = {CONF_CLIENT_ID: found.client_id}
        if found.address is not None:
            updates[CONF_ADDRESS] = found.address
        return updates

    async def async_step_read_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the socket for its pins over HTTP, with a password where it has one."""
        assert self._found is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            self._password = user_input.get(CONF_PASSWORD) or None
        self._adding = True
        if self._found.address is None:
            return self.show_page("no_pins_closed")
        try:
            self.profile = await self._console(self._found.address).pins()
        except PasswordError:
            if self._password is not None:
                errors[CONF_PASSWORD] = "socket_password"
        except ConsoleError as err:
            LOGGER.debug("Pins of %s: %s", self._found.client_id, err)
            return self.show_page("no_pins_closed")
        else:
            if pin_form.problem_of(self.profile):
                return self.show_page("pins_incomplete")
            return self._create()
        return self.async_show_form(
            step_id="read_pins",
            data_schema=probatio.Schema({probatio.Required(CONF_PASSWORD): PASSWORD}),
            errors=errors,
            description_placeholders=self.placeholders,
        )

    @override
    async def async_step_use_pins(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the entry where the socket runs already."""
        return self._create() if self._adding else await super().async_step_use_pins()

    def _create(self) -> ConfigFlowResult:
        assert self._found is not None
        assert self.profile is not None
        return self.async_create_entry(
            title=self._found.client_id,
            data={
                CONF_MAC: self._found.mac,
                CONF_CLIENT_ID: self._found.client_id,
                CONF_GROUP: DEFAULT_GROUP,
                CONF_PROFILE: self.profile.as_dict(),
                CONF_ADDRESS: self._found.address,
                CONF_FIRMWARE: self._found.build,
                CONF_TUNED: False,
            },
        )

    async def async_step_mqtt(
        self, discovery_info: MqttServiceInfo
    ) -> ConfigFlowResult:
        """Look at a message on a build topic; anything but a new socket ends at once."""
        build = str(discovery_info.payload)
        client_id, _, rest = discovery_info.topic.partition("/")
        if rest != "build" or not is_build(build) or chip_of(build) != CHIP:
            return self.async_abort(reason="not_openbeken")
        if self._is_known(client_id):
            return self.async_abort(reason="already_configured")
        found = await async_ask(self.hass, client_id)
        if found is None:
            return self.async_abort(reason="not_openbeken")
        return await self._show_discovered(found)

    def _is_known(self, client_id: str) -> bool:
        """Return whether an entry or another flow has this socket."""
        return any(
            entry.data.get(CONF_CLIENT_ID) == client_id
            for entry in self._async_current_entries()
        )

    async def _show_discovered(self, found: RunningSocket) -> ConfigFlowResult:
        await self.async_prepare()
        self._found = found
        await self.async_set_unique_id(found.mac)
        self._abort_if_unique_id_configured(updates=self._updates(found))
        self.context["title_placeholders"] = {"name": found.client_id}
        return await self.async_step_discovery_confirm()

    async def async_step_discovery_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether the socket that was discovered is to be added."""
        if user_input is not None:
            return await self.async_step_read_pins()
        self._set_confirm_only()
        return self.async_show_form(
            step_id="discovery_confirm", description_placeholders=self.placeholders
        )

    async def async_step_dhcp(
        self, discovery_info: DhcpServiceInfo
    ) -> ConfigFlowResult:
        """Take the new address of a known socket, or ask a new host who it is."""
        await self.async_set_unique_id(format_mac(discovery_info.macaddress))
        self._abort_if_unique_id_configured(updates={CONF_ADDRESS: discovery_info.ip})
        try:
            info = await Console(discovery_info.ip).info()
        except ConsoleError:
            return self.async_abort(reason="not_openbeken")
        if info.chip != CHIP:
            return self.async_abort(reason="not_openbeken")
        return await self._show_discovered(
            RunningSocket(
                mac=format_mac(info.mac),
                client_id=info.client_id,
                build=info.build,
                address=discovery_info.ip,
            )
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Follow a socket whose topics or address were changed on its own pages."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._check_moved(entry, user_input)
            if not errors:
                return self.async_update_reload_and_abort(
                    entry,
                    data_updates={
                        CONF_CLIENT_ID: tidy(user_input[CONF_CLIENT_ID]),
                        CONF_GROUP: tidy(user_input[CONF_GROUP]),
                        CONF_ADDRESS: tidy(user_input.get(CONF_ADDRESS, "")) or None,
                    },
                )
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {
                        probatio.Required(CONF_CLIENT_ID): TextSelector(),
                        probatio.Required(CONF_GROUP): TextSelector(),
                        probatio.Optional(CONF_ADDRESS): TextSelector(),
                    }
                ),
                user_input or entry.data,
            ),
            errors=errors,
        )

    async def _check_moved(
        self, entry: ConfigEntry, user_input: dict[str, Any]
    ) -> dict[str, str]:
        client_id, group = (
            tidy(user_input[CONF_CLIENT_ID]),
            tidy(user_input[CONF_GROUP]),
        )
        if not is_client_id(client_id) or not is_client_id(group):
            return {"base": "topic_invalid"}
        if client_id == group:
            return {"base": "topic_same"}
        if client_id == entry.data[CONF_CLIENT_ID]:
            return {}
        if self._is_known(client_id):
            return {"base": "topic_taken"}
        found = await async_ask(self.hass, client_id)
        if found is None:
            return {CONF_CLIENT_ID: "socket_silent"}
        if found.mac != entry.unique_id:
            return {CONF_CLIENT_ID: "socket_other"}
        return {}


async def async_ask(hass: HomeAssistant, client_id: str) -> RunningSocket | None:
    """Ask whoever has this client id who it is; None where no OpenBeken answers in time."""
    heard: dict[str, str] = {}
    complete = asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        heard[message.topic.rpartition("/")[2]] = str(message.payload)
        if {"mac", "build", "ip"} <= heard.keys():
            complete.set()

    with ExitStack() as subscriptions:
        for item in ("mac", "build", "ip"):
            subscriptions.callback(
                await mqtt.async_subscribe(hass, f"{client_id}/{item}", received)
            )
        question = publish_all(client_id)
        await mqtt.async_publish(hass, question.topic, question.payload, 1, False)
        try:
            async with asyncio.timeout(_ANSWER_TIME):
                await complete.wait()
        except TimeoutError:
            LOGGER.debug("%s told only %s", client_id, ", ".join(sorted(heard)))
    mac, build = decode_mac(heard.get("mac", "")), heard.get("build", "")
    if mac is None or not is_build(build) or chip_of(build) != CHIP:
        return None
    return RunningSocket(
        mac=format_mac(mac), client_id=client_id, build=build, address=heard.get("ip")
    )


def _console_error(err: ConsoleError) -> str:
    return _CONSOLE_ERRORS.get(type(err), "socket_not_openbeken")
