"""From the wish to flash a socket to its backup: port, wiring, search, reading."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers.selector import BooleanSelector, SerialPortSelector
from homeassistant.util.hass_dict import HassKey
import probatio

from ...const import CONF_CLIENT_ID, CONF_MAC, DOMAIN, LOGGER
from ...helpers import counted
from ...issues.unfinished import UnfinishedSockets
from ...network.mqtt import async_wait_for_mqtt, is_connected
from ...pyopenbk.backups import Contents, EmptyDumpError
from ...pyopenbk.bootrom.errors import PortUnavailableError
from ...pyopenbk.bootrom.search import Observation, SearchReport
from .. import serial_port
from . import route
from .base import WizardFlow
from .failures import ERASED, PORT_ERRORS

CONF_ADAPTER: Final = "adapter"
CONF_RESET_WIRED: Final = "reset_wired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching:
    """How long a chip is searched for, and its port waited for, in seconds."""

    patience: float = 300.0
    """Somebody holds wires in both hands, and may have to solder one again."""
    turn: float = 2.0
    """So often the page says what is heard."""
    release: float = 30.0
    """So long a wizard that was closed may take to let go of its port; a chip that is written gets
    to the end of its sector, and then some drivers take their time."""


SEARCHING: Final[HassKey[Searching]] = HassKey(f"{DOMAIN}.searching")


@callback
def searching(hass: HomeAssistant) -> Searching:
    """Return how chips are searched for here."""
    return hass.data.setdefault(SEARCHING, Searching())


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


class LinkSteps(WizardFlow):
    """The steps up to a verified backup of the chip."""

    _owner: str = ""
    """The integration or app that uses the chosen port."""
    _linked: bool = False
    _wired: bool = False
    """The wires are on the module: another port leads straight to the search."""
    _line_sample: str = ""
    """What was received that was no answer, and told most, for a person to read."""
    _heard: Observation | None = None
    """What the last turn of the search heard; None: none has ended yet."""
    _heard_most: Observation = Observation.NOTHING
    """What told most since the search began."""
    _heard_before: Observation = Observation.NOTHING
    """What told most in an earlier search."""
    _search_began: float = 0.0

    @property
    def link_placeholders(self) -> dict[str, str]:
        """Return what the search received, and what it has taught."""
        by_hand = not self.session.adapter.reset_wired
        return {
            **({} if by_hand else {"reset_now": ""}),
            "owner": self._owner,
            "came_in": self._line_sample,
            "suggestion": serial_port.network_address(self.session.address or "") or "",
            "rate": counted(self.hass, self.session.adapter.not_understood or 0),
            "how_to_reset": self.word("how_to_reset", self._how_to_reset),
            "heard": self._heard_text,
            "lesson": self._lesson,
            "elapsed": _minutes(self._elapsed),
            "patience": _minutes(searching(self.hass).patience),
        }

    @property
    def _how_to_reset(self) -> str:
        """Return the key of what resets the chip: a hand, a line, or one that is yet to be found."""
        if not self.session.adapter.reset_wired:
            return "by_hand"
        wire = self.session.adapter.reset_wire
        return "by_some_line" if wire is None else f"by_{wire.line}"

    @property
    def _heard_text(self) -> str:
        """Return what is heard now, and what was heard before where that is something else."""
        if self._heard is None:
            now = self.word("heard", "starting")
        else:
            now = self.word("heard", self._heard)
            if self._heard is self._heard_most is Observation.BOOT_LOG:
                now += f" `{self._line_sample}`"
        before = self._heard_most
        if before is Observation.NOTHING:
            before = self._heard_before
        if before in (Observation.NOTHING, self._heard):
            return now
        return f"{now}\n\n{self.word('heard', 'before')} {self.word('heard', before)}"

    @property
    def _lesson(self) -> str:
        rate = self.session.adapter.not_understood
        if rate is None:
            return ""
        return f"{self.word('lesson', 'slower')} {counted(self.hass, rate)} baud."

    @property
    def _elapsed(self) -> float:
        return self.hass.loop.time() - self._search_began

    async def async_step_flash(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Begin: say at once when Home Assistant could not talk to the socket later."""
        await self.async_prepare()
        if not await async_wait_for_mqtt(self.hass):
            return self.show_page("mqtt_missing")
        if not is_connected(self.hass):
            return self.show_page("mqtt_disconnected")
        return await self.async_step_intro()

    async def async_step_intro(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what is needed, and the one rule that must not be broken; ask for the adapter."""
        if user_input is not None:
            return await self.async_step_port(user_input)
        self.session.address = await serial_port.async_only_adapter(self.hass)
        return self.async_show_form(
            step_id="intro",
            data_schema=self._port_schema,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_port(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose the serial port and open it."""
        if user_input is not None:
            self.session.address = str(user_input[CONF_ADAPTER]).strip()
        other = serial_port.async_wizard_at_work(self.hass)
        if other is not None and other is not self:
            if not other.leaving or not await self._has_left(other):
                return self.show_page("other_wizard")
        errors: dict[str, str] = {}
        if user_input is not None:
            await self.async_close_job()
            if error := await self._open_port():
                errors[CONF_ADAPTER] = error
            elif self._linked:
                return await self.async_step_linked()
            elif self._wired:
                return await self.async_step_search()
            else:
                return await self.async_step_wiring()
        return self.async_show_form(
            step_id="port",
            data_schema=self._port_schema,
            errors=errors,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    @property
    def _port_schema(self) -> probatio.Schema:
        return self.add_suggested_values_to_schema(
            probatio.Schema({probatio.Required(CONF_ADAPTER): SerialPortSelector()}),
            {CONF_ADAPTER: self.session.address},
        )

    async def _open_port(self) -> str | None:
        """Hold the port from here on; return the key of what is in the way."""
        assert self.session.address is not None
        if obstacle := serial_port.async_obstacle(self.hass, self.session.address):
            return obstacle
        if owner := await serial_port.async_port_owner(self.hass, self.session.address):
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
            if not await self._has_left(other):
                return self.show_page("other_wizard")
        return await self.async_step_port()

    async def _has_left(self, other: serial_port.PortHolder) -> bool:
        """Wait for a wizard that was closed; return whether it has let go of its port in its time."""
        try:
            async with asyncio.timeout(searching(self.hass).release):
                await other.left.wait()
        except TimeoutError:
            return False
        return True

    async def async_step_wiring(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how to open the case and which wire goes where; ask about RTS and DTR."""
        if user_input is not None:
            return await self._search_with(user_input)
        return self.async_show_form(
            step_id="wiring",
            data_schema=self._wiring_schema,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    async def async_step_check_wiring(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """List what to look at, then search again."""
        if user_input is not None:
            return await self._search_with(user_input)
        return self.async_show_form(
            step_id="check_wiring",
            data_schema=self._wiring_schema,
            description_placeholders=self.placeholders,
            last_step=False,
        )

    @property
    def _wiring_schema(self) -> probatio.Schema:
        wired = probatio.Required(
            CONF_RESET_WIRED, default=self.session.adapter.reset_wired
        )
        return probatio.Schema({wired: BooleanSelector()})

    async def _search_with(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        self.session.adapter.reset_wired = user_input[CONF_RESET_WIRED]
        return await self.async_step_search()

    async def async_step_search(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Search for the chip in short turns, each of which shows what was heard."""
        self._wired = True
        if self._task is None:
            self._begin_search()
        return await self.async_run("search", self._search)

    def _begin_search(self) -> None:
        self._search_began = self.hass.loop.time()
        if self._heard_most is not Observation.NOTHING:
            self._heard_before = self._heard_most
        self._heard, self._heard_most, self._line_sample = None, Observation.NOTHING, ""

    async def _search(self) -> str:
        limits = searching(self.hass)
        report = await self.job.search(limits.turn)
        if report.linked:
            self._heard_before = self._heard_most = Observation.NOTHING
            return "linked"
        seen = list(_SEEN)
        self._heard = report.observation
        if seen.index(self._heard) >= seen.index(self._heard_most):
            self._heard_most = self._heard
            self._line_sample = _readable(report)
        self.show_fraction(self._elapsed / limits.patience)
        if self._elapsed < limits.patience:
            return "search"
        return _SEEN[self._heard_most]

    async def async_step_linked(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with a chip that answers."""
        return await self.async_step(route.after_linking(self.session))

    async def async_step_backup(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read the whole chip and keep it."""
        return await self.async_run("backup", self._read_chip)

    async def _read_chip(self) -> str:
        session = self.session
        session.identity = await self.job.identify()
        if session.image is not None and session.image.target is not session.chip:
            # The socket before this one had another chip.
            session.image, session.firmware = None, b""
        try:
            backup = await self.job.back_up()
        except EmptyDumpError as err:
            # An erased chip is what a restore is for; there is nothing to back up.
            if not session.restoring or err.byte != ERASED:
                raise
            session.backup = session.analysis = None
        else:
            if session.restoring or session.backup is None or not session.expected_macs:
                # What a chip held before it was written is the backup that its owner wants to
                # hear of.
                session.backup = backup
            session.analysis = await self.job.analyse()
            self._note_chip_state()
        session.connected_mac = session.mac
        await self._look_up()
        return route.after_reading(session)

    async def _look_up(self) -> None:
        """Find out what is known here of the chip that was read."""
        session = self.session
        session.titles = {
            entry.data[CONF_MAC]: entry.title
            for entry in reversed(self._async_current_entries())
            if CONF_MAC in entry.data
        }
        session.topics = {
            entry.data[CONF_CLIENT_ID]: entry.data[CONF_MAC]
            for entry in self._async_current_entries()
            if CONF_MAC in entry.data
        }
        confirmed = (
            session.restore_confirmed if session.restoring else session.expected_macs
        )
        if session.is_another_chip or confirmed:
            return
        session.found_backups = await self.async_list_backups()
        session.unfinished = None
        if session.own_mac is None or session.analysis is None:
            # Which of the chips with this address it is, nobody knows.
            return
        state = session.analysis.state
        if state is Contents.OPENBEKEN and session.own_mac in self._async_current_ids(
            include_ignore=False
        ):
            # It was discovered after its wizard had been left.
            return
        if not session.restoring and state in route.UNFINISHED:
            found = await UnfinishedSockets(self.hass).async_find(session.own_mac)
            session.unfinished = found

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


def _minutes(seconds: float) -> str:
    """Return a time as minutes and seconds, ``1:05``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
