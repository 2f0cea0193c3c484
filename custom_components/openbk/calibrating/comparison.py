"""One comparison of a socket with a reference, from the first reading to the change."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Self

from homeassistant.core import HomeAssistant

from ..const import DOMAIN
from ..helpers import written
from ..live.calibration import SocketCalibration, Stored
from ..live.snapshots import SNAPSHOTS, Before
from ..live.state import SocketState, is_online
from ..pyopenbk.metering.calibration import Calibration
from ..pyopenbk.metering.errors import CalibrationError, Refusal
from ..pyopenbk.metering.session import (
    Method,
    Proposal,
    References,
    Sample,
    propose,
    refusal_of_zero,
)
from ..pyopenbk.obk.console import ConsoleError
from ..pyopenbk.quantities import CURRENT, POWER, VOLTAGE
from .own_gain import (
    OwnGain,
    OwnGainError,
    async_check_still_there,
    async_set_own_gain,
    check_load,
)
from .sampling import WANTED, HttpSampler, Sampler, open_sampler

# A load may change twice before it is steady; whoever waits longer has no steady one. A socket
# whose readings come slowly, but from one load, is worth more time.
_PATIENCE: Final = 3.0
_PATIENCE_WITHOUT_A_CHANGE: Final = 10.0
_FIRST_LOOK: Final = 8.0


MEASURED: Final = {quantity.key: quantity for quantity in (VOLTAGE, CURRENT, POWER)}
"""What has a reference, by its key."""


def refusal_placeholders(
    hass: HomeAssistant, error: CalibrationError
) -> dict[str, str]:
    """Return the values that the text of a refusal names, with their units."""
    return {
        "reading": _shown(hass, error.quantity, error.reading),
        "reference": _shown(hass, error.quantity, error.reference),
    }


def _shown(hass: HomeAssistant, key: str | None, value: float | None) -> str:
    if key is None or value is None:
        return "?"
    return written(hass, MEASURED[key].text(value))


def check_ready(socket: SocketState, keys: Collection[str]) -> None:
    """Raise CalibrationError where there can be nothing to compare."""
    if not keys:
        raise CalibrationError(Refusal.NO_REFERENCE)
    entry = socket.entry
    if not is_online(entry) or entry.runtime_data is not socket:
        # One that was set up anew meanwhile shows its readings with what that one knows.
        raise CalibrationError(Refusal.OFFLINE)
    if set(keys) != {VOLTAGE.key} and socket.all_relays_open:
        raise CalibrationError(Refusal.RELAY_OFF)


def propose_for(
    calibration: SocketCalibration,
    sample: Sample,
    references: References,
    *,
    known: Mapping[str, Calibration] | None = None,
    add: bool = False,
    trust_person: bool = False,
) -> Proposal:
    """Return what a sample and its references lead to; raises CalibrationError.

    ``known`` takes the place of what the socket is calibrated by.
    """
    return propose(
        sample,
        references,
        calibration.known if known is None else known,
        add=add,
        trust_person=trust_person,
        factors=calibration.factors,
    )


class Comparison:
    """Samples one load and calibrates by it; nothing changes before ``apply``."""

    def __init__(
        self,
        hass: HomeAssistant,
        socket: SocketState,
        keys: Collection[str],
        wanted: float = WANTED,
    ) -> None:
        """Prepare to compare quantities, by samples of so many seconds."""
        self._hass = hass
        self.socket = socket
        self._keys = keys
        self._wanted = wanted
        self._stack = AsyncExitStack()
        self._setting: asyncio.Task[OwnGain] | None = None
        self.sampler: Sampler

    async def __aenter__(self) -> Self:
        """Reach the socket; one comparison at a time."""
        check_ready(self.socket, self._keys)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.socket.calibration.lock)
            self.sampler = await stack.enter_async_context(
                open_sampler(self._hass, self.socket, self._keys, self._wanted)
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let others compare, once the socket is set, whoever has gone meanwhile."""
        try:
            if self._setting is not None:
                await asyncio.wait([self._setting])
        finally:
            await self._stack.aclose()

    def check_own_gain(self) -> None:
        """Raise OwnGainError where the socket's own factors cannot be set and read back."""
        if self.sampler.method is not Method.HTTP:
            raise OwnGainError("http_closed")

    async def collect(self, seconds: float) -> bool:
        """Sample for so long at most; return whether the load was steady for long enough.

        Raises ConsoleError where the socket stopped to answer, and CalibrationError where it
        went offline or its relay opened.
        """
        complete = await self.sampler.run(seconds)
        check_ready(self.socket, self._keys)
        return complete

    async def collect_all(self) -> None:
        """Sample until the load was steady for long enough, or never is.

        Raises CalibrationError early where nothing is plugged in.
        """
        await self.collect(min(_FIRST_LOOK, self._wanted))
        first = self.sampler.sample()
        for key in (CURRENT.key, POWER.key):
            wanted = key in self._keys and first.method is Method.HTTP
            if wanted and first.mean(key) == 0:
                refusal = refusal_of_zero(key, first)
                raise CalibrationError(refusal, reading=0.0, quantity=key)
        waited = 0.0
        while not await self.collect(self._wanted):
            waited += self._wanted
            if self.is_hopeless(waited):
                break

    def is_hopeless(self, waited: float) -> bool:
        """Return whether a load that is not steady after so many seconds never will be."""
        patience = _PATIENCE if self.sampler.restarts else _PATIENCE_WITHOUT_A_CHANGE
        return waited >= patience * self._wanted

    def sample(self) -> Sample:
        """Return what was collected; learn the socket's own factors where they were read."""
        if isinstance(self.sampler, HttpSampler):
            self.socket.calibration.learn_factors(self.sampler.factors)
        return self.sampler.sample()

    async def apply(
        self, action: str, proposal: Proposal, *, own_gain: bool = False
    ) -> dict[str, Any]:
        """Put a proposal in force, in the socket too if asked; return what was done.

        Raises OwnGainError, before anything is changed, where the socket cannot be set.
        """
        if own_gain:
            self.check_own_gain()
            check_load(proposal)
        result = apply_proposal(self.socket, action, proposal)
        if own_gain:
            step = self.socket.calibration.history[-1]
            await self._set_own_gain(proposal, step, result)
        return result

    async def _set_own_gain(
        self, proposal: Proposal, step: Stored, result: dict[str, Any]
    ) -> None:
        assert isinstance(self.sampler, HttpSampler)
        await self.socket.hass.data[SNAPSHOTS].async_keep(
            self.socket.entry, Before.CALIBRATION, self.sampler.console
        )
        try:
            await async_check_still_there(self.sampler, proposal)
            # Who closes the dialog now must not leave the factors half known.
            self._setting = self._hass.async_create_task(
                async_set_own_gain(self.socket, self.sampler, proposal, step),
                f"{DOMAIN} own gain",
                eager_start=False,
            )
            done = await asyncio.shield(self._setting)
        except OwnGainError as err:
            # The correction is in force and right all the same.
            result["socket_problem"] = err.reason
            return
        except ConsoleError:
            result["socket_problem"] = "not_obeyed"
            return
        result["changed"]["socket"] = [
            key for key in proposal.calibrations if done.after[key] != done.before[key]
        ]
        result["socket"] = _own_gain_as_dict(done)
        for key in proposal.references:
            correction = self.socket.calibration.calibration_of(key).correction
            result[key]["gain"] = round(correction.gain, 6)


def apply_proposal(
    socket: SocketState, action: str, proposal: Proposal
) -> dict[str, Any]:
    """Put a proposal in force in Home Assistant alone; return what was done."""
    calibration, sample = socket.calibration, proposal.sample
    result: dict[str, Any] = {
        "method": str(sample.method),
        "seconds": round(sample.seconds),
    }
    for key, reference in proposal.references.items():
        measured, fitted = sample.measurements[key], proposal.calibrations[key]
        shown = calibration.calibration_of(key).correction
        result[key] = {
            "before": round(shown(measured.mean), 5),
            "after": round(fitted.correction(measured.mean), 5),
            "reading": round(measured.mean, 5),
            "reference": reference,
            "gain": round(fitted.correction.gain, 6),
            "offset": round(fitted.correction.offset, 5),
            "uncertainty": round(fitted.uncertainty(measured.mean), 5),
            "residual": round(fitted.residuals[-1], 5),
            "quality": str(fitted.quality),
            "points": len(fitted.points),
            "samples": measured.count,
        }
    calibration.apply(
        action,
        proposal.calibrations,
        method=result["method"],
        seconds=result["seconds"],
        references=dict(proposal.references),
    )
    result["contradictions"] = [str(found) for found in proposal.contradictions]
    result["changed"] = {
        "home_assistant": list(proposal.calibrations),
        "socket": [],
    }
    return result


def _own_gain_as_dict(done: OwnGain) -> dict[str, Any]:
    return {
        "before": {key: round(value, 8) for key, value in done.before.items()},
        "after": {key: round(value, 8) for key, value in done.after.items()},
        "confirmed": done.confirmed,
    }
