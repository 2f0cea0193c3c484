"""Work in a thread is never left behind half done."""

import asyncio
import threading

import pytest

from custom_components.openbk.pyopenbk.executor import run_to_the_end


async def test_result_and_error_come_back() -> None:
    assert await run_to_the_end(asyncio.to_thread, int, "17") == 17
    with pytest.raises(ValueError):
        await run_to_the_end(asyncio.to_thread, int, "seventeen")


async def test_cancelling_waits_for_the_thread() -> None:
    began, go_on = asyncio.Event(), threading.Event()
    ended = False
    loop = asyncio.get_running_loop()

    def work() -> None:
        nonlocal ended
        loop.call_soon_threadsafe(began.set)
        go_on.wait()
        ended = True

    task = asyncio.create_task(run_to_the_end(asyncio.to_thread, work))
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_error_of_cancelled_work_is_not_left_lying_about() -> None:
    began, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    complaints: list[object] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    def work() -> None:
        loop.call_soon_threadsafe(began.set)
        go_on.wait()
        raise OSError("the disk is full")

    task = asyncio.create_task(run_to_the_end(asyncio.to_thread, work))
    await began.wait()
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert complaints == []
