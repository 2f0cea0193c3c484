"""What a finger on a button means: debouncing, clicks, holding."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import Final

from simulator.clock import Clock

from .settings import Settings

DEBOUNCE_SECONDS: Final = 0.075


class ButtonEvent(StrEnum):
    """What addEventHandler can wait for, by its name there."""

    PRESS = "OnPress"
    RELEASE = "OnRelease"
    CLICK = "OnClick"
    DOUBLE_CLICK = "OnDblClick"
    TRIPLE_CLICK = "On3Click"
    QUADRUPLE_CLICK = "On4Click"
    QUINTUPLE_CLICK = "On5Click"
    HOLD_START = "OnHoldStart"
    HOLD = "OnHold"
    TOGGLE = "OnToggle"


_CLICKS: Final = (
    ButtonEvent.CLICK,
    ButtonEvent.DOUBLE_CLICK,
    ButtonEvent.TRIPLE_CLICK,
    ButtonEvent.QUADRUPLE_CLICK,
    ButtonEvent.QUINTUPLE_CLICK,
)


class _State(StrEnum):
    IDLE = "idle"
    PRESSED = "pressed"
    RELEASED = "released"
    PRESSED_AGAIN = "pressed again"
    HELD = "held"


type ButtonListener = Callable[[int, ButtonEvent], None]


class Button:
    """One button.

    It works on the moments at which its level changed, not on those at which somebody
    looked, so a busy machine cannot turn a double click into two single ones.
    """

    def __init__(
        self, pin: int, clock: Clock, settings: Settings, on_event: ButtonListener
    ) -> None:
        """Report ``on_event(pin, event)``; further presses of a series are no event."""
        self._pin = pin
        self._clock = clock
        self._settings = settings
        self._on_event = on_event
        self._edges: deque[tuple[float, bool]] = deque()
        self._woken = asyncio.Event()
        self._state = _State.IDLE
        self._since = 0.0
        self._presses = 0
        self._next_hold = inf
        self.moment = 0.0
        """When the event that is being reported happened."""

    @property
    def idle(self) -> bool:
        """Return whether nothing is pressed and nothing left to be decided."""
        return not self._edges and self._state is _State.IDLE

    def press(self, seconds: float, *, times: int, gap: float) -> float:
        """Press from now on; returns the moment at which the finger is gone."""
        start = self._clock.now()
        if self._edges:
            start = max(start, self._edges[-1][0])
        if gap <= DEBOUNCE_SECONDS:
            seconds, times = times * seconds + (times - 1) * gap, 1
        for _ in range(times):
            if seconds > DEBOUNCE_SECONDS:
                self._edges.append((start + DEBOUNCE_SECONDS, True))
                self._edges.append((start + seconds + DEBOUNCE_SECONDS, False))
            start += seconds + gap
        self._woken.set()
        return start - gap

    async def run(self) -> None:
        """Follow the button for ever."""
        while True:
            moment = min(self._edges[0][0] if self._edges else inf, self._deadline())
            if moment == inf:
                self._woken.clear()
                await self._woken.wait()
                continue
            await self._clock.sleep_until(moment)
            self._step()

    @property
    def _times(self) -> tuple[float, float, float]:
        short, long, repeat = (
            tenths / 10 for tenths in self._settings.values.button_times
        )
        return short, long, repeat

    def _deadline(self) -> float:
        short, long, _ = self._times
        match self._state:
            case _State.PRESSED:
                return self._since + long
            case _State.RELEASED:
                return self._since + short
            case _State.HELD:
                return self._next_hold
        return inf

    def _step(self) -> None:
        edge = self._edges[0][0] if self._edges else inf
        deadline = self._deadline()
        if edge <= deadline:
            self.moment, pressed = self._edges.popleft()
            if pressed:
                self._on_press()
            else:
                self._on_release()
        else:
            self.moment = deadline
            self._on_deadline()

    def _on_press(self) -> None:
        if self._state is _State.IDLE:
            self._enter(_State.PRESSED)
            self._presses = 1
            self._report(ButtonEvent.PRESS)
        else:
            self._enter(_State.PRESSED_AGAIN)
            self._presses += 1

    def _on_release(self) -> None:
        was, held_for = self._state, self.moment - self._since
        short, _, _ = self._times
        if was is _State.PRESSED or (was is _State.PRESSED_AGAIN and held_for < short):
            self._enter(_State.RELEASED)
        else:
            self._enter(_State.IDLE)
        self._report(ButtonEvent.RELEASE)

    def _on_deadline(self) -> None:
        _, _, repeat = self._times
        match self._state:
            case _State.PRESSED:
                self._enter(_State.HELD)
                self._next_hold = self.moment + repeat
                self._report(ButtonEvent.HOLD_START)
            case _State.HELD:
                self._next_hold = self.moment + repeat
                self._report(ButtonEvent.HOLD)
            case _State.RELEASED:
                self._enter(_State.IDLE)
                if self._presses <= len(_CLICKS):
                    self._report(_CLICKS[self._presses - 1])

    def _enter(self, state: _State) -> None:
        self._state = state
        self._since = self.moment

    def _report(self, event: ButtonEvent) -> None:
        self._on_event(self._pin, event)
