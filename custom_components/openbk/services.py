"""Actions: compare a meter with a reference, take that back, update all sockets, use the console."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_device_and_config_entry,
    async_register_admin_service,
)
from homeassistant.helpers.typing import VolDictType
import probatio

from .calibrating.comparison import Comparison, propose_for, refusal_placeholders
from .calibrating.own_gain import OwnGainError
from .calibrating.sampling import WANTED
from .const import DOMAIN
from .issues.updates import async_update_all
from .live import console
from .live.state import OpenBekenConfigEntry, SocketState
from .pyopenbk.metering.errors import CalibrationError, Refusal
from .pyopenbk.metering.session import (
    USUAL_ACCURACY,
    LoadKind,
    References,
    Sample,
    corrected,
    references_of_load,
)
from .pyopenbk.obk.commands import MOST_WATT_HOURS
from .pyopenbk.obk.console import ConsoleError
from .pyopenbk.quantities import CALIBRATED, CURRENT, ENERGY, POWER, VOLTAGE

ATTR_ACCURACY: Final = "accuracy"
ATTR_COMMAND: Final = "command"
ATTR_ENERGY: Final = "energy"
ATTR_KIND: Final = "kind"
ATTR_QUANTITIES: Final = "quantities"
ATTR_RATED_POWER: Final = "rated_power"
ATTR_RATED_VOLTAGE: Final = "rated_voltage"
ATTR_RESISTIVE: Final = "resistive"
ATTR_SECONDS: Final = "seconds"
ATTR_SET_SOCKET: Final = "set_socket"
ATTR_TOLERANCE: Final = "tolerance"
ATTR_TRUST: Final = "trust"
ATTR_WATCH_MINUTES: Final = "watch_minutes"

# Far wider than a socket can be, so that a slip is named and not just forbidden; but finite.
_LARGEST: Final = 10_000_000
_POSITIVE: Final = probatio.All(
    probatio.Coerce(float), probatio.Range(min=0, min_included=False, max=_LARGEST)
)
_PERCENT: Final = probatio.All(probatio.Coerce(float), probatio.Range(min=0, max=50))
# Zero comes through to be refused with the reading beside it.
_REFERENCE: Final = probatio.All(
    probatio.Coerce(float), probatio.Range(min=0, max=_LARGEST)
)
# In kWh: more than a socket can use in a century.
_TOTAL: Final = probatio.All(
    probatio.Coerce(float), probatio.Range(min=0, max=MOST_WATT_HOURS / 1000)
)

_DEVICE: Final[VolDictType] = {probatio.Required(ATTR_DEVICE_ID): cv.string}
_SAMPLING: Final[VolDictType] = {
    **_DEVICE,
    probatio.Optional(ATTR_SECONDS, default=WANTED): probatio.All(
        probatio.Coerce(int), probatio.Range(min=10, max=600)
    ),
    probatio.Optional(ATTR_TRUST, default=False): cv.boolean,
}
_COMPARED: Final[VolDictType] = {
    **_SAMPLING,
    probatio.Optional(VOLTAGE.key): _REFERENCE,
    probatio.Optional(CURRENT.key): _REFERENCE,
    probatio.Optional(POWER.key): _REFERENCE,
    probatio.Optional(ATTR_RESISTIVE, default=False): cv.boolean,
    probatio.Optional(ATTR_ACCURACY, default=100 * USUAL_ACCURACY): _PERCENT,
}
_OWN_GAIN: Final[VolDictType] = {
    probatio.Optional(ATTR_SET_SOCKET, default=False): cv.boolean
}

_SCHEMAS: Final[dict[str, VolDictType]] = {
    "calibrate": {**_COMPARED, **_OWN_GAIN},
    "calibrate_with_load": {
        **_SAMPLING,
        **_OWN_GAIN,
        probatio.Required(ATTR_RATED_POWER): _POSITIVE,
        probatio.Optional(ATTR_RATED_VOLTAGE, default=230.0): _POSITIVE,
        probatio.Optional(ATTR_KIND, default=LoadKind.HEATER): probatio.Coerce(
            LoadKind
        ),
        probatio.Optional(VOLTAGE.key): _POSITIVE,
        probatio.Optional(ATTR_TOLERANCE, default=5.0): _PERCENT,
    },
    "add_calibration_point": _COMPARED,
    "reset_calibration": {
        **_DEVICE,
        probatio.Optional(ATTR_QUANTITIES, default=list(CALIBRATED)): probatio.All(
            probatio.EnsureList(), [probatio.In(CALIBRATED)]
        ),
    },
    "undo_calibration": _DEVICE,
    "set_energy": {**_DEVICE, probatio.Required(ATTR_ENERGY): _TOTAL},
    "console": {**_DEVICE, probatio.Required(ATTR_COMMAND): cv.string},
    "get_settings": _DEVICE,
    "update_all": {
        probatio.Optional(ATTR_DEVICE_ID): cv.string,
        probatio.Optional(ATTR_WATCH_MINUTES, default=5): probatio.All(
            probatio.Coerce(int), probatio.Range(min=0, max=1440)
        ),
    },
}

type Handler = Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; those that change something are for administrators."""
    handlers: dict[str, Handler] = {
        "calibrate": _calibrate,
        "calibrate_with_load": _calibrate_with_load,
        "add_calibration_point": _add_calibration_point,
        "reset_calibration": _reset_calibration,
        "undo_calibration": _undo_calibration,
        "set_energy": _set_energy,
        "console": _console,
        "get_settings": _get_settings,
        "update_all": _update_all,
    }
    for name, handler in handlers.items():
        async_register_admin_service(
            hass,
            DOMAIN,
            name,
            handler,
            probatio.Schema(_SCHEMAS[name]),
            SupportsResponse.ONLY
            if name == "get_settings"
            else SupportsResponse.OPTIONAL,
        )
    hass.services.async_register(
        DOMAIN,
        "get_calibration",
        _get_calibration,
        probatio.Schema(_DEVICE),
        SupportsResponse.ONLY,
    )


async def _calibrate(call: ServiceCall) -> ServiceResponse:
    return await _compare(call, add=False)


async def _add_calibration_point(call: ServiceCall) -> ServiceResponse:
    return await _compare(call, add=True)


async def _compare(call: ServiceCall, *, add: bool) -> ServiceResponse:
    references = References(
        voltage=call.data.get(VOLTAGE.key),
        current=call.data.get(CURRENT.key),
        power=call.data.get(POWER.key),
        resistive=call.data[ATTR_RESISTIVE],
        accuracy=call.data[ATTR_ACCURACY] / 100,
    )
    return await _run(
        call, _socket(call), set(references.values), lambda _: references, add=add
    )


async def _calibrate_with_load(call: ServiceCall) -> ServiceResponse:
    socket = _socket(call)
    measured: float | None = call.data.get(VOLTAGE.key)

    def references(sample: Sample) -> References:
        mains = measured
        doubt: float | None = None
        if mains is None:
            if not sample.mean(VOLTAGE.key):
                raise CalibrationError(Refusal.NO_READINGS, quantity=VOLTAGE.key)
            mains, doubt = corrected(VOLTAGE.key, sample, socket.calibration.known)
        return references_of_load(
            call.data[ATTR_RATED_POWER],
            call.data[ATTR_RATED_VOLTAGE],
            kind=call.data[ATTR_KIND],
            mains=mains,
            doubt=doubt,
            tolerance=call.data[ATTR_TOLERANCE] / 100,
        )

    return await _run(call, socket, set(CALIBRATED), references, add=False)


async def _run(
    call: ServiceCall,
    socket: SocketState,
    keys: set[str],
    references_of: Callable[[Sample], References],
    *,
    add: bool,
) -> ServiceResponse:
    own_gain = call.data.get(ATTR_SET_SOCKET, False)
    _check_idle(socket)
    try:
        async with Comparison(
            call.hass, socket, keys, call.data[ATTR_SECONDS]
        ) as comparison:
            if own_gain:
                comparison.check_own_gain()
            await comparison.collect_all()
            sample = comparison.sample()
            proposal = propose_for(
                socket.calibration,
                sample,
                references_of(sample),
                add=add,
                trust_person=call.data[ATTR_TRUST],
            )
            done = await comparison.apply(call.service, proposal, own_gain=own_gain)
    except CalibrationError as err:
        raise _refused(socket, err) from err
    except OwnGainError as err:
        raise _invalid(socket, f"own_gain_{err.reason}") from err
    except ConsoleError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="calibration_interrupted",
            translation_placeholders={"name": socket.entry.title},
        ) from err
    seen = done.get("socket", {}).get("confirmed", False)
    if own_gain and not seen and not call.return_response:
        # Whoever reads the response finds it there.
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="own_gain_not_set",
            translation_placeholders={"name": socket.entry.title},
        )
    return done


def _check_idle(socket: SocketState) -> None:
    if socket.calibration.lock.locked():
        raise _invalid(socket, "calibration_busy")


async def _reset_calibration(call: ServiceCall) -> ServiceResponse:
    socket = _socket(call)
    _check_idle(socket)
    calibration = socket.calibration
    keys = [key for key in call.data[ATTR_QUANTITIES] if key in calibration.known]
    if keys:
        calibration.apply("reset_calibration", dict.fromkeys(keys))
    return {"changed": {"home_assistant": keys, "socket": []}}


async def _undo_calibration(call: ServiceCall) -> ServiceResponse:
    socket = _socket(call)
    _check_idle(socket)
    step = socket.calibration.undo()
    if step is None:
        raise _invalid(socket, "nothing_to_undo")
    return {
        "undone": step["action"],
        "at": step["at"],
        "changed": {"home_assistant": list(step["before"]), "socket": []},
        "now": _corrections(socket),
    }


async def _get_calibration(call: ServiceCall) -> ServiceResponse:
    socket = _socket(call)
    calibration = socket.calibration
    return {
        "now": _corrections(socket),
        "socket_factors": dict(calibration.factors) or None,
        "history": [
            {
                key: step[key]
                for key in ("at", "action", "method", "seconds", "references", "undone")
                if key in step
            }
            for step in calibration.history
        ],
    }


async def _set_energy(call: ServiceCall) -> ServiceResponse:
    socket = _socket(call)
    before = socket.value(ENERGY.key)
    await socket.async_set_energy(call.data[ATTR_ENERGY])
    return {
        "before": before,
        "after": call.data[ATTR_ENERGY],
        "changed": {"home_assistant": [ENERGY.key], "socket": [ENERGY.key]},
    }


async def _console(call: ServiceCall) -> ServiceResponse:
    answer = await console.async_run(call.hass, _entry(call), call.data[ATTR_COMMAND])
    return {"transport": answer.transport, "response": answer.response}


async def _get_settings(call: ServiceCall) -> ServiceResponse:
    return {"settings": await console.async_settings(call.hass, _entry(call))}


async def _update_all(call: ServiceCall) -> ServiceResponse:
    first: OpenBekenConfigEntry | None = None
    if (device_id := call.data.get(ATTR_DEVICE_ID)) is not None:
        _, first = async_get_device_and_config_entry(call.hass, DOMAIN, device_id)
    report = await async_update_all(
        call.hass, watch=60.0 * call.data[ATTR_WATCH_MINUTES], first=first
    )
    if report.failed is not None and not call.return_response:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="update_all_stopped",
            translation_placeholders={
                "name": report.failed,
                "updated": str(len(report.updated)),
                "left": str(len(report.left)),
                "reason": report.reason,
            },
        )
    return report.as_dict()


def _corrections(socket: SocketState) -> dict[str, Any]:
    """Return what is in force, with the uncertainty at each load that was compared."""
    calibration = socket.calibration
    found: dict[str, Any] = {}
    for key in CALIBRATED:
        item = calibration.calibration_of(key)
        found[key] = {
            "calibrated": key in calibration.known,
            "gain": round(item.correction.gain, 6),
            "offset": round(item.correction.offset, 5),
            "quality": str(item.quality),
            "points": [
                {
                    "reading": round(point.measurement.mean, 5),
                    "reference": point.reference,
                    "residual": round(residual, 5),
                    "uncertainty": round(item.uncertainty(point.measurement.mean), 5),
                    "samples": point.measurement.count,
                }
                for point, residual in zip(item.points, item.residuals, strict=True)
            ],
        }
    return found


def _entry(call: ServiceCall) -> OpenBekenConfigEntry:
    """Return the entry of the socket that an action is for; raises ServiceValidationError."""
    _, found = async_get_device_and_config_entry(
        call.hass, DOMAIN, call.data[ATTR_DEVICE_ID]
    )
    entry: OpenBekenConfigEntry = found
    return entry


def _socket(call: ServiceCall) -> SocketState:
    """Return the socket with a meter that an action is for; raises ServiceValidationError."""
    socket = _entry(call).runtime_data
    if not socket.profile.has_meter:
        raise _invalid(socket, "no_meter")
    return socket


def _refused(socket: SocketState, error: CalibrationError) -> HomeAssistantError:
    if error.refusal is Refusal.OFFLINE:
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="socket_unreachable",
            translation_placeholders={"name": socket.entry.title},
        )
    return _invalid(
        socket,
        f"calibration_{error.refusal}",
        **refusal_placeholders(socket.hass, error),
    )


def _invalid(
    socket: SocketState, key: str, **placeholders: str
) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"name": socket.entry.title, **placeholders},
    )
