"""What is known of a socket's meter: its corrections, how sure they are, and how they came about."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..const import LOGGER
from ..helpers import Listeners
from ..pyopenbk.metering.calibration import Calibration, uncalibrated
from ..pyopenbk.metering.correction import Correction, CorrectionError
from ..pyopenbk.metering.session import at_factors
from ..pyopenbk.meters import Meter
from ..pyopenbk.obk.messages import Value
from ..pyopenbk.quantities import CALIBRATED, CURRENT, POWER, VOLTAGE

CONF_CALIBRATION: Final = "calibration"

_KNOWN: Final = "known"
_HISTORY: Final = "history"
_FACTORS: Final = "factors"
_LONGEST_HISTORY: Final = 20
# Digits behind the comma, two more than are shown.
_DIGITS: Final = {VOLTAGE.key: 3, CURRENT.key: 5, POWER.key: 3}
# A pulse that one second misses the next one counts; this is the standard deviation of that.
_PULSE_UNCERTAINTY: Final = 0.41

type Stored = dict[str, Any]


class SocketCalibration:
    """The corrections of one socket, kept in the options of its entry."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry[Any], meter: Meter
    ) -> None:
        """Read what is stored; a damaged record counts as none."""
        self._meter = meter
        self._hass = hass
        self._entry = entry
        self._listeners: Listeners[[]] = Listeners()
        self._holders = 0
        self.lock = asyncio.Lock()
        """Held by whoever compares the socket with a reference."""
        stored: Mapping[str, Any] = entry.options.get(CONF_CALIBRATION, {})
        self.known = _read(stored.get(_KNOWN, {}))
        self.history: list[Stored] = list(stored.get(_HISTORY, []))
        self.factors: dict[str, float] = dict(stored.get(_FACTORS, {}))
        """The socket's own factors as they were read last."""
        self.corrections: Mapping[str, Correction]
        self._follow_known()

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call a listener when a correction, or how sure it is, has changed."""
        return self._listeners.add(listener)

    def correct(self, key: str, number: Value) -> Value | None:
        """Return what is shown for a reading of the socket's, None while its factors change."""
        if self._holders:
            return None
        if (correction := self.corrections.get(key)) is None:
            return number
        return round(correction(float(number)), _DIGITS[key])

    def power_correction(self) -> Correction | None:
        """Return the correction of power, which energy follows."""
        return self.corrections.get(POWER.key)

    def calibration_of(self, key: str) -> Calibration:
        """Return the calibration of a quantity, or what is assumed without one."""
        return self.known.get(key) or uncalibrated(
            self._meter.steps(self.factors)[key], self.factors.get(key)
        )

    def uncertainty(self, key: str, shown: float) -> float:
        """Return the half-width of the 95 % interval around a value shown for one second.

        Both are in the unit of the quantity: V, A or W.
        """
        calibration = self.calibration_of(key)
        correction = calibration.correction
        reading = (
            max(0.0, (shown - correction.offset) / correction.gain) if shown else 0.0
        )
        pulse = _PULSE_UNCERTAINTY * self._meter.steps(self.factors)[key]
        return calibration.uncertainty(reading, pulse if reading else 0.0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no reading through while the socket's own factors change."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    @callback
    def learn_factors(self, factors: Mapping[str, float]) -> None:
        """Take over the socket's own factors, whoever set them.

        A calibration is about pulses, so it holds with any factor; only its gain becomes another.
        """
        if factors == self.factors:
            return
        if self.factors:
            # One that was made without knowing them was made with those of then.
            self.known = at_factors(self.known, self.factors)
        self.factors = dict(factors)
        self.known = at_factors(self.known, factors)
        self._changed()

    @callback
    def apply(
        self, action: str, changes: Mapping[str, Calibration | None], **details: Any
    ) -> None:
        """Put calibrations in force, None for no correction, and note it in the history.

        Somebody else may have set the socket's factors since they were made.
        """
        changes = {
            key: calibration and calibration.at_factor(self.factors.get(key))
            for key, calibration in changes.items()
        }
        before = {
            key: calibration.as_dict() if (calibration := self.known.get(key)) else None
            for key in changes
        }
        for key, calibration in changes.items():
            if calibration is None:
                self.known.pop(key, None)
            else:
                self.known[key] = calibration
        self.history.append(
            {
                "at": dt_util.utcnow().isoformat(timespec="seconds"),
                "action": action,
                "before": before,
                "factors_before": dict(self.factors),
                "after": {
                    key: calibration.as_dict() if calibration else None
                    for key, calibration in changes.items()
                },
                **details,
            }
        )
        del self.history[:-_LONGEST_HISTORY]
        self._changed()

    @callback
    def note_factors(self, factors: Mapping[str, float], step: Stored) -> None:
        """Take over factors that we set in the socket, as part of a step of the history."""
        step["factors_after"] = dict(factors)
        self.learn_factors(factors)

    @property
    def can_undo(self) -> bool:
        """Return whether there is a step to take back."""
        return self._last_step() is not None

    @callback
    def undo(self) -> Stored | None:
        """Take the last step back; return its note, None without one.

        The socket's own factors stay, as the firmware has no way to set one back; what is shown
        is what was shown before.
        """
        if (step := self._last_step()) is None:
            return None
        for key, stored in step["before"].items():
            restored = self._restore(key, stored, step["factors_before"].get(key))
            if restored is None:
                self.known.pop(key, None)
            else:
                self.known[key] = restored
        step["undone"] = True
        self._changed()
        return step

    def _restore(
        self, key: str, before: Stored | None, then: float | None
    ) -> Calibration | None:
        now = self.factors.get(key)
        if before is not None:
            return Calibration.from_dict(before).at_factor(now)
        if then is None or now is None or then == now:
            return None
        # Nothing was corrected, but with a factor that the socket no longer has.
        return uncalibrated(then, then).at_factor(now)

    def _last_step(self) -> Stored | None:
        return next(
            (step for step in reversed(self.history) if not step.get("undone")), None
        )

    def _changed(self) -> None:
        self._follow_known()
        self._save()
        self._listeners.tell()

    def _follow_known(self) -> None:
        self.corrections = {
            key: calibration.correction
            for key, calibration in self.known.items()
            if not calibration.correction.is_identity
        }

    def _save(self) -> None:
        stored = {
            _KNOWN: {key: item.as_dict() for key, item in self.known.items()},
            _HISTORY: [dict(step) for step in self.history],
            _FACTORS: dict(self.factors),
        }
        self._hass.config_entries.async_update_entry(
            self._entry, options={**self._entry.options, CONF_CALIBRATION: stored}
        )


def without_calibration(options: Mapping[str, Any]) -> Stored:
    """Return the options of a socket whose meter is another one now; the history stays."""
    stored: Stored = dict(options.get(CONF_CALIBRATION, {}))
    stored |= {_KNOWN: {}, _FACTORS: {}}
    # What was done to the other meter cannot be taken back on this one.
    stored[_HISTORY] = [{**step, "undone": True} for step in stored.get(_HISTORY, [])]
    return {**options, CONF_CALIBRATION: stored}


def _read(stored: Mapping[str, Stored]) -> dict[str, Calibration]:
    known = {}
    for key in CALIBRATED:
        if (item := stored.get(key)) is None:
            continue
        try:
            known[key] = Calibration.from_dict(item)
        except CorrectionError:
            LOGGER.warning("The stored calibration of %s is damaged and not used", key)
    return known
