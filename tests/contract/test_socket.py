"""The simulated socket is judged by the table by which a real one is, and the judge by what it leaves."""

import asyncio
from collections.abc import AsyncIterator
import json
from pathlib import Path
import signal
import sys

import pytest

from contract.broker import Login
from contract.expectations import Outcome, Verdict, play
from contract.http import Address
from contract.settings import ShortName
from contract.socket import Ending, Grants, socket_at
from contract.socket_table import SOCKET_TABLE
from tests.simulator.openbeken.rig import (
    CLIENT,
    CONFIG_ADDRESS,
    MAC,
    PINS,
    Rig,
    configuration,
)
from tests.support.broker import Broker

SPEED = 10.0
SPARE_PIN = 14
PASSWORD = "battery staple"


@pytest.fixture
async def rig(mosquitto: Broker) -> AsyncIterator[Rig]:
    assert SPARE_PIN not in PINS
    config = configuration(mosquitto.port, startup_command="backlog echo \\ of mine")
    async with Rig(mosquitto, config, speed=SPEED) as rig:
        await rig.online()
        await rig.quiet()
        yield rig


def grants(rig: Rig, mosquitto: Broker, **more: object) -> Grants:
    async def levels() -> dict[int, int]:
        level = rig.device.pins.level(SPARE_PIN)
        return {} if level is None else {SPARE_PIN: int(level)}

    given = {
        "address": Address.parse(str(rig.device.http_address)),
        "login": Login(host=mosquitto.host, port=mosquitto.port),
        "writes": True,
        "spare_pin": SPARE_PIN,
        "levels": levels,
    }
    return Grants(**given | more)


def failures(verdicts: list[Verdict]) -> dict[str, str]:
    return {
        verdict.says: verdict.reason
        for verdict in verdicts
        if verdict.outcome is Outcome.FAILED
    }


def skipped(verdicts: list[Verdict]) -> list[str]:
    return [v.says for v in verdicts if v.outcome is Outcome.SKIPPED]


def nothing(_: Verdict) -> None:
    """Hear a verdict and keep silent."""


def kept(rig: Rig) -> tuple[object, ...]:
    """Return what a run must leave as it was, in RAM."""
    values = rig.device.settings.values
    return (
        values.short_name,
        values.startup_command,
        values.flags,
        values.roles,
        values.channels,
        values.channel_types,
        values.start_values,
        tuple(rig.device.pins.values),
    )


async def contract(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "contract",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.slow
async def test_simulated_socket_meets_every_expectation(
    rig: Rig, mosquitto: Broker
) -> None:
    ending = Ending()
    before = kept(rig)
    given = grants(rig, mosquitto, restart=True, relay=True)
    async with socket_at(given, ending) as socket:
        verdicts = await play(SOCKET_TABLE, socket, nothing)
    assert failures(verdicts) == {}
    assert skipped(verdicts) == ["HTTP: without the web password the answer is a 401"]
    assert ending.not_put_back == []
    assert kept(rig)[:-1] == before[:-1]
    # Once for the expectation, once more so that the start-up command of the owner runs again.
    await rig.until(lambda: rig.restarts == 2)


async def test_without_writes_nothing_is_changed(rig: Rig, mosquitto: Broker) -> None:
    sector = rig.flash.read(CONFIG_ADDRESS, 0x1000)
    before = kept(rig)
    given = grants(
        rig, mosquitto, writes=False, restart=True, relay=True, spare_pin=SPARE_PIN
    )
    async with socket_at(given, Ending()) as socket:
        verdicts = await play(SOCKET_TABLE, socket, nothing)
    await rig.seconds(3)
    assert failures(verdicts) == {}
    assert any(v.outcome is Outcome.PASSED for v in verdicts if "MQTT" in v.says)
    assert kept(rig) == before
    assert rig.flash.read(CONFIG_ADDRESS, 0x1000) == sector
    assert rig.restarts == 0


@pytest.mark.real_time
async def test_what_was_borrowed_is_put_back_after_ctrl_c(
    rig: Rig, mosquitto: Broker
) -> None:
    before = kept(rig)
    process = await contract("socket", str(rig.device.http_address), "--writes")
    assert process.stdout
    async for line in process.stdout:
        if b"pass" in line and b"ShortName 'with blank'" in line:
            break
    assert kept(rig) != before
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode not in (0, 1, 2)
    assert kept(rig) == before


async def test_what_cannot_be_put_back_is_named(rig: Rig, mosquitto: Broker) -> None:
    ending = Ending()
    async with socket_at(grants(rig, mosquitto), ending) as socket:
        await socket.borrow(ShortName())
        socket.patience = 0.0
        await rig.power_off()
    assert len(ending.not_put_back) == 1
    assert "ShortName" in ending.not_put_back[0]


@pytest.mark.real_time
async def test_report_shows_nobody(rig: Rig, mosquitto: Broker, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    process = await contract(
        "socket",
        str(rig.device.http_address),
        "--broker",
        f"{mosquitto.host}:{mosquitto.port}",
        "--json",
        str(report),
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    text = report.read_text(encoding="utf-8") + output.decode()
    for secret in (MAC, MAC.replace(":", ""), CLIENT, "12:34:56", "of mine", "127.0.0"):
        assert secret.lower() not in text.lower()
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["kind"], told["chip"]) == ("socket", "BK7231N")
    assert {row["outcome"] for row in told["expectations"]} == {"pass", "skipped"}
    assert len(told["expectations"]) == len(SOCKET_TABLE)
    assert all(row["source"] for row in told["expectations"])


@pytest.mark.real_time
async def test_web_password_lets_in_and_is_asked_for(
    mosquitto: Broker, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    config = configuration(mosquitto.port, web_password=PASSWORD)
    async with Rig(mosquitto, config, speed=SPEED) as rig:
        await rig.until(lambda: rig.device.http_address)
        address = str(rig.device.http_address)
        process = await contract("socket", address)
        _, errors = await process.communicate()
        assert process.returncode == 2
        assert b"--web-password-file" in errors
        process = await contract("socket", address, "--web-password-file", str(file))
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert b"pass    HTTP: without the web password the answer is a 401" in output
        assert PASSWORD.encode() not in output


@pytest.mark.real_time
async def test_nobody_there_is_an_error_of_its_own_that_says_what_to_check(
    unused_tcp_port: int,
) -> None:
    process = await contract("socket", f"127.0.0.1:{unused_tcp_port}")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.startswith(b"error: ")
    assert b"Check the address" in errors


async def test_server_with_other_heads_fails(rig: Rig, mosquitto: Broker) -> None:
    """Stand between the judge and the socket, and end the status line as everybody else does."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = await rig.http(await reader.read(4096))
        writer.write(answer.replace(b"OK\nContent", b"OK\r\nContent", 1))
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    given = Grants(address=Address("127.0.0.1", port))
    async with server, socket_at(given, Ending()) as socket:
        verdicts = await play(SOCKET_TABLE[:1], socket, nothing)
    assert list(failures(verdicts)) == [SOCKET_TABLE[0].says]
    assert "\\r\\nContent" in failures(verdicts)[SOCKET_TABLE[0].says]
