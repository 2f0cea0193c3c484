"""From the last confirmation to a socket that has reported in."""

from dataclasses import replace
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_IMPORT, ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.core import callback
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.selector import BooleanSelector
from homeassistant.util import dt as dt_util
import probatio

from ..const import (
    CONF_ADDRESS,
    CONF_CLIENT_ID,
    CONF_FIRMWARE,
    CONF_GROUP,
    CONF_MAC,
    CONF_PROFILE,
    CONF_TUNED,
    DOMAIN,
)
from ..pyopenbk.flashing import ChipState
from . import pin_form
from .arrival import Arrival, async_find_in_network
from .resume import ResumeSteps
from .settings import WifiNetwork
from .unfinished import UnfinishedSocket, UnfinishedSockets

CONF_ANOTHER: Final = "another"

# It tries Wi-Fi 5 s after power comes and the broker 3 s later; both are repeated.
_TURN: Final = 90.0
_GLANCE: Final = 2.0
_ASK_EVERY: Final = 10.0


class WriteSteps(ResumeSteps):
    """The steps that change the chip, and those that wait for what came of it."""

    _arrival: Arrival | None = None
    _another: bool = False
    """The next socket is to be flashed with the same settings."""
    _added: str = ""
    _same_settings: bool = False
    """They are those of a socket that has reported in."""

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add what will be written."""
        settings = self.settings
        second = settings.wifi2 or WifiNetwork()
        return super().placeholders | {
            "name": settings.name,
            "client_id": settings.client_id,
            "added": self._added,
            "wifi": " / ".join(filter(None, (settings.wifi.ssid, second.ssid))),
            "broker": f"{settings.broker.host}:{settings.broker.port}",
            "access_point": self._long_name,
            "access_point_code": _wifi_code(self._long_name),
        }

    @property
    def _mac(self) -> str:
        assert self._analysis is not None
        assert self._analysis.mac is not None
        return self._analysis.mac

    @property
    def _long_name(self) -> str:
        if self._analysis is None or self._analysis.mac is None:
            return "OpenBK7231N_…"
        return f"OpenBK7231N_{self._mac.replace(':', '').upper()[-8:]}"

    @override
    async def async_step_releases(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Skip the firmware when it was chosen before and only settings were corrected."""
        if self.image is not None:
            return await self.async_step_write_confirm()
        return await super().async_step_releases(user_input)

    @override
    async def async_step_write_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sum up; from here on the chip is changed."""
        if user_input is not None:
            # Another wizard or a discovery of the same socket must not finish before this one.
            await self.async_set_unique_id(
                format_mac(self._mac), raise_on_progress=False
            )
            self._expected_mac = self._mac
            if self._job is None:
                return await self.async_step_search()
            return await self.async_step_write()
        return self.async_show_form(
            step_id="write_confirm",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write application and configuration, prove both, and start the socket."""
        return await self.async_run("write", self._write)

    async def _write(self) -> str:
        assert self.image is not None
        assert self.profile is not None
        config = self.settings.configuration(self.profile, self._mac, dt_util.utcnow())
        await UnfinishedSockets(self.hass).async_remember(
            self._mac,
            UnfinishedSocket(
                profile=self.profile,
                settings=self.settings,
                release=self._chosen.version if self._chosen else None,
            ),
        )
        await self.job.write(self.image, config)
        self._note_chip_state()
        await self._listen()
        await self.job.start()
        await self.async_close_job()
        return "reassemble"

    async def _listen(self) -> None:
        self._stop_listening()
        self._arrival = Arrival(self.hass, self.settings.client_id, self._mac)
        await self._arrival.async_listen()

    @callback
    def _stop_listening(self) -> None:
        if self._arrival is not None:
            self._arrival.async_stop()

    async def async_step_reassemble(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the wires taken off and the case closed before the socket is plugged in."""
        if user_input is not None:
            self._another = user_input[CONF_ANOTHER]
            return await self.async_step_wait()
        return self.async_show_form(
            step_id="reassemble",
            data_schema=probatio.Schema(
                {probatio.Required(CONF_ANOTHER, default=False): BooleanSelector()}
            ),
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Wait for the socket for one turn."""
        return await self.async_run("wait", self._wait)

    async def _wait(self) -> str:
        assert self._arrival is not None
        started = self.hass.loop.time()
        asked = started
        while not await self._arrival.async_wait(_GLANCE):
            now = self.hass.loop.time()
            if now - started >= _TURN:
                return await self._what_is_known()
            if self._arrival.online and now - asked >= _ASK_EVERY:
                asked = now
                await self._arrival.async_ask()
            self.show_fraction((now - started) / _TURN)
        return "finish"

    async def _what_is_known(self) -> str:
        found = await async_find_in_network(self.hass, self._long_name)
        return "waiting_network_only" if found else "waiting_nothing"

    async def async_step_access_point(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain how the socket is made to open its own access point."""
        if user_input is not None:
            return await self.async_step_wait()
        return self.async_show_form(
            step_id="access_point",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_change_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Correct Wi-Fi and broker and write the configuration over UART again."""
        return await self.async_step_wifi()

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Make the entry of a socket that has reported in; nothing secret is in it."""
        assert self._arrival is not None
        assert self.profile is not None
        data = {
            CONF_MAC: format_mac(self._mac),
            CONF_CLIENT_ID: self.settings.client_id,
            CONF_GROUP: self.settings.group,
            CONF_PROFILE: self.profile.as_dict(),
            CONF_ADDRESS: self._arrival.address,
            CONF_FIRMWARE: self._arrival.build,
            CONF_TUNED: True,
        }
        await UnfinishedSockets(self.hass).async_forget(self._mac)
        if self._another:
            return await self._add_and_go_on(data)
        entry = await self.async_set_unique_id(
            format_mac(self._mac), raise_on_progress=False
        )
        if entry is not None:
            return self.async_update_reload_and_abort(
                entry, title=self.settings.name, data=data, reason="reflashed"
            )
        return self.async_create_entry(
            title=self.settings.name,
            data=data,
            description_placeholders={
                "socket": pin_form.summary(self.profile, self.word)
            },
        )

    async def _add_and_go_on(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Have another flow make the entry, since a flow ends with its own."""
        await self.async_set_unique_id(None)
        await self.hass.config_entries.flow.async_init(
            DOMAIN,
            context={"source": SOURCE_IMPORT},
            data={CONF_NAME: self.settings.name} | data,
        )
        added = self.settings.name
        self._stop_listening()
        self._arrival = self._analysis = self._backup = None
        self.profile = self._reading = self._expected_mac = None
        self._chip_state = ChipState.UNTOUCHED
        self._another, self._same_settings = False, True
        self.settings = replace(self.settings, name="", client_id="")
        self._added = added
        return await self.async_step_next_socket()

    async def async_step_import(self, import_data: dict[str, Any]) -> ConfigFlowResult:
        """Make the entry of a socket whose wizard goes on with the next one."""
        data = dict(import_data)
        title = data.pop(CONF_NAME)
        entry = await self.async_set_unique_id(data[CONF_MAC], raise_on_progress=False)
        if entry is not None:
            return self.async_update_reload_and_abort(
                entry, title=title, data=data, reason="reflashed"
            )
        return self.async_create_entry(title=title, data=data)

    async def async_step_next_socket(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the next socket opened and wired."""
        if user_input is not None:
            return await self.async_step_search()
        return self.async_show_form(
            step_id="next_socket",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    @override
    async def async_after_name(self) -> ConfigFlowResult:
        """Ask for nothing that the socket before has proven."""
        if self._same_settings:
            return await self.async_step_write_confirm()
        return await super().async_after_name()

    @callback
    @override
    def async_remove(self) -> None:
        """Stop listening and release the port."""
        self._stop_listening()
        super().async_remove()


def _wifi_code(name: str) -> str:
    """Return the HTML of a QR code that lets a phone join the socket's open access point."""
    return f'<ha-qr-code data="WIFI:S:{name};T:nopass;;" scale="4"></ha-qr-code>'
