"""What is asked for at each kind of reference, as the fields of a form."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
)
import probatio

from ...pyopenbk.metering.errors import CalibrationError, Refusal
from ...pyopenbk.metering.session import (
    USUAL_ACCURACY,
    LoadKind,
    References,
    references_of_load,
)
from ...pyopenbk.quantities import CURRENT, POWER, VOLTAGE

WATT_METER: Final = "watt_meter"
MULTIMETER: Final = "multimeter"
KNOWN_LOAD: Final = "known_load"
CONF_ACCURACY: Final = "accuracy"
CONF_KIND: Final = "kind"
CONF_RATED_POWER: Final = "rated_power"
CONF_RATED_VOLTAGE: Final = "rated_voltage"
CONF_RESISTIVE: Final = "resistive"
CONF_TOLERANCE: Final = "tolerance"
CONF_TRUST: Final = "trust"
CONF_KEEP: Final = "keep"
CONF_VOLTAGE_ONLY: Final = "voltage_only"


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
REFERENCE_FIELDS: Final[dict[str, dict[Any, Any]]] = {
    WATT_METER: {
        # The browser would fill what is required with a 0.
        probatio.Optional(POWER.key): _WATTS,
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(CURRENT.key): _AMPERES,
        probatio.Optional(CONF_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
    },
    MULTIMETER: {
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(CURRENT.key): _AMPERES,
        probatio.Required(CONF_RESISTIVE, default=True): BooleanSelector(),
        probatio.Optional(CONF_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
    },
    KNOWN_LOAD: {
        probatio.Optional(CONF_RATED_POWER): _WATTS,
        probatio.Required(CONF_RATED_VOLTAGE, default=230): _VOLTS,
        probatio.Required(CONF_KIND, default=LoadKind.HEATER): SelectSelector(
            SelectSelectorConfig(options=list(LoadKind), translation_key="load_kind")
        ),
        probatio.Optional(VOLTAGE.key): _VOLTS,
        probatio.Optional(CONF_TOLERANCE, default=5): _PER_CENT,
    },
}


VOLTAGE_FIELDS: Final[dict[Any, Any]] = {
    probatio.Optional(VOLTAGE.key): _VOLTS,
    probatio.Optional(CONF_ACCURACY, default=100 * USUAL_ACCURACY): _PER_CENT,
}


def references_of(
    instrument: str, typed: Mapping[str, Any], voltage_read: tuple[float, float]
) -> References:
    """Return what a filled form says that the true values are; raises CalibrationError.

    ``voltage_read`` is what the socket reads in V, corrected as it is now, with its half-width.
    """
    voltage: float | None = typed.get(VOLTAGE.key)
    if instrument != KNOWN_LOAD:
        return References(
            voltage=voltage,
            current=typed.get(CURRENT.key),
            power=typed.get(POWER.key),
            resistive=typed.get(CONF_RESISTIVE, False),
            accuracy=typed.get(CONF_ACCURACY, 0) / 100,
        )
    doubt: float | None
    mains, doubt = voltage_read
    if voltage:
        mains, doubt = voltage, None
    watts, volts = typed.get(CONF_RATED_POWER), typed[CONF_RATED_VOLTAGE]
    if not watts:
        raise CalibrationError(Refusal.NO_REFERENCE)
    if not (mains and volts):
        raise CalibrationError(
            Refusal.ZERO_READING, reading=mains, reference=volts, quantity=VOLTAGE.key
        )
    return references_of_load(
        watts,
        volts,
        kind=LoadKind(typed[CONF_KIND]),
        mains=mains,
        doubt=doubt,
        tolerance=typed.get(CONF_TOLERANCE, 0) / 100,
    )
