"""What the guided calibration shows: readings, tables and notes, as Markdown."""

from collections.abc import Iterable
from typing import Final

from homeassistant.core import HomeAssistant

from ...calibrating.comparison import MEASURED, Comparison
from ...calibrating.sampling import WANTED
from ...helpers import written
from ...live.calibration import SocketCalibration
from ...pyopenbk.metering.calibration import Quality
from ...pyopenbk.metering.session import Proposal, Sample
from ...pyopenbk.quantities import CALIBRATED
from ..talking import Words

_NOTHING: Final = "–"
_RESULTS: Final = (
    "quantity",
    "before",
    "reference",
    "after",
    "residual",
    "uncertainty",
)


def seen(
    hass: HomeAssistant, comparison: Comparison | None, word: Words
) -> dict[str, str]:
    """Return what the socket reads now, as it is shown, and how far the measurement is."""
    wanted = {"wanted": f"{WANTED}"}
    if comparison is None:
        return wanted | {
            **dict.fromkeys(CALIBRATED, _NOTHING),
            "seconds": "0",
            "moving": word("movement", "none"),
            "method": word("sampling", "none"),
        }
    sampler, calibration = comparison.sampler, comparison.socket.calibration
    return wanted | {
        **{
            key: _reading(hass, key, sampler.latest.get(key), calibration)
            for key in CALIBRATED
        },
        "seconds": f"{sampler.collected:.0f}",
        "moving": word("movement", sampler.moving or "none"),
        "method": word("sampling", sampler.method),
    }


def means(
    hass: HomeAssistant, sample: Sample | None, calibration: SocketCalibration
) -> dict[str, str]:
    """Return what a sample reads on average, as it is shown now."""
    readings = {
        key: _reading(hass, key, sample.mean(key) if sample else None, calibration)
        for key in CALIBRATED
    }
    return {"seconds": f"{sample.seconds:.0f}" if sample else "0", **readings}


def _reading(
    hass: HomeAssistant, key: str, value: float | None, calibration: SocketCalibration
) -> str:
    if value is None:
        return _NOTHING
    correction = calibration.corrections.get(key)
    shown = value if correction is None else correction(value)
    return written(hass, MEASURED[key].text(shown))


def known_table(calibration: SocketCalibration, word: Words) -> str:
    """Return how well each quantity is calibrated now."""
    rows = [tuple(word("result_column", name) for name in ("quantity", "state"))]
    for key in CALIBRATED:
        known = calibration.known.get(key)
        quality = word("quality", known.quality if known else "none")
        rows.append((word("calibrated_quantity", key), quality))
    return _table(rows)


def result_table(
    hass: HomeAssistant,
    proposal: Proposal,
    calibration: SocketCalibration,
    word: Words,
) -> str:
    """Return one column for each quantity, which fits a phone."""
    columns = [tuple(word("result_column", name) for name in _RESULTS)]
    for key, reference in proposal.references.items():
        fitted = proposal.calibrations[key]
        mean = proposal.sample.measurements[key].mean
        measured = MEASURED[key]
        figures = (
            measured.text(calibration.calibration_of(key).correction(mean)),
            measured.text(reference),
            measured.text(fitted.correction(mean)),
            f"{_residual(fitted.residuals[-1])} {measured.unit}",
            f"± {_rounded(fitted.uncertainty(mean), 2):g} {measured.unit}",
        )
        columns.append(
            (
                word("calibrated_quantity", key),
                *(written(hass, figure) for figure in figures),
            )
        )
    return _table(zip(*columns, strict=True))


def quality(proposal: Proposal, word: Words) -> str:
    """Return the quality of the worst of what is proposed."""
    qualities = [fitted.quality for fitted in proposal.calibrations.values()]
    return word("quality", max(qualities, key=list(Quality).index))


def contradictions(proposal: Proposal, word: Words) -> str:
    """Return a list of what does not fit together."""
    return "\n".join(
        f"- {word('contradiction', found)}" for found in proposal.contradictions
    )


def _residual(residual: float) -> str:
    """Return what is left with one digit, and nothing where nothing is."""
    return f"{_rounded(residual, 1):+g}" if abs(residual) > 1e-4 else "0"


def _rounded(number: float, digits: int) -> float:
    """Return a number with so many digits, which are then written without an exponent."""
    return float(f"{number:.{digits}g}")


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as a table in Markdown; the first one is its head."""
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
