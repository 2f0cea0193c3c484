"""Sets the socket's own factors, so that its page and its counter come near the truth too."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ..live.calibration import Stored
from ..live.state import SocketState
from ..pyopenbk.errors import OpenBekenError
from ..pyopenbk.metering.series import Measurement
from ..pyopenbk.metering.session import Proposal
from ..pyopenbk.meters import Meter
from ..pyopenbk.obk.console import ConsoleError
from ..pyopenbk.obk.meter import factor_command, read_factors
from ..pyopenbk.obk.saving import until_saved
from .sampling import HttpSampler

# A factor is set from one second's pulses: with so many, one of them is half a per cent.
LEAST_PULSES: Final = 200
# Where the part of a count is lost, the mains have some hundred of them, and no load makes more.
_LEAST_WHOLE: Final = 100
# A meter whose counts are fine flickers by many of them.
_LARGEST_SCATTER: Final = 0.005
# What a second's pulses may miss, what the load may do in that second.
_AGREES: Final = 0.03
_CONFIRMING: Final = 6


class OwnGainError(OpenBekenError):
    """The socket's own factors cannot be set now; ``reason`` is the key of a text."""

    def __init__(self, reason: str, quantity: str | None = None) -> None:
        """Keep the reason and the quantity that it is about."""
        super().__init__(f"{reason}: {quantity}")
        self.reason = reason
        self.quantity = quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGain:
    """What was set in the socket, and whether its readings followed."""

    before: Mapping[str, float]
    after: Mapping[str, float]
    confirmed: bool


def check_load(proposal: Proposal) -> None:
    """Raise OwnGainError where the load is too small for a factor from a single second.

    Whoever insists on readings that moved has a correction of them, but no factor.
    """
    if not proposal.sample.steady:
        raise OwnGainError("load_unsteady")
    for key in proposal.references:
        if not _is_enough(proposal.sample.measurements[key]):
            raise OwnGainError("load_too_small", key)


def _is_enough(measured: Measurement) -> bool:
    if measured.cut:
        return measured.mean >= _LEAST_WHOLE * measured.increment
    if measured.mean < LEAST_PULSES * measured.increment:
        return False
    is_whole = measured.increment == measured.step
    return is_whole or measured.scatter < _LARGEST_SCATTER * measured.mean


async def async_check_still_there(sampler: HttpSampler, proposal: Proposal) -> None:
    """Raise OwnGainError where the load has changed since; ConsoleError where nobody answers."""
    now = await _mean(sampler, proposal)
    for key, mean in now.items():
        expected = proposal.sample.measurements[key].mean
        if abs(mean - expected) > _AGREES * expected:
            raise OwnGainError("load_changed", key)


async def async_set_own_gain(
    socket: SocketState, sampler: HttpSampler, proposal: Proposal, step: Stored
) -> OwnGain:
    """Set the factors of what was just calibrated, with the load still connected.

    The corrections have to be in force already; ``step`` is their note in the history. They are
    recomputed in the same moment, and no reading is let through in between, so what is shown does
    not jump. Raises OwnGainError where the socket did not obey, and ConsoleError where it fell
    silent before.
    """
    console, calibration = sampler.console, socket.calibration
    meter = socket.profile.assumed_meter
    before = await read_factors(console, meter)
    with calibration.held():
        try:
            for key, reference in proposal.references.items():
                await console.command(factor_command(key, reference))
        except ConsoleError as err:
            raise OwnGainError("not_obeyed") from err
        finally:
            # Also after half of the commands: what the socket has now is what counts.
            after = await _read_changed(sampler, meter, before, proposal)
            calibration.note_factors(after, step)
            socket.expect_new_readings()
        confirmed = await _confirm(sampler, proposal)
    sampler.factors = dict(after)
    return OwnGain(before=before, after=after, confirmed=confirmed)


async def _read_changed(
    sampler: HttpSampler, meter: Meter, before: Mapping[str, float], proposal: Proposal
) -> dict[str, float]:
    """Read the factors until they are saved; those that stay were not set."""
    wanted = proposal.references
    factors: dict[str, float] | None = None

    async def is_saved() -> bool:
        nonlocal factors
        with suppress(ConsoleError):
            factors = await read_factors(sampler.console, meter)
            return all(factors[key] != before[key] for key in wanted)
        return False

    await until_saved(is_saved, sampler.sleep)
    if factors is not None:
        return factors
    # Nobody answers any more: what it must have become, to within a pulse.
    return {
        **before,
        **{
            key: before[key] * reference / proposal.sample.measurements[key].mean
            for key, reference in proposal.references.items()
        },
    }


async def _confirm(sampler: HttpSampler, proposal: Proposal) -> bool:
    """Return whether the socket's own readings are near the references now."""
    try:
        now = await _mean(sampler, proposal)
    except ConsoleError:
        return False
    return all(
        abs(mean - proposal.references[key]) <= _AGREES * proposal.references[key]
        for key, mean in now.items()
    )


async def _mean(sampler: HttpSampler, proposal: Proposal) -> dict[str, float]:
    readings = await sampler.read(_CONFIRMING)
    return {
        key: sum(reading[key] for reading in readings) / len(readings)
        for key in proposal.references
    }
