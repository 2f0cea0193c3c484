"""The driver of relays with two coils: a pulse on one pin closes them, on another opens them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from custom_components.openbk.pyopenbk.roles import PinRole

from .arguments import Arguments
from .console import Command, Result, needing
from .state import DeviceState

_QUICK_TICK: Final = 0.025
"""Seconds between two looks of the driver (QUICK_TMR_DURATION)."""
_PULSE_TICKS: Final = 50
_LEAST_TICKS: Final = 5
_MOST_TICKS: Final = 10_000


@dataclass(slots=True)
class _Bridge:
    """One relay: its pins, its channel, and what the driver believes and wants."""

    forward: int
    reverse: int
    channel: int
    wanted: bool
    wanted_since: float
    current: bool = False
    pulse_pin: int = -1
    pulse_ends: float = 0.0


class Bridges:
    """What ``startDriver Bridge`` runs (drv_bridge_driver.c, 1.18.300).

    It takes every relay for open when it starts: one that is closed then, with its channel
    at 0, gets no pulse and stays closed. A change during a pulse waits for its end.
    """

    def __init__(self, device: DeviceState) -> None:
        """Take the pins with the roles BridgeFWD and BridgeREV, in pairs by their order."""
        self._device = device
        self._pulse_ticks = _PULSE_TICKS
        pins, now = device.pins, device.clock.now()
        self._bridges = [
            _Bridge(
                forward,
                reverse,
                pins.channel(forward),
                wanted=device.channel(pins.channel(forward)) != 0,
                wanted_since=now,
            )
            for forward, reverse in zip(
                pins.with_role(frozenset({PinRole.BRIDGE_FWD})),
                pins.with_role(frozenset({PinRole.BRIDGE_REV})),
                strict=False,
            )
        ]
        self.advance()

    def commands(self) -> Mapping[str, Command]:
        """Return the console commands that come with the driver."""

        def pulse_length(arguments: Arguments) -> Result:
            ticks = arguments.integer(0)
            self._pulse_ticks = min(max(ticks, _LEAST_TICKS), _MOST_TICKS)
            return Result.OK

        return {"bridgepulselength": needing(1, pulse_length)}

    def on_channel(self, channel: int) -> None:
        """Follow a change of a channel."""
        self.advance()
        for bridge in self._bridges:
            if bridge.channel == channel:
                bridge.wanted = self._device.channel(channel) != 0
                bridge.wanted_since = self._device.clock.now()
        self.advance()

    def level(self, pin: int) -> bool | None:
        """Return the level on a coil's pin at this moment; None for any other pin."""
        self.advance()
        now = self._device.clock.now()
        for bridge in self._bridges:
            if pin in (bridge.forward, bridge.reverse):
                return pin == bridge.pulse_pin and now < bridge.pulse_ends
        return None

    def advance(self) -> None:
        """Begin the pulses that are due by now; the contacts move with them."""
        now = self._device.clock.now()
        for bridge in self._bridges:
            start = max(bridge.wanted_since, bridge.pulse_ends)
            if bridge.wanted is bridge.current or now < start:
                continue
            bridge.current = bridge.wanted
            bridge.pulse_pin = bridge.forward if bridge.wanted else bridge.reverse
            bridge.pulse_ends = start + self._pulse_ticks * _QUICK_TICK
            self._device.latch(bridge.forward, closed=bridge.wanted)
