"""Leading a socket to another MQTT broker over its web page: whole and seen there, or as it was."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import TextSelector
import probatio

from ..const import CONF_ADDRESS, CONF_CLIENT_ID, CONF_GROUP, CONF_MAC, DOMAIN, LOGGER
from ..live.snapshots import Before, async_snapshots
from ..network import discovery
from ..network.broker import Concern, async_suggest
from ..network.consoles import SOCKET_ACCESS, console_at
from ..network.watching import async_watch
from ..pyopenbk.foreign_text import markdown_text
from ..pyopenbk.obk import mqtt_settings
from ..pyopenbk.obk.commands import CommandError, CommandProblem
from ..pyopenbk.obk.console import Console, ConsoleError, PasswordError
from ..pyopenbk.obk.mqtt_settings import MqttSettings, SettingsUnknownError
from .broker_form import BROKER, OWN_LOGIN, BrokerForm, login_in
from .checks import console_error, socket_address
from .forms import CONF_CONSENT, CONSENT, WEB_PASSWORD, without

# In seconds of the socket's. It connects anew within 5 s, and says who it is within 12 s more.
_APPEARS_WITHIN: Final = 60.0


class NewBrokerSteps(BrokerForm):
    """The steps from one broker to another; nothing is changed before all of it was checked."""

    _typed: dict[str, Any]
    _console: Console | None = None
    _holds: MqttSettings | None = None
    """What the socket had before, with which it is left where it does not come to the new one."""
    _at: str = ""
    _outcome: str = ""

    @property
    def new_broker_placeholders(self) -> dict[str, str]:
        """Return from where to where the socket is led."""
        if (before := self._holds) is None:
            return {}
        broker = self.session.settings.broker
        return {
            "address": self._at,
            "mac": self._led_mac,
            "old_broker": markdown_text(f"{before.host}:{before.port}"),
            "old_login": self._login(before.username),
            "new_broker": markdown_text(f"{broker.host}:{broker.port}"),
            "new_login": self._login(broker.username),
        }

    async def async_step_new_broker(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where the socket is, and where it is to report from now on."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if self._suggestion is None:
            self._suggestion = await async_suggest(self.hass)
        broker = self._suggestion.broker
        if user_input is None:
            if self._suggestion.needs_plain_listener:
                errors["base"] = "broker_needs_plain_listener"
            self._typed = {
                CONF_ADDRESS: entry.data[CONF_ADDRESS] or "",
                CONF_HOST: broker.host,
                CONF_PORT: broker.port,
                CONF_USERNAME: broker.username,
            }
        else:
            self._typed = user_input
            errors = await self._check_new_broker(user_input)
            if not errors:
                return await self._ask_socket()
        return self._show_new_broker(errors)

    def _show_new_broker(self, errors: dict[str, str]) -> ConfigFlowResult:
        assert self._suggestion is not None
        return self.async_show_form(
            step_id="new_broker",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {probatio.Required(CONF_ADDRESS): TextSelector()}
                    | BROKER
                    | OWN_LOGIN
                ),
                without(self._typed, CONF_PASSWORD),
            ),
            errors=errors,
            description_placeholders=self.placeholders
            | self.broker_placeholders(login_in(self._typed)),
            last_step=False,
        )

    async def _check_new_broker(self, typed: dict[str, Any]) -> dict[str, str]:
        if (address := socket_address(typed[CONF_ADDRESS])) is None:
            return {CONF_ADDRESS: "socket_address_invalid"}
        self._at = address
        if errors := await self.take_broker(typed):
            return errors
        try:
            self._wanted(
                self.session.settings.client_id, self.session.settings.group
            ).check()
        except CommandError as err:
            # What fits into the socket was looked at before; its page has less room for a host.
            if err.problem is CommandProblem.TOO_LONG:
                return {err.field: "broker_host_too_long_here"}
            return {err.field: f"broker_{err.field}_not_storable"}
        return {}

    def _wanted(self, client_id: str, group: str) -> MqttSettings:
        broker = self.session.settings.broker
        return MqttSettings(
            host=broker.host,
            port=broker.port,
            client_id=client_id,
            group=group,
            username=broker.username,
            # Without a name the socket sends no password either.
            password=broker.password if broker.username else "",
        )

    async def _ask_socket(self) -> ConfigFlowResult:
        """Ask for the last word once it is known what the socket has now."""
        if (page := await self._page_of_obstacle()) is not None:
            return page
        if mqtt_settings.needs_address(self.session.settings.broker.password):
            return await self.async_step_new_broker_consent()
        return await self.async_step_new_broker_confirm()

    async def _page_of_obstacle(self) -> ConfigFlowResult | None:
        """Ask who is there, with a password only once it was asked for; return what is in the way."""
        entry = self._get_reconfigure_entry()
        password = self.web_password(self._at)
        try:
            console = console_at(self.hass, self._at, password)
            info = await console.info()
            if not info.is_of(self._led_mac, entry.data[CONF_CLIENT_ID]):
                return self._show_new_broker({CONF_ADDRESS: "address_of_another"})
            self._holds = await mqtt_settings.read(console)
        except SettingsUnknownError:
            return self._show_new_broker({CONF_ADDRESS: "socket_settings_unknown"})
        except PasswordError:
            return self._show_password(wrong=bool(password))
        except ConsoleError as err:
            LOGGER.debug("Broker of %s: %s", entry.title, err)
            return self._show_new_broker({CONF_ADDRESS: console_error(err)})
        self._console = console
        return None

    async def _begin(self) -> ConfigFlowResult:
        """Begin, unless another socket has got the address while somebody thought about it."""
        return await self._page_of_obstacle() or await self.async_step_lead()

    async def async_step_new_broker_password(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the password of the web page; it is kept in the dialog only."""
        self.web_password(self._at, user_input)
        return await self._ask_socket()

    def _show_password(self, *, wrong: bool) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="new_broker_password",
            data_schema=WEB_PASSWORD,
            errors={CONF_PASSWORD: "socket_password"} if wrong else {},
            description_placeholders=self.placeholders | {"address": self._at},
            last_step=False,
        )

    async def async_step_new_broker_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what becomes what."""
        if user_input is not None:
            return await self._begin()
        return self.async_show_form(
            step_id="new_broker_confirm", description_placeholders=self.placeholders
        )

    async def async_step_new_broker_consent(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what becomes what, and ask before a password stands in an address."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_CONSENT]:
                return await self._begin()
            errors[CONF_CONSENT] = "consent_missing"
        return self.async_show_form(
            step_id="new_broker_consent",
            data_schema=CONSENT,
            errors=errors,
            description_placeholders=self.placeholders,
        )

    def _login(self, username: str) -> str:
        return markdown_text(username) if username else self.word("login", "none")

    async def async_step_lead(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write it and wait for the socket on its new broker."""
        return await self.async_try("lead", self._lead, again="new_broker")

    async def _lead(self) -> str:
        # Who closes the dialog now must not leave the socket between two brokers.
        self._outcome = await asyncio.shield(
            self.hass.async_create_task(self._change_broker(), f"{DOMAIN} new broker")
        )
        return "led"

    async def async_step_led(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Tell what became of it."""
        return self.async_abort(
            reason=self._outcome, description_placeholders=self.placeholders
        )

    async def _change_broker(self) -> str:
        """Return the reason to end for; the entry follows a socket that arrived."""
        assert self._console is not None
        assert self._holds is not None
        wanted = self._wanted(self._holds.client_id, self._holds.group)
        await (await async_snapshots(self.hass)).async_keep(
            self._get_reconfigure_entry(), Before.BROKER, self._console
        )
        async with async_watch(
            self.hass, self.session.settings.broker, wanted.client_id, self._led_mac
        ) as seen:
            # From here on nothing may be raised: only where nothing was written does a page say so.
            return await self._move_or_put_back(wanted, seen) or await self._arrive()

    async def _arrive(self) -> str:
        """Let the entry follow a socket that is on its new broker; return the reason to end for."""
        try:
            try:
                here = await self._is_here()
            finally:
                self._follow()
        except Exception:  # noqa: BLE001 - whatever it was, the socket has moved
            LOGGER.exception("Broker of %s, after its move", self._at)
            here = False
        return "reconfigure_successful" if here else "led_elsewhere"

    async def _move_or_put_back(
        self, wanted: MqttSettings, seen: asyncio.Event
    ) -> str | None:
        """Return why the socket is not on the new broker, None where it is."""
        try:
            failure = await self._move(wanted, seen)
        except Exception:  # noqa: BLE001 - whatever it was, the socket is not left in between
            LOGGER.exception("Broker of %s", self._at)
            failure = "led_stopped"
        if failure is None:
            return None
        try:
            return await self._put_back(failure)
        except Exception:  # noqa: BLE001 - whatever it was, nobody knows what the socket has now
            LOGGER.exception("Former broker of %s", self._at)
            return "led_astray"

    async def _move(self, wanted: MqttSettings, seen: asyncio.Event) -> str | None:
        """Write the new settings and wait; return why the socket must have its own back, or None."""
        assert self._console is not None
        access = self.hass.data[SOCKET_ACCESS]
        try:
            await mqtt_settings.write(self._console, wanted, access.sleep)
        except ConsoleError as err:
            LOGGER.debug("Broker of %s: %s", self._at, err)
            return "led_refused"
        try:
            async with asyncio.timeout(_APPEARS_WITHIN / access.speed):
                await seen.wait()
        except TimeoutError:
            # A login may be allowed to speak and not to listen: then Home Assistant does.
            return None if await self._is_here() else "led_back"
        return None

    @property
    def _led_mac(self) -> str:
        mac: str = self._get_reconfigure_entry().data[CONF_MAC]
        return mac

    @property
    def _is_another(self) -> bool:
        """Return whether the rehearsal showed that Home Assistant is not on this broker."""
        host = self.session.settings.broker.host
        return any(
            concern is Concern.ANOTHER and about.host == host
            for concern, about in self._questioned
        )

    async def _is_here(self) -> bool:
        """Return whether Home Assistant is connected to a broker and hears the socket there."""
        assert self._holds is not None
        if self._is_another:
            return False
        try:
            evidence = await discovery.async_gather(self.hass, self._holds.client_id)
        except HomeAssistantError:
            # Brokers are changed while Home Assistant has none, or its MQTT is just being unloaded.
            return False
        return format_mac(evidence.mac or "") == self._led_mac

    async def _put_back(self, outcome: str) -> str:
        """Give the socket back what it had; where that fails, it is in between."""
        assert self._console is not None
        assert self._holds is not None
        try:
            await mqtt_settings.write(
                self._console, self._holds, self.hass.data[SOCKET_ACCESS].sleep
            )
        except ConsoleError as err:
            LOGGER.debug("Former broker of %s: %s", self._at, err)
            return "led_astray"
        return outcome

    def _follow(self) -> None:
        assert self._holds is not None
        entry = self._get_reconfigure_entry()
        self.hass.config_entries.async_update_entry(
            entry,
            data={
                **entry.data,
                CONF_ADDRESS: self._at,
                CONF_CLIENT_ID: self._holds.client_id,
                CONF_GROUP: self._holds.group,
            },
        )
        self.hass.config_entries.async_schedule_reload(entry.entry_id)
