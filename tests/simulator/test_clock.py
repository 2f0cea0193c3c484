"""Simulated time runs by its factor."""

import asyncio
import time

import pytest

from simulator.clock import Clock


async def test_simulated_seconds_pass_faster() -> None:
    clock = Clock(100)
    started, real = clock.now(), time.monotonic()
    await clock.sleep(5)
    assert clock.now() - started >= 5
    assert time.monotonic() - real < 2


async def test_a_rhythm_survives_a_late_wake_up() -> None:
    clock = Clock(1000)
    moment = clock.now()
    for _ in range(5):
        moment += 20
        await clock.sleep_until(moment)
    assert clock.now() >= moment
    await clock.sleep_until(0)


async def test_waiting_is_limited_in_simulated_seconds() -> None:
    clock = Clock(100)
    assert await clock.wait_for(asyncio.sleep(0, "done"), 1) == "done"
    with pytest.raises(TimeoutError):
        await clock.wait_for(asyncio.Event().wait(), 1)


def test_time_does_not_stand_still() -> None:
    with pytest.raises(ValueError):
        Clock(0)
