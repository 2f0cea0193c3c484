"""Readings that contradict each other are named."""

import pytest

from custom_components.openbk.pyopenbk.metering.plausibility import (
    Contradiction,
    Readings,
    contradictions,
)


def readings(voltage: float, current: float, power: float) -> Readings:
    """Return readings as sure as a minute makes them."""
    return Readings(
        voltage=voltage,
        current=current,
        power=power,
        voltage_uncertainty=0.5,
        current_uncertainty=0.004,
        power_uncertainty=1.0,
    )


@pytest.mark.parametrize(
    ("seen", "resistive", "relay_closed", "named"),
    [
        (readings(230, 1.0, 230), True, True, ()),
        (readings(230, 1.0, 150), False, True, ()),
        (readings(230, 1.0, 150), True, True, (Contradiction.NOT_RESISTIVE,)),
        (
            readings(230, 1.0, 260),
            False,
            True,
            (Contradiction.POWER_EXCEEDS_VOLT_AMPERES,),
        ),
        (readings(230, 0.0, 260), False, True, (Contradiction.POWER_WITHOUT_CURRENT,)),
        (readings(230, 1.0, 0), False, False, (Contradiction.CURRENT_WITHOUT_LOAD,)),
        (readings(0.3, 20.5, 0), False, True, (Contradiction.SELECT_INVERTED,)),
        (readings(400, 0, 0), False, True, (Contradiction.VOLTAGE_IMPOSSIBLE,)),
        (readings(231, 0, 0), False, True, ()),
        (readings(231, 0.012, 1.5), True, True, ()),
    ],
)
def test_contradictions_are_named(
    seen: Readings,
    resistive: bool,
    relay_closed: bool,
    named: tuple[Contradiction, ...],
) -> None:
    """Name what cannot be true together, and nothing else."""
    assert contradictions(seen, resistive=resistive, relay_closed=relay_closed) == named


def test_a_socket_on_100_volts_that_nobody_compared_is_not_wired_wrongly() -> None:
    """By the data sheet's circuit, the firmware's own factors read 15 % too little."""
    uncompared = Readings(
        voltage=84.5,
        current=7.4,
        power=705.0,
        voltage_uncertainty=9.6,
        current_uncertainty=0.85,
        power_uncertainty=80.0,
    )
    assert contradictions(uncompared) == ()
