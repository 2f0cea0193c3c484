"""The demo starts beside another one, says what is in its way, and leaves nothing behind."""

import asyncio
from pathlib import Path
import signal
import socket
import sys

from demo import rig
from tests.support.broker import free_port


async def start(*arguments: str) -> asyncio.subprocess.Process:
    """Start the demo as its script does."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "demo",
        *arguments,
        cwd=rig.ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def children(pid: int) -> set[Path]:
    """Return the processes that a process has started itself."""
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return {Path(f"/proc/{child}") for child in started.split()}


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with rig.own_folder(tmp_path) as first:
        (first / "in use").touch()
        with rig.own_folder(tmp_path) as second:
            assert second != first
        assert (first / "in use").exists()
    with rig.own_folder(tmp_path) as again:
        assert again == first
        assert not list(again.iterdir())


async def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await start("--port", str(port))
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert f"Port {port} cannot be used" in output.decode()
    assert "Traceback" not in output.decode()


async def test_nothing_is_left_behind_when_it_is_ended(mosquitto: object) -> None:
    """Also not when that comes early and more than once."""
    process = await start("--port", str(free_port()))
    started: set[Path] = set()
    async with asyncio.timeout(120):
        while len(started) < 2:
            await asyncio.sleep(0.05)
            started |= children(process.pid)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in output.decode()
    assert not [child for child in started if child.exists()]
