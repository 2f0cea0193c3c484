"""From the last confirmation to a socket that has reported in."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.config_entries import (
    SOURCE_IMPORT,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.selector import BooleanSelector
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import probatio

from ...const import (
    CONF_ADDRESS,
    CONF_CHILD_LOCK,
    CONF_CLIENT_ID,
    CONF_DARK_LEDS,
    CONF_FIRMWARE,
    CONF_GROUP,
    CONF_MAC,
    CONF_MODEL,
    CONF_POWER_CUT,
    CONF_PROFILE,
    CONF_PUBLISHED,
    CONF_TIME_ZONE,
    CONF_TUNED,
    DOMAIN,
    LOGGER,
)
from ...issues.half_written import async_review_half_written
from ...issues.unfinished import UnfinishedSocket, UnfinishedSockets
from ...live.calibration import SocketCalibration
from ...live.entries import async_identity_of
from ...network.broker import BrokerProblem, async_rehearse
from ...network.silence import Cause, async_diagnose
from ...pyopenbk.backups import Contents
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.flashing import ChipState, Comparison
from ...pyopenbk.foreign_text import markdown_text
from ...pyopenbk.meters import BL0937
from ...pyopenbk.obk import config_sector, startup
from ...pyopenbk.obk.flags import Flag, power_cut_state
from ...pyopenbk.obk.meter import factors_of
from ...pyopenbk.obk.names import long_name_of
from ...pyopenbk.obk.setup import WifiNetwork
from ...pyopenbk.obk.startup import Obstacle, Part
from ...pyopenbk.obk.takeover import Takeover
from .. import pictures
from . import kept
from .arrival import Arrival, async_find_differences, async_find_in_network, waiting
from .base import WizardFlow
from .left import async_dismiss, async_expect

CONF_ANOTHER: Final = "another"
CONF_ANOTHER_FIRMWARE: Final = "another_firmware"
# What an entry knows that does not come from the chip.
_OUTLIVE_FLASHING: Final = (CONF_DARK_LEDS, CONF_PUBLISHED)

# What decides whether a socket reaches the broker, and so whether a written one is as it should be.
_NETWORK: Final = (
    "wifi_ssid",
    "wifi_password",
    "wifi_ssid2",
    "wifi_password2",
    "mqtt_host",
    "mqtt_port",
    "mqtt_username",
    "mqtt_password",
    "mqtt_client_id",
)


class WriteSteps(WizardFlow):
    """The steps that change the chip, and those that wait for what came of it."""

    _another: bool = False
    """The next socket is to be flashed with the same settings."""
    _added: str = ""
    """The name of the last socket whose entry another flow has made for this one."""
    _abandoned: CALLBACK_TYPE | None = None

    @property
    def write_placeholders(self) -> dict[str, str]:
        """Return what will be written, and what came of it."""
        session = self.session
        sighting = session.sighting
        settings = self.session.settings
        second = settings.wifi2 or WifiNetwork()
        return {
            "name": markdown_text(settings.name),
            "client_id": markdown_text(settings.client_id),
            "added": markdown_text(self._added),
            "wifi": markdown_text(
                " / ".join(filter(None, (settings.wifi.ssid, second.ssid)))
            ),
            "broker": markdown_text(f"{settings.broker.host}:{settings.broker.port}"),
            "access_point": markdown_text(self._long_name),
            "differences": "\n".join(
                f"- {self.word('difference', key)}"
                for key in (
                    self.session.differences.keys if self.session.differences else ()
                )
            ),
            "cause": self.session.cause,
            "seen_at": sighting.address if sighting else "?",
            "seen_broker": markdown_text((sighting and sighting.broker) or "?"),
        }

    @property
    def _mac(self) -> str:
        assert self.session.mac is not None
        return self.session.mac

    @property
    def _unique_id(self) -> str:
        return async_identity_of(
            self.hass, format_mac(self._mac), self.session.settings.client_id
        )

    @property
    def _long_name(self) -> str:
        """Return the name that the socket has in the network, and that of its own Wi-Fi."""
        if self.session.host_name:
            return self.session.host_name
        if self.session.mac is None:
            return f"Open{self.session.chip.name}_…"
        return long_name_of(self._mac, self.session.chip)

    async def async_step_write_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sum up; from here on the chip is changed."""
        if user_input is not None:
            if user_input.get(CONF_ANOTHER_FIRMWARE):
                return await self.async_step("another_firmware")
            # Another wizard or a discovery of the same socket must not finish before this one.
            await self.async_set_unique_id(self._unique_id, raise_on_progress=False)
            self.session.expected_macs = frozenset({self._mac})
            if self.session.assembled:
                return await self.async_step_rewire()
            if self._job is None:
                return await self.async_step("search")
            return await self.async_step_write()
        self.session.takeover = await self.hass.async_add_executor_job(
            self._find_takeover
        )
        fields: dict[Any, Any] = {}
        if self.session.chip_state is not ChipState.WRITTEN:
            # Once it is on the chip, only settings are corrected.
            another = probatio.Required(CONF_ANOTHER_FIRMWARE, default=False)
            fields[another] = BooleanSelector()
        return self.async_show_form(
            step_id="write_confirm",
            data_schema=probatio.Schema(fields),
            description_placeholders=self.placeholders
            | {"takeover": self._takeover_text},
            last_step=False,
        )

    def _find_takeover(self) -> Takeover | None:
        """Return what the socket keeps of what it had; reads a file."""
        assert self.session.profile is not None
        with suppress(OpenBekenError):
            # What does not fit is told when it is to be written.
            return self.session.settings.takeover(
                self.session.profile, self._mac, dt_util.utcnow(), self._version
            )
        return None

    @property
    def _takeover_text(self) -> str:
        if self.session.takeover is not None:
            return kept.markdown(self.session.takeover, self.word)
        if left_out := self._left_out:
            return kept.left_out_by_template(left_out, self.word)
        assert self.session.analysis is not None
        had = self.session.analysis.state is Contents.OPENBEKEN
        fresh = had and self.session.chip_state is ChipState.UNTOUCHED
        return self.word("takeover", "unreadable") if fresh else ""

    @property
    def _left_out(self) -> Mapping[Part, Obstacle]:
        """Return what cannot be added to somebody's own start-up command."""
        if self.session.takeover is not None:
            return self.session.takeover.left_out
        assert self.session.profile is not None
        if not self.session.profile.command:
            return {}
        return startup.add(
            self.session.profile.command,
            startup.own_parts(self.session.profile, timedelta()),
            lines=startup.runs_lines(self._version),
        ).left_out

    @property
    def _version(self) -> str:
        """Return the version that is written; empty where the file does not tell."""
        return (self.session.image.version if self.session.image else None) or ""

    async def async_step_write(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write application and configuration, prove both, and start the socket."""
        return await self.async_run("write", self._write)

    async def _write(self) -> str:
        assert self.session.image is not None
        assert self.session.profile is not None
        assert self.session.analysis is not None
        config = await self.hass.async_add_executor_job(
            replace(self.session.settings, chip=self.session.chip).configuration,
            self.session.profile,
            self._mac,
            dt_util.utcnow(),
            self._version,
        )
        await UnfinishedSockets(self.hass).async_remember(
            self._mac,
            UnfinishedSocket(
                profile=self.session.profile,
                settings=self.session.settings,
                release=self.session.release,
            ),
            self.session.firmware,
        )
        self.session.written_config = config
        self.session.host_name = config_sector.parse(config).long_name
        # Without MQTT nothing is written: nobody would hear of what came of it.
        await self._listen()
        if (
            self.session.chip_state is ChipState.WRITTEN
            and self.session.analysis.state is Contents.OPENBEKEN
        ):
            # Only settings were corrected; the application is the one that was written before.
            await self.job.write_config(config)
        else:
            await self.job.write(self.session.image, config)
        self._note_chip_state()
        await async_review_half_written(self.hass)
        await self.job.start()
        await self.async_close_job()
        return "reassemble"

    @override
    async def async_chip_changes(self) -> None:
        """Tell of a chip that is half-written, also when Home Assistant itself goes now."""
        # Without an entry nothing of this integration may be loaded, and a repair needs it.
        await async_setup_component(self.hass, DOMAIN, {})
        await async_review_half_written(self.hass)

    @override
    async def async_left(self) -> None:
        """Tell of a chip that is half-written."""
        await async_review_half_written(self.hass)

    async def _listen(self) -> None:
        self._stop_listening()
        async_dismiss(self.hass, format_mac(self._mac))
        self.session.arrival = Arrival(
            self.hass, self.session.settings.client_id, self._mac, self._expect_somebody
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
    def _expect_somebody(self) -> None:
        """Give the person time to go on with a dialog whose socket has reported in."""
        if self.hass.is_running:
            self._abandoned = async_call_later(
                self.hass, waiting(self.hass).abandoned_after, self._add_abandoned
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
            await UnfinishedSockets(self.hass).async_forget(self._mac)

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
            self.hass, self._long_name, self._mac, password
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
            self.hass, settings.client_id, format_mac(self._mac), address, password
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
            | {"access_point_code": pictures.wifi_code(self._long_name)},
            last_step=False,
        )

    async def async_step_change_settings(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Correct Wi-Fi and broker and write the configuration over UART again."""
        return await self.async_step("wifi")

    async def async_step_read_back(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read over UART whether the chip still holds what was written."""
        self.session.reading_back = True
        return await self.async_step_rewire()

    async def async_step_rewire(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have the socket taken off mains before anybody touches a wire."""
        if user_input is not None:
            self.session.assembled = False
        return await self.async_tell("rewire", user_input, "search")

    async def async_step_compare(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Compare the chip with what was written."""
        return await self.async_run("compare", self._compare)

    async def _compare(self) -> str:
        assert self.session.image is not None
        await self.job.identify()
        self.session.connected_mac = self.job.mac
        if self.job.mac != self._mac:
            return "other_chip"
        verdict = self._judge(
            await self.job.compare(self.session.image, self.session.written_config)
        )
        self.session.reading_back = False
        if verdict == "read_back_same":
            await self.job.start()
        await self.async_close_job()
        return verdict

    def _judge(self, found: Comparison) -> str:
        """Return the page for what is on the chip."""
        if not found.application:
            self.session.chip_state = ChipState.HALF_WRITTEN
            return "read_back_application"
        written = config_sector.parse(self.session.written_config)
        if found.config is None or any(
            getattr(found.config, name) != getattr(written, name) for name in _NETWORK
        ):
            return "read_back_settings"
        return "read_back_same"

    async def async_step_rewrite(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Write again what is not right; the chip is still in its boot ROM."""
        return await self.async_step("search")

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
                self._mac,
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
        if self.session.differences is not None:
            found = self.session.differences.profile
            if not found.problems:
                # The meter on a serial line is on no pin.
                self.session.profile = self.session.profile.with_pins(found.pins)
        return await self.async_step(await self._settle())

    async def _settle(self) -> str:
        """Do here what takes time: core and a browser may both ask for the step that follows."""
        await UnfinishedSockets(self.hass).async_forget(self._mac)
        self.session.reported_in = True
        if not self._another:
            self._stop_listening()
            return "finish"
        await self._add_and_go_on()
        return "next_socket"

    @property
    def _entry_data(self) -> dict[str, Any]:
        """Return what is kept of a socket that has reported in; nothing secret is in it."""
        assert self.session.arrival is not None
        assert self.session.profile is not None
        written = config_sector.parse(self.session.written_config)
        return {
            CONF_MAC: format_mac(self._mac),
            CONF_CLIENT_ID: self.session.settings.client_id,
            CONF_GROUP: self.session.settings.group,
            CONF_MODEL: self.session.settings.model or None,
            CONF_PROFILE: self.session.profile.with_extras("", 0).as_dict(),
            CONF_ADDRESS: self.session.arrival.address,
            CONF_FIRMWARE: self.session.arrival.build,
            CONF_TIME_ZONE: self.session.settings.time_zone,
            # Somebody's own start-up command may need the clock as it is.
            CONF_TUNED: Part.CLOCK not in self._left_out,
            CONF_CHILD_LOCK: bool(written.flags & Flag.IGNORE_BUTTONS.mask),
            CONF_POWER_CUT: {
                str(relay.channel): state
                for relay in self.session.profile.relays
                if (state := power_cut_state(written.start_values[relay.channel]))
            },
        }

    @callback
    def _data_of(self, entry: ConfigEntry) -> dict[str, Any]:
        """Return the data of an entry whose socket was flashed again."""
        data = self._entry_data
        old = {key: entry.data[key] for key in _OUTLIVE_FLASHING if key in entry.data}
        if entry.data[CONF_PROFILE] != data[CONF_PROFILE]:
            old.pop(CONF_DARK_LEDS, None)
        return old | data

    @callback
    def _tell_factors(self, entry: ConfigEntry) -> None:
        """Let a calibration follow the factors that the socket has now: it is about pulses."""
        profile = self.session.profile
        assert profile is not None
        if not profile.has_meter:
            return
        loaded = entry.state is ConfigEntryState.LOADED
        known = (
            entry.runtime_data.calibration
            if loaded
            else SocketCalibration(self.hass, entry, profile.meter_kind)
        )
        meter = profile.meter_kind or BL0937
        before = self.session.settings.before
        if (
            before is not None
            and before.profile.meter_kind is profile.meter_kind
            and not known.factors
        ):
            # What it was corrected with, as far as anybody can know.
            known.learn_factors(factors_of(before.calibration, meter))
        written = config_sector.parse(self.session.written_config).calibration
        known.learn_factors(factors_of(written, meter))

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Make the entry of a socket that has reported in."""
        assert self.session.profile is not None
        entry = await self.async_set_unique_id(self._unique_id, raise_on_progress=False)
        if self.session.entry_made:
            return self.async_abort(
                reason="added", description_placeholders=self.placeholders
            )
        if entry is not None:
            self._tell_factors(entry)
            return self.async_update_reload_and_abort(
                entry,
                title=self.session.settings.name,
                data=self._data_of(entry),
                reason="reflashed",
            )
        if self.session.entry_mac is not None:
            # The entry that the wizard was opened from was deleted meanwhile.
            await self._add()
            return self.async_abort(reason="reflashed")
        return self.async_create_entry(
            title=self.session.settings.name,
            data=self._entry_data,
        )

    async def _add(self) -> None:
        """Have another flow make the entry, where this one goes on or may not."""
        entry = await self.async_set_unique_id(self._unique_id, raise_on_progress=False)
        if entry is not None:
            self._tell_factors(entry)
        data = self._data_of(entry) if entry else self._entry_data
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
        entry = await self.async_set_unique_id(identity, raise_on_progress=False)
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
