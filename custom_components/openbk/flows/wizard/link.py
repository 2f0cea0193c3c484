"""From the wish to flash a socket to its backup: port, wiring, search, reading."""

import asyncio
from contextlib import suppress
from typing import Any, Final, override

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers.selector import SerialPortSelector
import probatio

from ...const import LOGGER
from ...pyopenbk.backups import Contents
from ...pyopenbk.bootrom.errors import PortUnavailableError
from ...pyopenbk.bootrom.search import Observation, SearchReport
from .. import serial_port
from .base import WizardFlow
from .failures import PORT_ERRORS

CONF_ADAPTER: Final = "adapter"

# One turn of the search. A person needs time to touch CEN; where there is something to tell, the
# turn ends sooner.
_QUIET_TURN: Final = 15.0
_TELLING_TURN: Final = 5.0
_SHORT_SEARCH: Final = 2.0
_FIRST_LOOK: Final = 0.3
_BYTES_SHOWN: Final = 12

# The more an observation explains, the later it stands here.
_SEEN: Final = {
    Observation.NOTHING: "seen_nothing",
    Observation.NOISE: "seen_noise",
    Observation.OTHER_BAUD: "seen_other_baud",
    Observation.ECHO: "seen_echo",
    Observation.BOOT_LOG: "seen_boot_log",
}
_HOLDS: Final = {
    Contents.FACTORY: "pins",
    Contents.UNKNOWN: "found_unknown",
    Contents.BLANK: "found_blank",
    Contents.HALF_WRITTEN: "found_half_written",
    Contents.OPENBEKEN: "found_openbeken",
}


class LinkSteps(WizardFlow):
    """The steps up to a verified backup of the chip."""

    _linked: bool = False
    _came_in: str = ""
    """What the last search received that was no answer, for a person to read."""

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Add what the search received."""
        return super().placeholders | {"came_in": self._came_in}

    async def async_step_flash(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin: say at once when Home Assistant could not talk to the socket later."""
        await self.async_prepare()
        if not await mqtt.async_wait_for_mqtt_client(self.hass):
            return self.show_page("mqtt_missing")
        if not mqtt.is_connected(self.hass):
            return self.show_page("mqtt_disconnected")
        return await self.async_step_intro()

    async def async_step_intro(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what is needed, and the one rule that must not be broken."""
        if user_input is not None:
            return await self.async_step_port()
        return self.async_show_form(
            step_id="intro",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_port(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose the serial port and open it."""
        other = serial_port.async_wizard_at_work(self.hass)
        if other is not None and other is not self:
            if not other.leaving:
                return self.show_page("other_wizard")
            await self._until_left(other)
        errors: dict[str, str] = {}
        if user_input is not None:
            await self.async_close_job()
            self._address = str(user_input[CONF_ADAPTER]).strip()
            if error := await self._open_port():
                errors[CONF_ADAPTER] = error
            elif self._linked:
                return await self.async_step_linked()
            else:
                return await self.async_step_opening()
        return self.async_show_form(
            step_id="port",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(
                    {probatio.Required(CONF_ADAPTER): SerialPortSelector()}
                ),
                {CONF_ADAPTER: self._address},
            ),
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def _open_port(self) -> str | None:
        """Hold the port from here on; return the key of what is in the way."""
        assert self._address is not None
        if not self._address:
            return "port_missing"
        if owner := await serial_port.async_port_owner(self.hass, self._address):
            self._owner = owner
            return "port_owned"
        if not serial_port.async_take(self.hass, self):
            return "port_busy"
        try:
            # A chip that was linked before, at any baud rate, is found here without a reset.
            report = await self.job.search(_FIRST_LOOK)
        except PortUnavailableError as err:
            LOGGER.debug("Serial port: %s", err)
            await self.async_close_job()
            return PORT_ERRORS[err.reason]
        self._linked = report.linked
        return None

    async def async_step_take_over(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End the other wizard, which releases its port, and go on here."""
        other = serial_port.async_wizard_at_work(self.hass)
        if other is not None and other is not self:
            with suppress(UnknownFlow):
                self.hass.config_entries.flow.async_abort(other.flow_id)
            await self._until_left(other)
        return await self.async_step_port()

    async def _until_left(self, other: WizardFlow) -> None:
        """Wait until a wizard that was closed has let go of its port."""
        while serial_port.async_wizard_at_work(self.hass) is other:
            await asyncio.sleep(0.05)

    async def async_step_opening(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how to open the case and how to get at the pads."""
        if user_input is not None:
            return await self.async_step_wiring()
        return self.async_show_form(
            step_id="opening",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_wiring(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show which wire goes where."""
        if user_input is not None:
            return await self.async_step_search()
        return self.async_show_form(
            step_id="wiring",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_check_wiring(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """List what to look at, then search again."""
        if user_input is not None:
            return await self.async_step_search()
        return self.async_show_form(
            step_id="check_wiring",
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_search(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Search for the chip for one turn."""
        return await self.async_run("search", self._search)

    async def _search(self) -> str:
        started = self.hass.loop.time()
        seen = list(_SEEN)
        best = Observation.NOTHING
        while True:
            report = await self.job.search(_SHORT_SEARCH)
            if report.linked:
                return "linked"
            if seen.index(report.observation) >= seen.index(best):
                best = report.observation
                self._came_in = _readable(report)
            turn = _QUIET_TURN if best is Observation.NOTHING else _TELLING_TURN
            passed = self.hass.loop.time() - started
            if passed >= turn:
                return _SEEN[best]
            self.show_fraction(passed / turn)

    async def async_step_linked(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a chip that answers."""
        return await self.async_step_backup()

    async def async_step_backup(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read the whole chip and keep it."""
        return await self.async_run("backup", self._read_chip)

    async def _read_chip(self) -> str:
        self._identity = await self.job.identify()
        backup = await self.job.back_up()
        if self._backup is None or not self._meant:
            # What a chip held before it was written is the backup that its owner wants to hear of.
            self._backup = backup
        self._analysis = await self.job.analyse()
        self._note_chip_state()
        if self.is_another_chip(self._analysis.mac):
            return "other_chip"
        if (page := await self.async_what_comes_first()) is not None:
            return page
        if self._analysis.obstacle is not None:
            raise self._analysis.obstacle
        if not self._meant:
            return await self.async_next_after_reading()
        # An address that many chips have does not tell whether it is still the same one.
        return "write_confirm" if self._analysis.mac_is_generic else "write"

    async def async_what_comes_first(self) -> str | None:
        """Return the step for a chip that needs something else before it can be written."""
        return None

    async def async_next_after_reading(self) -> str:
        """Return the step that follows when the chip is seen for the first time."""
        assert self._analysis is not None
        return _HOLDS[self._analysis.state]

    async def async_step_retry(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Start again with the search; what is already read or right is not done twice."""
        return await self.async_step_search()


def _readable(report: SearchReport) -> str:
    """Return what came in as text where it is some, else as the values of its first bytes."""
    if report.observation is Observation.BOOT_LOG:
        text = report.sample.decode("ascii", errors="replace")
        return " ".join(text.replace("`", "'").split())
    return report.sample[:_BYTES_SHOWN].hex(" ")
