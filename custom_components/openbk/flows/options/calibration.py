"""The guided calibration in a socket's options: plug in, wait, type what the reference shows."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
)
from homeassistant.helpers.translation import async_get_translations
import probatio

from ...calibrating.comparison import Comparison, apply_proposal, check_ready
from ...calibrating.own_gain import OwnGainError, check_load
from ...calibrating.sampling import WANTED
from ...const import DOMAIN, LOGGER
from ...live.state import SocketState
from ...pyopenbk.metering.calibration import Calibration, Quality
from ...pyopenbk.metering.errors import CalibrationError, Refusal
from ...pyopenbk.metering.session import (
    STEPS,
    USUAL_ACCURACY,
    LoadKind,
    Method,
    Proposal,
    References,
    Sample,
    propose,
    references_of_load,
)
from ...pyopenbk.obk.console import ConsoleError
from ...pyopenbk.quantities import CURRENT, POWER, VOLTAGE
from ...services import UNITS, refusal_placeholders, with_unit

_ACTION: Final = "guided_calibration"
_WATT_METER: Final = "watt_meter"
_MULTIMETER: Final = "multimeter"
_KNOWN_LOAD: Final = "known_load"
_COMPARED: Final = {
    _WATT_METER: (POWER.key,),
    _MULTIMETER: (VOLTAGE.key, CURRENT.key),
    _KNOWN_LOAD: tuple(STEPS),
}

_ACCURACY: Final = "accuracy"
_KEEP: Final = "keep"
_KIND: Final = "kind"
_RATED_POWER: Final = "rated_power"
_RATED_VOLTAGE: Final = "rated_voltage"
_RESISTIVE: Final = "resistive"
_TOLERANCE: Final = "tolerance"
_TRUST: Final = "trust"
_VOLTAGE_ONLY: Final = "voltage_only"

# One turn of the measurement: after each, the page says what the socket reads now.
_TURN: Final = 5.0
_FIRST_TURN: Final = 2.0
_NOTHING: Final = "–"


def _number(unit: str, largest: float) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=0,
            max=largest,
            step="any",
            mode=NumberSelectorMode.BOX,
            unit_of_measurement=unit,
        )
    )


# Wider than a socket can be, so that a slip is named and not just forbidden.
_VOLTS: Final = _number("V", 1_000_000)
_AMPERES: Final = _number("A", 1_000_000)
_WATTS: Final = _number("W", 10_000_000)
_PER_CENT: Final = _number("%", 50)
_REFERENCE_FIELDS: Final[dict[str, dict[Any, Any]]] = {
    _WATT_METER: {
        # The browser would fill what is required with a 0.
        probatio.Optional(POWER.key): _WATTS,
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(CURRENT.key): _AMPERES,
        probatio.Optional(_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
    },
    _MULTIMETER: {
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(CURRENT.key): _AMPERES,
        probatio.Required(_RESISTIVE, default=True): BooleanSelector(),
        probatio.Optional(_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
    },
    _KNOWN_LOAD: {
        probatio.Optional(_RATED_POWER): _WATTS,
        probatio.Required(_RATED_VOLTAGE, default=230): _VOLTS,
        probatio.Required(_KIND, default=LoadKind.HEATER): SelectSelector(
            SelectSelectorConfig(options=list(LoadKind), translation_key="load_kind")
        ),
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(_TOLERANCE, default=5): _PER_CENT,
    },
}


_VOLTAGE_FIELDS: Final[dict[Any, Any]] = {
    probatio.Optional(VOLTAGE.key): _VOLTS,
    probatio.Optional(_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
}


class CalibrationSteps(OptionsFlow):
    """Nothing is changed before the person says so on the page with the result."""

    _instrument: str = _WATT_METER
    _keep: bool = False
    _voltage_only: bool = False
    _comparison: Comparison | None = None
    _turn: asyncio.Task[str] | None = None
    _measured: float = 0.0
    _sample: Sample | None = None
    _proposal: Proposal | None = None
    _pending: Mapping[str, Calibration] = {}
    """What the loads compared so far lead to."""
    _words: Mapping[str, str] = {}

    @property
    def socket(self) -> SocketState:
        """Return the live socket; aborts the dialog where it is not set up."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("not_loaded")
        socket: SocketState = self.config_entry.runtime_data
        return socket

    async def async_step_calibration(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what there is to compare with."""
        if not self.socket.profile.has_meter:
            return self.async_abort(reason="no_meter")
        self._words = await async_get_translations(
            self.hass, self.hass.config.language, "selector", [DOMAIN]
        )
        self._pending = {}
        options = [_WATT_METER, _MULTIMETER, _KNOWN_LOAD]
        if self.socket.calibration.can_undo:
            options.append("undo")
        if self.socket.calibration.known:
            options.append("reset")
        return self.async_show_menu(
            step_id="calibration",
            menu_options=options,
            description_placeholders={"known": self._known_table()},
        )

    async def async_step_watt_meter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how to connect a watt-meter and a load."""
        return await self._plug_in(_WATT_METER, user_input)

    async def async_step_multimeter(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say how to use a multimeter, and what not to do with it."""
        return await self._plug_in(_MULTIMETER, user_input)

    async def async_step_known_load(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say which loads can be trusted to draw what their label says."""
        return await self._plug_in(_KNOWN_LOAD, user_input)

    async def async_step_second_load(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another load to be plugged in; what the first led to is kept."""
        if user_input is None:
            self._pending = self._everything.calibrations
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
        if step == _MULTIMETER:
            fields[probatio.Required(_VOLTAGE_ONLY, default=False)] = BooleanSelector()
        if step == instrument and any(
            key in self.socket.calibration.known for key in STEPS
        ):
            fields[probatio.Required(_KEEP, default=False)] = BooleanSelector()
        errors: dict[str, str] = {}
        if user_input is not None:
            if step == instrument:
                self._keep = user_input.get(_KEEP, False)
                self._voltage_only = user_input.get(_VOLTAGE_ONLY, False)
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
        if self._turn is not None and self._turn.done():
            turn, self._turn = self._turn, None
            if (following := turn.result()) != "measure":
                await self._let_go()
                return self.async_show_progress_done(next_step_id=following)
        if self._turn is None:
            self._turn = self.hass.async_create_task(
                self._guarded_turn(), f"{DOMAIN} calibration", eager_start=False
            )
        return self.async_show_progress(
            step_id="measure",
            progress_action="measure",
            progress_task=self._turn,
            description_placeholders=self._seen(),
        )

    async def _guarded_turn(self) -> str:
        try:
            return await self._measure_for_a_turn()
        except CalibrationError as err:
            return "no_load" if err.refusal is Refusal.RELAY_OFF else "interrupted"
        except ConsoleError, AbortFlow:
            return "interrupted"
        except Exception:  # noqa: BLE001 - whatever it was, the person gets a page
            LOGGER.exception("The calibration stopped unexpectedly")
            return "interrupted"

    async def _measure_for_a_turn(self) -> str:
        if self._comparison is None:
            self._measured = 0.0
            comparison = Comparison(self.hass, self.socket, self._compared)
            self._comparison = await comparison.__aenter__()
        comparison = self._comparison
        turn = _TURN if self._measured else _FIRST_TURN
        complete = await comparison.collect(turn)
        self._measured += turn
        self.async_update_progress(min(1.0, comparison.sampler.collected / WANTED))
        self._sample = comparison.sample()
        if self._reads_nothing(self._sample):
            return "no_load"
        if complete:
            return "reference"
        return "unsteady" if comparison.is_hopeless(self._measured) else "measure"

    def _reads_nothing(self, sample: Sample) -> bool:
        return sample.method is Method.HTTP and any(
            sample.mean(key) == 0 for key in self._compared
        )

    def _seen(self) -> dict[str, str]:
        comparison = self._comparison
        sampler = comparison.sampler if comparison else None
        latest = sampler.latest if sampler else {}
        corrections = comparison.socket.calibration.corrections if comparison else {}
        return {
            **{
                key: with_unit(
                    key, corrections[key](value) if key in corrections else value
                )
                if (value := latest.get(key)) is not None
                else _NOTHING
                for key in STEPS
            },
            "seconds": f"{sampler.collected:.0f}" if sampler else "0",
            "wanted": f"{WANTED}",
            "moving": self._word("movement", (sampler and sampler.moving) or "none"),
            "method": self._word("sampling", sampler.method if sampler else "none"),
        }

    async def async_step_no_load(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that nothing flows."""
        return self._page("no_load", "measure", "stop")

    async def async_step_interrupted(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the socket went away."""
        return self._page("interrupted", "measure", "stop")

    async def async_step_unsteady(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say what keeps moving."""
        return self._page("unsteady", "measure", "reference", "stop")

    async def async_step_reference(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what the reference shows; a value that cannot be meant is said to be one."""
        assert self._sample is not None
        fields = dict(
            _VOLTAGE_FIELDS
            if self._voltage_only
            else _REFERENCE_FIELDS[self._instrument]
        )
        errors: dict[str, str] = {}
        placeholders = self._means(self._sample)
        if user_input is not None:
            try:
                self._proposal = self._propose(self._sample, user_input)
            except CalibrationError as err:
                errors["base"] = str(err.refusal)
                placeholders |= refusal_placeholders(err)
                if err.overridable:
                    fields[probatio.Required(_TRUST, default=False)] = BooleanSelector()
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
        earlier: Mapping[str, Calibration] = calibration.known
        if not self._keep:
            # Also of what only the second load is compared by.
            earlier = {key: replace(item, points=()) for key, item in earlier.items()}
        return propose(
            sample,
            self._references(sample, typed),
            {**earlier, **self._pending},
            add=second or self._keep,
            trust_person=typed.get(_TRUST, False),
            factors=calibration.factors,
        )

    def _references(self, sample: Sample, typed: dict[str, Any]) -> References:
        voltage: float | None = typed.get(VOLTAGE.key)
        if self._instrument != _KNOWN_LOAD:
            return References(
                voltage=voltage,
                current=typed.get(CURRENT.key),
                power=typed.get(POWER.key),
                resistive=typed.get(_RESISTIVE, False),
                accuracy=typed.get(_ACCURACY, 0) / 100,
            )
        correction = self.socket.calibration.calibration_of(VOLTAGE.key).correction
        mains = voltage or correction(sample.mean(VOLTAGE.key) or 0.0)
        watts, volts = typed.get(_RATED_POWER), typed[_RATED_VOLTAGE]
        if not watts:
            raise CalibrationError(Refusal.NO_REFERENCE)
        if not (mains and volts):
            raise CalibrationError(
                Refusal.ZERO_READING,
                reading=mains,
                reference=volts,
                quantity=VOLTAGE.key,
            )
        return references_of_load(
            watts,
            volts,
            kind=LoadKind(typed[_KIND]),
            mains=mains,
            mains_measured=bool(voltage),
            tolerance=typed.get(_TOLERANCE, 0) / 100,
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
                "table": self._result_table(self._proposal),
                "quality": self._quality(self._proposal),
                "contradictions": self._contradictions(self._proposal),
            },
        )

    async def async_step_save(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put the result in force."""
        apply_proposal(self.socket, _ACTION, self._everything)
        return self._finish()

    async def async_step_save_in_socket(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Put the result in force and set the socket's own gain too."""
        if self._turn is None:
            self._turn = self.hass.async_create_task(
                self._set_socket(), f"{DOMAIN} calibration", eager_start=False
            )
        if not self._turn.done():
            return self.async_show_progress(
                step_id="save_in_socket",
                progress_action="save_in_socket",
                progress_task=self._turn,
            )
        turn, self._turn = self._turn, None
        return self.async_show_progress_done(next_step_id=turn.result())

    async def _set_socket(self) -> str:
        try:
            proposal = self._everything
            async with Comparison(
                self.hass, self.socket, proposal.references
            ) as comparison:
                done = await comparison.apply(_ACTION, proposal, own_gain=True)
        except OwnGainError, CalibrationError, ConsoleError, AbortFlow:
            return "socket_not_set"
        except Exception:  # noqa: BLE001 - whatever it was, the person gets a page
            LOGGER.exception("The socket's own gain could not be set")
            return "socket_not_set"
        confirmed = done.get("socket", {}).get("confirmed", False)
        return "finish" if confirmed else "socket_unconfirmed"

    async def async_step_socket_not_set(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that nothing was changed, as the socket could not be set."""
        return self._page("socket_not_set", "save_in_socket", "save", "stop")

    async def async_step_socket_unconfirmed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the values are right here, whatever the socket itself shows."""
        return self._page("socket_unconfirmed", "finish")

    async def async_step_finish(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End with what is in force."""
        return self._finish()

    async def async_step_undo(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the last step back."""
        self.socket.calibration.undo()
        return self._finish()

    async def async_step_reset(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show again what the socket itself says."""
        calibration = self.socket.calibration
        calibration.apply("reset_calibration", dict.fromkeys(calibration.known))
        return self._finish()

    async def async_step_stop(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End without a change."""
        return self.async_abort(reason="nothing_changed")

    @property
    def _everything(self) -> Proposal:
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

    def _page(self, step_id: str, *options: str) -> ConfigFlowResult:
        return self.async_show_menu(
            step_id=step_id,
            menu_options=list(options),
            description_placeholders=self._means(self._sample),
        )

    def _means(self, sample: Sample | None) -> dict[str, str]:
        """Return what a sample reads on average, as it is shown now."""
        corrections = self.socket.calibration.corrections
        means: dict[str, str] = {"seconds": f"{sample.seconds:.0f}" if sample else "0"}
        for key in STEPS:
            mean = sample.mean(key) if sample else None
            if mean is not None and key in corrections:
                mean = corrections[key](mean)
            means[key] = _NOTHING if mean is None else with_unit(key, mean)
        return means

    def _word(self, selector: str, option: str) -> str:
        key = f"component.{DOMAIN}.selector.{selector}.options.{option}"
        return self._words.get(key, option)

    def _known_table(self) -> str:
        calibration = self.socket.calibration
        rows = [
            tuple(self._word("result_column", name) for name in ("quantity", "state"))
        ]
        for key in STEPS:
            known = calibration.known.get(key)
            word = self._word("quality", known.quality if known else "none")
            rows.append((self._word("calibrated_quantity", key), word))
        return _table(rows)

    def _result_table(self, proposal: Proposal) -> str:
        """Return one column for each quantity, which fits a phone."""
        calibration = self.socket.calibration
        columns = [tuple(self._word("result_column", name) for name in _RESULTS)]
        for key, reference in proposal.references.items():
            fitted = proposal.calibrations[key]
            mean = proposal.sample.measurements[key].mean
            columns.append(
                (
                    self._word("calibrated_quantity", key),
                    with_unit(key, calibration.calibration_of(key).correction(mean)),
                    with_unit(key, reference),
                    with_unit(key, fitted.correction(mean)),
                    f"{_clean(fitted.residuals[-1])} {UNITS[key]}",
                    f"± {fitted.uncertainty(mean):.2g} {UNITS[key]}",
                )
            )
        return _table(zip(*columns, strict=True))

    def _quality(self, proposal: Proposal) -> str:
        qualities = [fitted.quality for fitted in proposal.calibrations.values()]
        return self._word("quality", max(qualities, key=list(Quality).index))

    def _contradictions(self, proposal: Proposal) -> str:
        return "\n".join(
            f"- {self._word('contradiction', found)}"
            for found in proposal.contradictions
        )

    async def _let_go(self) -> None:
        comparison, self._comparison = self._comparison, None
        if comparison is not None:
            await comparison.__aexit__()

    @callback
    @override
    def async_remove(self) -> None:
        """Let others calibrate when the dialog is closed, whichever way."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()
        if self._comparison is not None:
            self.hass.async_create_task(self._let_go(), f"{DOMAIN} calibration")


_RESULTS: Final = (
    "quantity",
    "before",
    "reference",
    "after",
    "residual",
    "uncertainty",
)


def _clean(residual: float) -> str:
    """Return what is left with one digit, and nothing where nothing is."""
    return f"{residual:+.1g}" if abs(residual) > 1e-4 else "0"


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as a table in Markdown; the first one is its head."""
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
