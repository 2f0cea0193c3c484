"""The guided calibration in a socket's options: plug in, wait, type what the reference shows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import BooleanSelector
import probatio

from ...calibrating.comparison import (
    Comparison,
    apply_proposal,
    check_ready,
    propose_for,
    refusal_placeholders,
)
from ...calibrating.own_gain import OwnGainError, check_load
from ...calibrating.sampling import WANTED
from ...const import DOMAIN
from ...live.state import SocketState
from ...pyopenbk.errors import OpenBekenError
from ...pyopenbk.metering.calibration import Calibration
from ...pyopenbk.metering.errors import CalibrationError, Refusal
from ...pyopenbk.metering.session import Method, Proposal, Sample, corrected
from ...pyopenbk.quantities import CALIBRATED, CURRENT, POWER, VOLTAGE
from ..talking import TalkingFlow
from . import calibration_text
from .calibration_fields import (
    CONF_KEEP,
    CONF_TRUST,
    CONF_VOLTAGE_ONLY,
    KNOWN_LOAD,
    MULTIMETER,
    REFERENCE_FIELDS,
    VOLTAGE_FIELDS,
    WATT_METER,
    references_of,
)

_ACTION: Final = "guided_calibration"
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "no_load": ("measure", "stop"),
    "interrupted": ("measure", "stop"),
    "unsteady": ("measure", "reference", "stop"),
    "rare": ("measure", "reference", "stop"),
    "socket_not_set": ("save_in_socket", "save", "stop"),
    "socket_unconfirmed": ("finish",),
}
_COMPARED: Final = {
    WATT_METER: (POWER.key,),
    MULTIMETER: (VOLTAGE.key, CURRENT.key),
    KNOWN_LOAD: tuple(CALIBRATED),
}
# One turn of the measurement: after each, the page says what the socket reads now.
_TURN: Final = 5.0
_FIRST_TURN: Final = 2.0


class CalibrationSteps(TalkingFlow, OptionsFlow):
    """Nothing is changed before the person says so on the page with the result."""

    _instrument: str = WATT_METER
    _keep: bool = False
    _voltage_only: bool = False
    _comparison: Comparison | None = None
    _measured: float = 0.0
    _sample: Sample | None = None
    _proposal: Proposal | None = None
    _pending: Mapping[str, Calibration] = {}
    """What the loads compared so far lead to."""

    @property
    def socket(self) -> SocketState:
        """Return the live socket; aborts the dialog where it is not set up."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("not_loaded")
        socket: SocketState = self.config_entry.runtime_data
        return socket

    @property
    @override
    def placeholders(self) -> dict[str, str]:
        """Return what the socket reads while it is measured, and on average afterwards."""
        if self._task is not None:
            return calibration_text.seen(self.hass, self._comparison, self.word)
        return calibration_text.means(self.hass, self._sample, self.socket.calibration)

    async def async_step_calibration(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what there is to compare with."""
        if not self.socket.profile.has_meter:
            return self.async_abort(reason="no_meter")
        self._pending = {}
        options = [WATT_METER, MULTIMETER, KNOWN_LOAD]
        if self.socket.calibration.can_undo:
            options.append("undo")
        if self.socket.calibration.known:
            options.append("reset")
        return self.async_show_menu(
            step_id="calibration",
            menu_options=options,
            description_placeholders={
                "known": calibration_text.known_table(
                    self.socket.calibration, self.word
                )
            },
        )

    async def async_step_watt_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how to connect a watt-meter and a load."""
        return await self._plug_in(WATT_METER, user_input)

    async def async_step_multimeter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how to use a multimeter, and what not to do with it."""
        return await self._plug_in(MULTIMETER, user_input)

    async def async_step_known_load(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say which loads can be trusted to draw what their label says."""
        return await self._plug_in(KNOWN_LOAD, user_input)

    async def async_step_second_load(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another load to be plugged in; what the first led to is kept."""
        if user_input is None:
            self._pending = self._combined.calibrations
        return await self._plug_in(self._instrument, user_input, step="second_load")

    async def _plug_in(
        self,
        instrument: str,
        user_input: dict[str, Any] | None,
        *,
        step: str | None = None,
    ) -> ConfigFlowResult:
        self._instrument = instrument
        step = step or instrument
        fields: dict[Any, Any] = {}
        if step == MULTIMETER:
            fields[probatio.Required(CONF_VOLTAGE_ONLY, default=False)] = (
                BooleanSelector()
            )
        if step == instrument and any(
            key in self.socket.calibration.known for key in CALIBRATED
        ):
            fields[probatio.Required(CONF_KEEP, default=False)] = BooleanSelector()
        errors: dict[str, str] = {}
        if user_input is not None:
            if step == instrument:
                self._keep = user_input.get(CONF_KEEP, False)
                self._voltage_only = user_input.get(CONF_VOLTAGE_ONLY, False)
            try:
                check_ready(self.socket, self._compared)
                if self.socket.calibration.lock.locked():
                    errors["base"] = "busy"
            except CalibrationError as err:
                errors["base"] = str(err.refusal)
            if not errors:
                return await self.async_step_measure()
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(fields), user_input or {}
            ),
            errors=errors,
            last_step=False,
        )

    @property
    def _compared(self) -> tuple[str, ...]:
        """Return what has to be steady; the voltage alone needs no load."""
        return (VOLTAGE.key,) if self._voltage_only else _COMPARED[self._instrument]

    async def async_step_measure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Measure in short turns, each of which shows what was read."""
        return await self.async_run("measure", self._measure)

    async def _measure(self) -> str:
        following = await self._measure_for_a_turn()
        if following != "measure":
            await self.async_let_go()
        return following

    @override
    def page_after(self, step_id: str, err: OpenBekenError | None) -> str:
        """Return the page for a measurement or a setting that was broken off."""
        if step_id == "save_in_socket":
            return "socket_not_set"
        off = isinstance(err, CalibrationError) and err.refusal is Refusal.RELAY_OFF
        return "no_load" if off else "interrupted"

    async def _measure_for_a_turn(self) -> str:
        if self._comparison is None:
            self._measured = 0.0
            comparison = Comparison(self.hass, self.socket, self._compared)
            self._comparison = await comparison.__aenter__()
        comparison = self._comparison
        turn = _TURN if self._measured else _FIRST_TURN
        complete = await comparison.collect(turn)
        self._measured += turn
        self.show_fraction(comparison.sampler.collected / WANTED)
        self._sample = comparison.sample()
        if self._reads_nothing(self._sample):
            return "no_load"
        if complete:
            return "reference"
        if not comparison.is_hopeless(self._measured):
            return "measure"
        return "rare" if self._sample.rare else "unsteady"

    def _reads_nothing(self, sample: Sample) -> bool:
        return sample.method is Method.HTTP and any(
            sample.mean(key) == 0 for key in self._compared
        )

    async def async_step_reference(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what the reference shows; a value that cannot be meant is said to be one."""
        assert self._sample is not None
        fields = dict(
            VOLTAGE_FIELDS if self._voltage_only else REFERENCE_FIELDS[self._instrument]
        )
        errors: dict[str, str] = {}
        placeholders = self.placeholders
        if user_input is not None:
            try:
                self._proposal = self._propose(self._sample, user_input)
            except CalibrationError as err:
                errors["base"] = str(err.refusal)
                placeholders |= refusal_placeholders(self.hass, err)
                if err.overridable:
                    fields[probatio.Required(CONF_TRUST, default=False)] = (
                        BooleanSelector()
                    )
            else:
                return await self.async_step_result()
        return self.async_show_form(
            step_id="reference",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(fields), user_input or {}
            ),
            errors=errors,
            description_placeholders=placeholders,
            last_step=False,
        )

    def _propose(self, sample: Sample, typed: dict[str, Any]) -> Proposal:
        calibration = self.socket.calibration
        second = bool(self._pending)
        voltage = (0.0, 0.0)
        if VOLTAGE.key in sample.measurements:
            voltage = corrected(VOLTAGE.key, sample, calibration.known)
        earlier: Mapping[str, Calibration] = calibration.known
        if not self._keep:
            # Also of what only the second load is compared by.
            earlier = {key: replace(item, points=()) for key, item in earlier.items()}
        return propose_for(
            calibration,
            sample,
            references_of(self._instrument, typed, voltage),
            known={**earlier, **self._pending},
            add=second or self._keep,
            trust_person=typed.get(CONF_TRUST, False),
        )

    async def async_step_result(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what comes of it, and ask whether it shall be."""
        assert self._proposal is not None
        options = ["save", "second_load", "reference", "stop"]
        if self._voltage_only:
            options.remove("second_load")
        if self._can_set_socket(self._proposal):
            options.insert(1, "save_in_socket")
        return self.async_show_menu(
            step_id="result",
            menu_options=options,
            description_placeholders={
                "table": calibration_text.result_table(
                    self.hass, self._proposal, self.socket.calibration, self.word
                ),
                "quality": calibration_text.quality(self._proposal, self.word),
                "contradictions": calibration_text.contradictions(
                    self._proposal, self.word
                ),
            },
        )

    async def async_step_save(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put the result in force."""
        apply_proposal(self.socket, _ACTION, self._combined)
        return self._finish()

    async def async_step_save_in_socket(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put the result in force and set the socket's own gain too."""
        return await self.async_run("save_in_socket", self._set_socket)

    async def _set_socket(self) -> str:
        proposal = self._combined
        async with Comparison(
            self.hass, self.socket, proposal.references
        ) as comparison:
            done = await comparison.apply(_ACTION, proposal, own_gain=True)
        confirmed = done.get("socket", {}).get("confirmed", False)
        return "finish" if confirmed else "socket_unconfirmed"

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End with what is in force."""
        return self._finish()

    async def async_step_undo(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the last step back."""
        self._check_idle()
        self.socket.calibration.undo()
        return self._finish()

    async def async_step_reset(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show again what the socket itself says."""
        self._check_idle()
        calibration = self.socket.calibration
        calibration.apply("reset_calibration", dict.fromkeys(calibration.known))
        return self._finish()

    def _check_idle(self) -> None:
        """Abort while somebody else calibrates: the step to take back may not be whole yet."""
        if self.socket.calibration.lock.locked():
            raise AbortFlow("calibration_busy")

    async def async_step_stop(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End without a change."""
        return self.async_abort(reason="nothing_changed")

    @property
    def _combined(self) -> Proposal:
        """Return the proposal with what the loads before led to."""
        assert self._proposal is not None
        return replace(
            self._proposal,
            calibrations={**self._pending, **self._proposal.calibrations},
        )

    def _finish(self) -> ConfigFlowResult:
        # The calibration is in the options already; they are kept as they are.
        return self.async_create_entry(data=dict(self.config_entry.options))

    def _can_set_socket(self, proposal: Proposal) -> bool:
        if proposal.sample.method is not Method.HTTP:
            return False
        try:
            check_load(proposal)
        except OwnGainError:
            return False
        return True

    @override
    async def async_let_go(self) -> None:
        """Let others calibrate."""
        comparison, self._comparison = self._comparison, None
        if comparison is not None:
            await comparison.__aexit__()

    @callback
    @override
    def async_remove(self) -> None:
        """Let others calibrate when the dialog is closed, whichever way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self._comparison is not None:
            self.hass.async_create_task(self.async_let_go(), f"{DOMAIN} calibration")
