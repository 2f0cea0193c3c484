"""What runs a line at a time: the start-up command, backlogs with delays, repeated commands."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .state import DeviceState

_LINES_AT_BOOT: Final = 200
_LINES_AT_ONCE: Final = 20
_TICK_SECONDS: Final = 0.025
"""How often scripts get their turn."""
_LEAST_INTERVAL: Final = 0.001

type Execute = Callable[[str], object]


@dataclass(slots=True, eq=False)
class _Script:
    """A text and the place in it that comes next, None at its end."""

    text: str
    at: int | None = 0
    delay: float = 0.0
    """Seconds until it goes on."""
    awaits: tuple[int, str, int] | None = None
    """The event, the relation and the argument that it waits for."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Repeated:
    command: str
    interval: float
    times: int
    """How often it still comes; -1 for ever, 0 no more."""
    user_id: int


class Scripts:
    """Runs scripts beside everything else, as the firmware's script machine does.

    Source: cmd_script.c and cmd_repeatingEvents.c, OpenBeken 1.18.300.
    """

    def __init__(self, device: DeviceState, execute: Execute) -> None:
        """Run each line with ``execute``."""
        self._device = device
        self._execute = execute
        self._scripts: list[_Script] = []
        self._active: _Script | None = None
        self._repeated: list[_Repeated] = []

    @property
    def repeating_count(self) -> int:
        """Return how many repeated commands are not over."""
        return sum(repeated.times != 0 for repeated in self._repeated)

    @property
    def in_script(self) -> bool:
        """Return whether the command that is being run stands in a script."""
        return self._active is not None

    def run_start_up(self, text: str) -> None:
        """Run the start-up command at once, up to its first delay."""
        script = _Script(text)
        self._run(script, _LINES_AT_BOOT)
        self._go_on(script)

    def start_backlog(self, text: str) -> None:
        """Run the commands of a backlog that has delays, each with its full length."""
        self._go_on(_Script(text.replace(";", "\n")))

    # What commands do to the script that they stand in

    def delay(self, seconds: float) -> None:
        """Have the script rest."""
        assert self._active
        self._active.delay += seconds

    def wait_for(self, code: int, relation: str, argument: int) -> None:
        """Have the script rest until an event."""
        assert self._active
        self._active.awaits = (code, relation, argument)

    def leave(self) -> None:
        """End the script."""
        assert self._active
        self._active.at = None

    def go_to(self, label: str) -> None:
        """Go on at a label; at the end of the script where there is no such one."""
        assert self._active
        text, at = self._active.text, 0
        while at < len(text):
            at += len(text[at:]) - len(text[at:].lstrip(" \r\t"))
            if text.startswith(f"{label}:", at):
                break
            at = _next_line(text, at)
        self._active.at = at

    def stop_all(self) -> None:
        """End all scripts."""
        for script in self._scripts:
            script.at = None
            script.woken.set()

    def note_event(self, code: int, argument: int) -> None:
        """Wake the scripts that wait for an event."""
        for script in self._scripts:
            if script.awaits is None or script.awaits[0] != code:
                continue
            _, relation, wanted = script.awaits
            if {
                "<": argument < wanted,
                ">": argument > wanted,
                "!": argument != wanted,
            }.get(relation, argument == wanted):
                script.awaits = None
                script.woken.set()

    # Repeated commands

    def repeat(self, command: str, interval: float, times: int, user_id: int) -> None:
        """Run a command each ``interval`` seconds, ``times`` times or, with -1, for ever."""
        repeated = _Repeated(command, max(interval, _LEAST_INTERVAL), times, user_id)
        self._repeated.append(repeated)
        self._device.start(self._keep_repeating(repeated))

    def cancel(self, user_id: int) -> None:
        """End the repeated commands that were given this number."""
        for repeated in self._repeated:
            if repeated.user_id == user_id:
                repeated.times = 0

    def clear_repeated(self) -> None:
        """End all repeated commands."""
        for repeated in self._repeated:
            repeated.times = 0
        self._repeated.clear()

    async def _keep_repeating(self, repeated: _Repeated) -> None:
        moment = self._device.moment
        while repeated.times:
            moment += repeated.interval
            await self._device.clock.sleep_until(moment)
            if repeated.times > 0:
                repeated.times -= 1
            elif not repeated.times:
                return
            self._execute(repeated.command)

    def _go_on(self, script: _Script) -> None:
        if script.at is not None:
            self._scripts.append(script)
            self._device.start(self._follow(script))

    async def _follow(self, script: _Script) -> None:
        while script.at is not None:
            if script.awaits:
                script.woken.clear()
                await script.woken.wait()
            pause, script.delay = max(script.delay, _TICK_SECONDS), 0.0
            await self._device.clock.sleep(pause)
            self._run(script, _LINES_AT_ONCE)
        self._scripts.remove(script)

    def _run(self, script: _Script, most: int) -> None:
        outer, self._active = self._active, script
        try:
            for _ in range(most):
                if script.at is None or script.delay > 0 or script.awaits:
                    return
                rest = script.text[script.at :]
                script.at += len(rest) - len(rest.lstrip(" \r\t"))
                if script.at >= len(script.text):
                    script.at = None
                    return
                start, end = script.at, _next_line(script.text, script.at)
                script.at = end
                line = script.text[start:end].rstrip(" \r\n\t")
                if line and not line.startswith("//") and not line.endswith(":"):
                    self._execute(line)
        finally:
            self._active = outer


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
