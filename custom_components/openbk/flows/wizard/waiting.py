"""From a written chip to a socket that has reported in, and its entry."""

from contextlib import suppress
from datetime import datetime
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_IMPORT, ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.core import CALLBACK_TYPE, HassJob, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.selector import BooleanSelector
import probatio

from ...const import CONF_CLIENT_ID, CONF_MAC, DOMAIN, LOGGER
from ...issues.unfinished import UnfinishedSockets
from ...live.entries import async_identity_of
from ...network.broker import BrokerProblem, async_rehearse
from ...network.silence import Cause, async_diagnose
from ...pyopenbk.flashing import ChipState
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.obk import config_sector
from .. import pictures
from .arrival import Arrival, async_find_differences, async_find_in_network, waiting
from .base import WizardFlow
from .entry_data import async_tell_factors, entry_data, reflashed_data
from .left import async_dismiss, async_expect

CONF_ANOTHER: Final = "another"


class WaitSteps(WizardFlow):
    """The steps that wait for what came of a written chip, and make its entry."""

    _another: bool = False
    """The next socket is to be flashed with the same settings."""
    _added: str = ""
    """The name of the last socket whose entry another flow has made for this one."""
    _abandoned: CALLBACK_TYPE | None = None

    @property
    def wait_placeholders(self) -> dict[str, str]:
        """Return what came of what was written."""
        session = self.session
        sighting, differences = session.sighting, session.differences
        return {
            "added": markdown_text(self._added),
            "access_point": markdown_text(session.long_name),
            "differences": "\n".join(
                f"- {self.word('difference', key)}"
                for key in (differences.keys if differences else ())
            ),
            "cause": session.cause,
            "seen_at": sighting.address if sighting else "?",
            "seen_broker": markdown_text((sighting and sighting.broker) or "?"),
        }

    @override
    async def async_start_waiting(self) -> None:
        """Listen for the written socket; raises HomeAssistantError where MQTT is not there."""
        self._stop_listening()
        async_dismiss(self.hass, format_mac(self.session.written_mac))
        self.session.arrival = Arrival(
            self.hass,
            self.session.settings.client_id,
            self.session.written_mac,
            self._expect_somebody,
        )
        await self.session.arrival.async_listen()

    @callback
    def _stop_listening(self) -> None:
        if self.session.arrival is not None:
            self.session.arrival.async_stop()
        if self._abandoned is not None:
            self._abandoned()
            self._abandoned = None

    @callback
    @override
    def async_stop_waiting(self) -> None:
        """Stop listening; a socket that is still awaited is not forgotten."""
        arrival, self.session.arrival = self.session.arrival, None
        awaited = not (self.session.entry_made or self.session.reported_in)
        self._stop_listening()
        if arrival is not None:
            if self.session.chip_state is ChipState.WRITTEN and awaited:
                async_expect(self.hass, arrival)
            else:
                arrival.async_stop()

    @callback
    def _expect_somebody(self) -> None:
        """Give the person time to go on with a dialog whose socket has reported in."""
        self._abandoned = async_call_later(
            self.hass,
            waiting(self.hass).abandoned_after,
            HassJob(self._add_abandoned, cancel_on_shutdown=True),
        )

    async def _add_abandoned(self, _now: datetime) -> None:
        """Make the entry of a socket that has reported in while nobody goes on with the dialog.

        It was confirmed. Somebody may still come back to the dialog, and is told.
        """
        done = (
            self.session.chip_state is ChipState.WRITTEN
            and self.session.differences is None
        )
        if self._task is None and done:
            LOGGER.info("%s has reported in; its wizard was left", self.title)
            await self._add()
            await UnfinishedSockets(self.hass).async_forget(self.session.written_mac)

    async def async_step_reassemble(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the wires taken off and the case closed before the socket is plugged in."""
        if user_input is not None:
            self._another = user_input.get(CONF_ANOTHER, False)
            self.session.assembled = True
            return await self.async_step_wait()
        fields: dict[Any, Any] = {}
        if self.session.entry_mac is None:
            another = probatio.Required(CONF_ANOTHER, default=self._another)
            fields[another] = BooleanSelector()
        return self.async_show_form(
            step_id="reassemble",
            data_schema=probatio.Schema(fields),
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_wait(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Wait for the socket for one turn."""
        return await self.async_run("wait", self._wait)

    async def _wait(self) -> str:
        assert self.session.arrival is not None
        patience = waiting(self.hass)
        started = self.hass.loop.time()
        asked = started
        while not await self.session.arrival.async_wait(patience.glance):
            now = self.hass.loop.time()
            if now - started >= patience.turn:
                return await self._what_is_known()
            if self.session.arrival.online and now - asked >= patience.ask_every:
                asked = now
                with suppress(HomeAssistantError):
                    await self.session.arrival.async_ask()
            self.show_fraction((now - started) / patience.turn)
        return await self._arrived()

    async def _what_is_known(self) -> str:
        assert self.session.arrival is not None
        password = config_sector.parse(self.session.written_config).web_password or None
        self.session.sighting = seen = await async_find_in_network(
            self.hass, self.session.long_name, self.session.written_mac, password
        )
        address = seen.address if seen and seen.broker is not None else None
        self.session.cause = await self._cause_of_silence(address, password)
        if self.session.arrival.complete:
            return await self._arrived()
        if seen is None:
            return "waiting_nothing"
        return "waiting_silent" if address is None else "waiting_network_only"

    async def _cause_of_silence(self, address: str | None, password: str | None) -> str:
        """Return what a person can do something about, as a sentence, or nothing."""
        settings = self.session.settings
        silence = await async_diagnose(
            self.hass,
            settings.client_id,
            format_mac(self.session.written_mac),
            address,
            password,
        )
        if silence.cause in (Cause.DEAD, Cause.UNKNOWN):
            # The page that comes then says what is known.
            return ""
        if silence.cause is not Cause.NOT_CONNECTED:
            return self.word("silence", silence.cause)
        # It is in the network, and does what can be tried from here with the same login.
        problem = await async_rehearse(
            self.hass, settings.broker, settings.client_id, settings.group
        )
        if not isinstance(problem, BrokerProblem):
            # Missing rights, if any, keep nobody from connecting.
            return self.word("silence", silence.cause)
        topic = markdown_text(settings.client_id)
        return self.error_text(problem).replace("{client_id}", topic)

    async def async_step_access_point(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain how the socket is made to open its own access point."""
        if user_input is not None:
            return await self.async_step_wait()
        return self.async_show_form(
            step_id="access_point",
            description_placeholders=self.placeholders
            | {"access_point_code": pictures.wifi_code(self.session.long_name)},
            last_step=False,
        )

    async def _arrived(self) -> str:
        """See whether it has what was written, as far as its web page tells."""
        assert self.session.arrival is not None
        self.session.differences = None
        address = await self.session.arrival.async_address(
            waiting(self.hass).list_takes
        )
        if address is not None:
            self.session.differences = await async_find_differences(
                self.hass,
                address,
                self.session.written_mac,
                config_sector.parse(self.session.written_config),
            )
            if self.session.differences is not None:
                return "arrived_otherwise"
        return await self._settle()

    async def async_step_add_anyway(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the socket as it is, with the pins that it runs with."""
        assert self.session.profile is not None
        assert self.session.differences is not None
        found = self.session.differences.profile
        if not found.problems:
            # The meter on a serial line is on no pin.
            self.session.profile = self.session.profile.with_pins(found.pins)
        return await self.async_step(await self._settle())

    async def _settle(self) -> str:
        """Do here what takes time: core and a browser may both ask for the step that follows."""
        await UnfinishedSockets(self.hass).async_forget(self.session.written_mac)
        self.session.reported_in = True
        if not self._another:
            self._stop_listening()
            return "finish"
        await self._add_and_go_on()
        return "next_socket"

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Make the entry of a socket that has reported in."""
        assert self.session.profile is not None
        entry = await self.async_take_identity(self.identity)
        if self.session.entry_made:
            return self.async_abort(
                reason="added", description_placeholders=self.placeholders
            )
        if entry is not None:
            async_tell_factors(self.hass, self.session, entry)
            return self.async_update_reload_and_abort(
                entry,
                title=self.session.settings.name,
                data=reflashed_data(self.session, entry),
                reason="reflashed",
            )
        if self.session.entry_mac is not None:
            # The entry that the wizard was opened from was deleted meanwhile.
            await self._add()
            return self.async_abort(reason="reflashed")
        return self.async_create_entry(
            title=self.session.settings.name,
            data=entry_data(self.session),
        )

    async def _add(self) -> None:
        """Have another flow make the entry, where this one goes on or may not."""
        entry = await self.async_take_identity(self.identity)
        if entry is not None:
            async_tell_factors(self.hass, self.session, entry)
        data = (
            reflashed_data(self.session, entry) if entry else entry_data(self.session)
        )
        await self.async_set_unique_id(None)
        await self.hass.config_entries.flow.async_init(
            DOMAIN,
            context={"source": SOURCE_IMPORT},
            data={CONF_NAME: self.session.settings.name} | data,
        )
        self._added, self.session.entry_made = self.session.settings.name, True

    async def _add_and_go_on(self) -> None:
        await self._add()
        self._stop_listening()
        self._another = False
        self.session = self.session.next_chip()

    async def async_step_import(self, import_data: dict[str, Any]) -> ConfigFlowResult:
        """Make the entry of a socket whose wizard goes on with the next one."""
        data = dict(import_data)
        title = data.pop(CONF_NAME)
        identity = async_identity_of(self.hass, data[CONF_MAC], data[CONF_CLIENT_ID])
        entry = await self.async_take_identity(identity)
        if entry is not None:
            return self.async_update_reload_and_abort(
                entry, title=title, data=data, reason="reflashed"
            )
        return self.async_create_entry(title=title, data=data)

    async def async_step_next_socket(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the next socket opened and wired."""
        return await self.async_tell("next_socket", user_input, "search")
