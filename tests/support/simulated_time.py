"""An event loop on simulated time: its clock stands still while there is work, and jumps when all is quiet."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, thread as pool
from contextlib import suppress
from contextvars import Context
from datetime import datetime, tzinfo
from functools import partial
import resource
import selectors
import threading
import time
from typing import Any, Final

from tests.support.traffic import Task, Traffic

_real_monotonic: Final = time.monotonic
_real_time: Final = time.time

STEP: Final = 20e-6
"""What a turn of the loop takes, in simulated seconds: who asks in a circle sees time pass."""
LONGEST: Final = 60 * 86400.0
"""Simulated seconds after which a test must have been over."""

_NAP: Final = 0.004
"""Real seconds between two looks at what is still at work."""
_FLOW: Final = 10
"""How many times as fast as the machine's time flows while a thread sleeps that has a job."""
_PATIENCE: Final = 120.0
"""Real seconds that bytes may be on their way and a process may be at work."""


class _Now:
    """What `time` tells: the machine's time, or that of the loop on simulated time.

    Other threads than the loop's see time flow while it stands still for the loop, so that what waits
    there comes to an end; at the next jump they are back with the loop.
    """

    def __init__(self) -> None:
        self.moment = 0.0
        self.since: float | None = None
        """The machine's time at the last jump; None without simulated time."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """Whose time it is."""
        self._epoch = 0.0
        self._thread = 0

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stand still, at the machine's time."""
        self.loop = loop
        self._thread = threading.get_ident()
        self.moment = self.since = _real_monotonic()
        self._epoch = _real_time() - self.moment

    def end(self) -> None:
        """Go back to the machine's time."""
        self.loop = self.since = None

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        self.moment += seconds
        self.since = _real_monotonic()

    def set_clock(self, seconds: float) -> None:
        """Put the clock of the wall forward or back, as somebody does; no timer notices."""
        self._epoch += seconds

    def monotonic(self) -> float:
        """Stand in for ``time.monotonic``."""
        since = self.since
        if since is None:
            return _real_monotonic()
        if threading.get_ident() == self._thread:
            return self.moment
        return self.moment + _real_monotonic() - since

    def time(self) -> float:
        """Stand in for ``time.time``."""
        return _real_time() if self.since is None else self.monotonic() + self._epoch


NOW: Final = _Now()


def real_monotonic() -> float:
    """Return the machine's own time, for what waits for the machine."""
    return _real_monotonic()


def install() -> None:
    """Let all modules that are imported from now on go by simulated time where there is one."""
    time.monotonic = NOW.monotonic
    time.time = NOW.time


class Datetime(datetime):
    """A `datetime` whose ``now`` goes by ``time.time``, as the machine's own does not."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the present."""
        return datetime.fromtimestamp(time.time(), tz)


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are due at once when nothing else is left to be done.

    All is quiet when no callback is ready, no file has an event, no job is in a thread, no watched
    process is awake and no byte is on its way to one of them. Only then does the clock jump, to the next
    timer. A busy machine makes that come later, and changes nothing else.
    """

    exact_timers: Final = True
    """Timers ring at their moment, not up to a millisecond later."""

    def __init__(self) -> None:
        """Make a loop; it is not running yet."""
        self._selector_of_time = _Selector(self)
        super().__init__(self._selector_of_time)
        self._jobs: set[_Job[Any]] = set()
        self._awaited: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        self._latest = 0.0
        self._thread: int | None = None

    def run_forever(self) -> None:
        """Run; time stands still from the first time on until the loop is closed."""
        if NOW.loop is not self:
            NOW.begin(self)
            self._latest = NOW.moment + LONGEST
            self._thread = threading.get_ident()
        super().run_forever()

    def close(self) -> None:
        """Close the loop and let time flow again."""
        super().close()
        if NOW.loop is self:
            NOW.end()

    def call_soon[*Args](
        self,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback; like the loop's debug mode, refuse that to other threads."""
        self._refuse_other_threads()
        return super().call_soon(callback, *args, context=context)

    def call_at[*Args](
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback for a moment, with the same check."""
        self._refuse_other_threads()
        return super().call_at(when, callback, *args, context=context)

    def _refuse_other_threads(self) -> None:
        if self._thread not in (None, threading.get_ident()):
            raise RuntimeError("this must be called from the thread of the event loop")

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when a condition holds; it is looked at whenever there is nothing else to do."""
        if condition():
            return
        done = self.create_future()
        self._awaited.append((condition, done))
        await done

    def run_in_executor[*Args, Result](
        self,
        executor: Executor | None,
        func: Callable[[*Args], Result],
        *args: *Args,
    ) -> asyncio.Future[Result]:
        """Run a function in a thread; the clock stands still until its result is here."""
        job = _Job(self, partial(func, *args))
        self._jobs.add(job)
        future = super().run_in_executor(executor, job.run)
        future.add_done_callback(job.answered)
        return future

    async def subprocess_exec(self, *_: Any, **__: Any) -> Any:
        """Refuse: a process has timers of its own, which nobody could wait for."""
        raise RuntimeError("a test that runs a process goes by real time: mark it so")

    subprocess_shell = subprocess_exec

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads of the default executor; no timer goes off meanwhile."""
        job = _Job[None](self, lambda: None)
        self._jobs.add(job)
        try:
            await super().shutdown_default_executor(timeout)
        finally:
            self._jobs.discard(job)

    def job_is_over(self, job: _Job[Any]) -> None:
        """Forget a job whose thread is free and whose result is here."""
        self._jobs.discard(job)

    def has_jobs(self) -> bool:
        """Return whether a thread works for somebody who waits in the loop."""
        return bool(self._jobs)

    def meet(self) -> bool:
        """Let go on who waits for something that is true by now; return whether there is one."""
        met = False
        for awaited in tuple(self._awaited):
            condition, done = awaited
            if not done.done():
                try:
                    if not condition():
                        continue
                except Exception as error:  # noqa: BLE001 - who waits is who asked
                    done.set_exception(error)
                else:
                    done.set_result(None)
            met = True
            self._awaited.remove(awaited)
        return met

    def jump(self, seconds: float) -> None:
        """Advance the clock to the next timer."""
        NOW.advance(seconds)
        if NOW.moment > self._latest:
            raise RuntimeError("two months have passed and the test still waits")


class _Job[Result]:
    """A function in a thread."""

    def __init__(self, loop: SimulatedTimeLoop, func: Callable[[], Result]) -> None:
        self._loop = loop
        self._func = func
        self._in_thread = False
        self._has_answer = False

    def run(self) -> Result:
        """Run in the thread."""
        self._in_thread = True
        try:
            return self._func()
        finally:
            # A loop that is closed waits for nobody.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._left)

    def answered(self, _future: object) -> None:
        """Note that the result is here, or that nobody waits for it any more."""
        self._has_answer = True
        if not self._in_thread:
            self._loop.job_is_over(self)

    def _left(self) -> None:
        self._in_thread = False
        if self._has_answer:
            self._loop.job_is_over(self)


class _Selector(selectors.PollSelector):
    """Waits for files and for quiet.

    `poll` asks each file anew, whereas `epoll` learns from it: asked anew, a pseudo-terminal first takes
    in what was written at its other end (n_tty_poll in drivers/tty/n_tty.c), so that nothing is on its way.
    """

    def __init__(self, loop: SimulatedTimeLoop) -> None:
        super().__init__()
        self._loop = loop
        self._traffic = Traffic()
        self._threads = _OtherThreads()

    def close(self) -> None:
        """Free what it holds."""
        self._traffic.close()
        self._threads.close()
        super().close()

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events that are there, or advance the clock by the timeout."""
        NOW.advance(STEP)
        if events := super().select(0):
            return events
        if timeout is None or timeout > 0:
            return self._wait(timeout)
        return events

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        patience = _real_monotonic() + _PATIENCE
        while not self._loop.meet():
            works = self._loop.has_jobs()
            turns = self._traffic.turns()
            reason = self._threads.reason(works) or self._traffic.reason(
                self._files(), turns
            )
            # What was on its way has come by now, perhaps to here.
            idle = not (works or reason or timeout is None)
            if events := super().select(0 if idle else _NAP):
                return events
            if timeout is not None and idle:
                self._loop.jump(timeout)
                break
            if works and not reason:
                # A thread sleeps, by a clock that cannot be advanced, or until somebody in the loop
                # does something, who may wait for a timer.
                passed = _FLOW * _NAP
                if timeout is not None:
                    passed = min(passed, timeout)
                    timeout -= passed
                self._loop.jump(passed)
                if timeout == 0:
                    break
            if reason and not works and _real_monotonic() > patience:
                raise RuntimeError(f"does not become quiet: {reason}")
        return []

    def _files(self) -> list[int]:
        return [key.fd for key in self.get_map().values()]


class _OtherThreads:
    """The threads that are not the loop's own."""

    def __init__(self) -> None:
        self._tasks: dict[threading.Thread, Task] = {}
        self._asleep: tuple[list[threading.Thread], int] | None = None
        """Who was found asleep, and how often all of them had run until then."""

    def close(self) -> None:
        """Free what it holds."""
        for task in self._tasks.values():
            task.close()
        self._tasks.clear()

    def reason(self, pools: bool) -> str | None:
        """Return who does not sleep; threads of executors count where they have jobs.

        Who seems to sleep may wait for this thread to let go of the interpreter. So it has a nap first,
        unless none of them has run since the last time: whoever could run by then has, or is ready to.
        """
        others = [
            other
            for other in threading.enumerate()
            if other is not threading.main_thread() and (pools or other not in _POOLS)
        ]
        if not others:
            return None
        turns = _turns_of_others()
        if self._asleep != (others, turns):
            self._asleep = None
            time.sleep(STEP)
        for other in others:
            try:
                asleep = self._task(other).sleeps
            except FileNotFoundError:
                # It is about to end.
                asleep = False
            if not asleep:
                return other.name
        if turns != _turns_of_others():
            return "a thread"
        self._asleep = (others, turns)
        return None

    def _task(self, thread: threading.Thread) -> Task:
        if thread not in self._tasks:
            task = f"self/task/{thread.native_id}"
            self._tasks[thread] = Task(task, thread.name)
        return self._tasks[thread]


def _turns_of_others() -> int:
    """Return how often other threads have given back the processor so far."""
    own = resource.getrusage(resource.RUSAGE_THREAD)
    all_of_them = resource.getrusage(resource.RUSAGE_SELF)
    return all_of_them.ru_nvcsw + all_of_them.ru_nivcsw - own.ru_nvcsw - own.ru_nivcsw


# The threads of all executors.
_POOLS: Final[Mapping[threading.Thread, object]] = pool._threads_queues  # noqa: SLF001
