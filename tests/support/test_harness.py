"""Tests without Home Assistant are free of what its harness forbids."""

import asyncio
import os
import pty
import socket
import threading
import tty

import pytest

from tests.support.broker import free_port


async def test_loopback_connection() -> None:
    """Sockets work and asyncio may open them."""
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", free_port()
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()


def test_no_way_out() -> None:
    """A connection that would leave the machine is refused."""
    with (
        pytest.warns(match="tried to use socket"),
        pytest.raises(RuntimeError, match="tried to use socket"),
    ):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


async def test_left_behind() -> None:
    """A thread and a timer that outlive the test are no failure here."""
    threading.Timer(0.5, lambda: None).start()
    asyncio.get_running_loop().call_later(60, lambda: None)
    assert not asyncio.get_running_loop().get_debug()


async def test_pseudo_terminal() -> None:
    """Asyncio may read from a pseudo-terminal."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    received = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(
        ours, lambda: received.set_result(os.read(ours, 100))
    )
    os.write(theirs, b"\x01\xe0\xfc")
    assert await received == b"\x01\xe0\xfc"
    asyncio.get_running_loop().remove_reader(ours)
    os.close(theirs)
    os.close(ours)


@pytest.mark.real_time
async def test_subprocess() -> None:
    """Asyncio may start processes."""
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
