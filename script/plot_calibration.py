"""Draw the error of a simulated socket against the load, before and after calibration.

``python -m script.plot_calibration`` writes docs/calibration.svg.
"""

from collections.abc import Callable, Iterator, Sequence
from math import log10
from pathlib import Path
from typing import Final

from custom_components.openbk.pyopenbk.metering.calibration import (
    CalibrationPoint,
    calibrate,
)
from custom_components.openbk.pyopenbk.metering.correction import IDENTITY
from custom_components.openbk.pyopenbk.metering.series import Measurement, measure
from simulator.clock import Clock
from simulator.meter import WATTS_PER_HERTZ, Bl0937, Response

PICTURE: Final = Path(__file__).parent.parent / "docs" / "calibration.svg"
# The socket that this project began with: 8 % off, and 1.2 W off from below.
GAIN: Final = 1.08
OFFSET: Final = 1.2
MINUTE: Final = 60

_LOADS: Final = tuple(5 * (3600 / 5) ** (step / 60) for step in range(61))
_LEFT, _RIGHT, _WIDTH = 78, 690, 720
_PANELS: Final = ((50, 270, 40.0, 10.0), (330, 550, 4.0, 1.0))
"""Top, bottom, largest error shown and distance of the lines, in per cent."""
_CURVES: Final = (
    ("not calibrated", "#c0392b"),
    ("one point: 2 kW", "#d68910"),
    ("two points: 60 W and 2 kW", "#1e8449"),
)


class Minute:
    """Measures a load for a minute, as a calibration does over HTTP."""

    def __init__(self, seed: int) -> None:
        """Take a socket from the shelf; the same seed gives the same noise."""
        self._meter = Bl0937(
            Clock(),
            power=Response(
                gain=1 / GAIN, offset=-OFFSET / GAIN, noise=0.001, cutoff=0.3
            ),
            seed=seed,
        )
        self._meter.relay_closed = True

    def __call__(self, watts: float) -> Measurement:
        """Return the mean of sixty one-second windows at a load."""
        self._meter.set_load(watts)
        readings = [
            self._meter.pulses_cf(1) * WATTS_PER_HERTZ for _ in range(MINUTE + 1)
        ]
        # The first window begins with what was left of a pulse of the load before.
        return measure(readings[1:], WATTS_PER_HERTZ)


def errors(seed: int = 2) -> list[list[float]]:
    """Return the errors in per cent at each load, curve by curve."""
    minute = Minute(seed)

    def point(watts: float) -> CalibrationPoint:
        return CalibrationPoint(measurement=minute(watts), reference=watts)

    large, small = point(2000), point(60)
    corrections: tuple[Callable[[float], float], ...] = (
        IDENTITY,
        calibrate([large]).correction,
        calibrate([large, small]).correction,
    )
    means = [(watts, minute(watts).mean) for watts in _LOADS]
    return [
        [100 * (correction(mean) - watts) / watts for watts, mean in means]
        for correction in corrections
    ]


def draw(curves: Sequence[Sequence[float]]) -> str:
    """Return the picture as SVG."""
    body = [*_head()]
    for top, bottom, limit, every in _PANELS:
        body += _panel(top, bottom, limit, every)
        for (_, colour), curve in zip(_CURVES, curves, strict=True):
            body += _curve(curve, colour, top, bottom, limit)
    return "\n".join([*body, "</svg>", ""])


def _x(watts: float) -> float:
    span = log10(_LOADS[-1] / _LOADS[0])
    return _LEFT + (_RIGHT - _LEFT) * log10(watts / _LOADS[0]) / span


def _y(per_cent: float, top: float, bottom: float, limit: float) -> float:
    return (top + bottom) / 2 - (bottom - top) / 2 * per_cent / limit


def _head() -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="580" '
        f'viewBox="0 0 {_WIDTH} 580" font-family="sans-serif" font-size="13">'
    )
    yield f'<rect width="{_WIDTH}" height="580" fill="#ffffff"/>'
    for index, (name, colour) in enumerate(_CURVES):
        x = _LEFT + 180 * index
        yield (
            f'<path d="M{x} 24h26" stroke="{colour}" stroke-width="2.5"/>'
            f'<text x="{x + 32}" y="28">{name}</text>'
        )


def _panel(top: float, bottom: float, limit: float, every: float) -> Iterator[str]:
    yield (
        f'<clipPath id="panel{top}"><rect x="{_LEFT}" y="{top}" '
        f'width="{_RIGHT - _LEFT}" height="{bottom - top}"/></clipPath>'
    )
    yield _promise(top, bottom, limit)
    steps = int(limit / every)
    for step in range(-steps, steps + 1):
        y = _y(step * every, top, bottom, limit)
        colour = "#555555" if step == 0 else "#dddddd"
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{colour}"/>'
        yield (
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{step * every:+.0f} %</text>"
        )
    for watts in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 3600):
        x = _x(watts)
        label = f"{watts} W" if watts < 1000 else f"{watts / 1000:g} kW"
        yield f'<path d="M{x:.1f} {top}V{bottom}" stroke="#eeeeee"/>'
        yield (
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        )
    yield (
        f'<text x="18" y="{(top + bottom) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 18 {(top + bottom) / 2})">error of one minute</text>'
    )


def _promise(top: float, bottom: float, limit: float) -> str:
    """Shade what is promised: half a per cent or 0.3 W, whichever is more."""
    allowed = [(watts, min(limit, max(0.5, 30 / watts))) for watts in _LOADS]
    upper = [f"{_x(w):.1f} {_y(p, top, bottom, limit):.1f}" for w, p in allowed]
    lower = [f"{_x(w):.1f} {_y(-p, top, bottom, limit):.1f}" for w, p in allowed[::-1]]
    return f'<path d="M{"L".join(upper + lower)}Z" fill="#d5f5e3"/>'


def _curve(
    curve: Sequence[float], colour: str, top: float, bottom: float, limit: float
) -> Iterator[str]:
    points = "L".join(
        f"{_x(watts):.1f} {_y(error, top, bottom, limit):.1f}"
        for watts, error in zip(_LOADS, curve, strict=True)
    )
    yield (
        f'<path d="M{points}" fill="none" stroke="{colour}" stroke-width="2.5" '
        f'clip-path="url(#panel{top})"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(errors()), encoding="utf-8")
