"""Plays the recorded uploads to the simulated socket, which checks as little as the real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
import json
import socket
import struct
from typing import Any

from custom_components.openbk.pyopenbk.obk.config_sector import parse
from tests.simulator.openbeken.rig import (
    CLIENT,
    CONFIG_ADDRESS,
    Rig,
    body,
    configuration,
    status,
)
from tests.support.broker import Broker

from .recording import Case, part, replay

SECTOR = 0x1000
DOWNLOAD = 0x12A000
RADIO = 0x1D0000
RADIO_CONTENT = b"\x01calibrated\x02"
# Real seconds that a server which has gone deaf is given.
DEAF = 0.5


def content(case: Case) -> bytes:
    if "text" in case:
        return str(case["text"]).encode()
    return bytes(n % 251 for n in range(case["length"]))


def padded(data: bytes) -> bytes:
    return data + b"\xff" * (-len(data) % SECTOR)


def head(target: str, announced: int | None, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: socket", *headers]
    if announced is not None:
        lines.append(f"Content-Length: {announced}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


@asynccontextmanager
async def connected(
    rig: Rig,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    await rig.until(lambda: rig.device.http_address)
    host, port = str(rig.device.http_address).split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def upload(rig: Rig, case: Case) -> bytes:
    data = content(case)
    announced = case.get("announced", len(data))
    headers = [case["header"]] if "header" in case else []
    start = head(case.get("target", "/api/ota"), announced, *headers)
    if case.get("with_head"):
        return await rig.http(start + data)
    async with connected(rig) as (reader, writer):
        writer.write(start)
        await asyncio.sleep(0.05)
        writer.write(data)
        answer = b""
        # A server that closes with bytes unread resets the connection behind its answer.
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(4096), 30):
                answer += piece
        return answer


@replay("ota", "uploads")
async def test_upload(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        answer = await upload(rig, case)
        assert status(answer) == 200
        assert json.loads(body(answer)) == {"size": case["size"]}
        kept = padded(content(case)[: case["size"]])
        start = int(case.get("at", f"{DOWNLOAD:x}"), 16)
        written = rig.flash.read(start, len(kept) + SECTOR)
        assert written == kept + b"\xff" * SECTOR
        await rig.seconds(5)
        assert not rig.restarts


@replay("ota", "no_uploads")
async def test_no_upload(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        if case["method"] == "GET":
            answer = await rig.get(case["target"])
        else:
            answer = await rig.post(case["target"], "abcde")
        assert status(answer) == case["code"]
        assert case["contains"] in body(answer)
        assert rig.flash.read(DOWNLOAD, 8) == b"\xff" * 8
        assert rig.flash.read(0x100000, 8) == b"\xff" * 8


@replay("ota", "reading")
async def test_reading(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        answer = await rig.get(case["target"])
        assert status(answer) == case["code"]
        got = answer.partition(b"\r\n\r\n")[2]
        if "says" in case:
            assert got.decode() == case["says"]
        else:
            assert len(got) == case["size"]
            assert got.startswith(bytes.fromhex(case["begins"]))


@replay("ota", "broken_off")
async def test_upload_that_is_broken_off(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        data = content({"length": case["sent"]})
        async with connected(rig) as (_, writer):
            writer.write(head("/api/ota", case["announced"]))
            writer.write(data)
            await rig.until(lambda: rig.device.ota_progress >= 3 * SECTOR)
            await rig.seconds(2)
            if case["end"] == "FIN":
                writer.write_eof()
            else:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()
            await rig.seconds(2)
            assert await answers(rig) is case["answers_later"]
        await rig.seconds(5)
        assert await answers(rig) is case["answers_later"]
        written = rig.flash.read(DOWNLOAD, case["written"])
        assert written == padded(data)[: case["written"]]
        assert rig.flash.read(DOWNLOAD + case["written"], 1) == b"\xff"
        if "counted" in case:
            assert rig.device.settings.values.ota_counter == case["counted"]
            assert not rig.device.flashing_over_air
        if "after_a_power_cut" in case:
            await rig.power_cycle()
            assert await answers(rig) is case["after_a_power_cut"]


async def answers(rig: Rig) -> bool:
    try:
        async with asyncio.timeout(DEAF):
            return bool(await rig.get("/api/info"))
    except TimeoutError:
        return False


async def test_two_uploads_at_once() -> None:
    (case,) = part("ota", "at_once")
    first, second = (bytes([n]) * size for n, size in enumerate(case["sizes"]))
    before = first[: case["before"]]
    async with Rig(None, configuration(1)) as rig:
        async with connected(rig) as (reader, writer):
            writer.write(head("/api/ota", case["announced"]) + before)
            await rig.until(lambda: rig.device.ota_progress >= SECTOR)
            await rig.seconds(2)
            answer = await rig.http(head("/api/ota", len(second)) + second)
            assert json.loads(body(answer)) == {"size": len(second)}
            writer.write(first[len(before) :])
            answer = await asyncio.wait_for(reader.read(), 30)
            assert json.loads(body(answer)) == {"size": len(first)}
        kept = padded(before + second)
        assert rig.flash.read(DOWNLOAD, len(kept) + 1) == kept + b"\xff"


@replay("ota", "too_long")
async def test_upload_that_is_too_long(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        rig.flash.rewrite(RADIO, RADIO_CONTENT)
        answer = await upload(rig, case)
        assert status(answer) == 200
        assert json.loads(body(answer)) == {"size": case["size"]}
        radio = rig.flash.read(RADIO, len(RADIO_CONTENT))
        assert (radio == RADIO_CONTENT) is (case["radio"] == "whole")
        if case["configuration"] == "overwritten":
            await rig.seconds(4)
            assert rig.flash.read(CONFIG_ADDRESS, 3) != b"CFG"
            await rig.post("/api/reboot", "")
            await rig.until(lambda: rig.restarts)
        else:
            await rig.until(lambda: rig.flash.read(CONFIG_ADDRESS, 3) == b"CFG")
        saved = parse(rig.flash.read(CONFIG_ADDRESS, SECTOR))
        assert saved.wifi_ssid == configuration(1).wifi_ssid


async def test_what_a_power_cut_leaves_of_a_configuration_is_what_was_written() -> None:
    async with Rig(None, configuration(1)) as rig:
        await rig.post("/api/flash/1d1000", "no configuration")
        await rig.seconds(3)
        await rig.power_cycle()
        assert rig.device.settings.values.wifi_ssid == ""


async def test_upload_that_is_still_open(mosquitto: Broker) -> None:
    case, _ = part("ota", "meanwhile")
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.online()
        async with connected(rig) as (reader, writer):
            writer.write(head("/api/ota", 10) + b"abc")
            await offline(rig, case)
            rig.device.console.execute("ShortName other")
            await rig.seconds(5)
            assert rig.device.settings.changed is not case["settings_saved"]
            assert not rig.device.mqtt.online
            writer.write(b"defghij")
            assert b'{"size":10}' in await asyncio.wait_for(reader.read(), 30)
        await rig.until(lambda: rig.device.mqtt.online)
        assert not rig.device.settings.changed


async def test_what_is_no_firmware_leaves_the_socket_waiting(mosquitto: Broker) -> None:
    _, case = part("ota", "meanwhile")
    for target in ("/api/flash/12a000", "/api/fsblock"):
        async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
            await rig.online()
            assert status(await rig.post(target, "abc")) == 200
            await offline(rig, case)
            rig.device.console.execute("ShortName other")
            await rig.seconds(40)
            assert rig.device.mqtt.online is case["online_again"]
            assert rig.device.settings.changed is not case["settings_saved"]


async def offline(rig: Rig, case: Case) -> None:
    began = rig.device.uptime
    await rig.listener.message(f"{CLIENT}/connected", "offline")
    assert rig.device.uptime - began <= case["offline_within"]


@replay("ota", "counting")
async def test_counting(case: Case) -> None:
    async with Rig(None, configuration(1)) as rig:
        await upload(rig, case)
        assert rig.device.settings.values.ota_counter == case["counts"]


@replay("ota", "pulling")
async def test_firmware_that_the_socket_fetches(case: Case) -> None:
    firmware = content({"length": 9000})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if request.startswith(b"GET /there "):
            length = f"Content-Length: {len(firmware)}"
            writer.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode() + firmware)
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Rig(None, configuration(1)) as rig:
        await rig.until(lambda: rig.device.http_address)
        url = case.get("url", f"http://127.0.0.1:{port}{case.get('path')}")
        rig.device.console.execute(f"ota_http {url}")
        await rig.until(lambda: rig.restarts == 1)
        kept = padded(firmware) if case["written"] else b"\xff" * SECTOR
        assert rig.flash.read(DOWNLOAD, len(kept)) == kept
        assert rig.device.settings.values.ota_counter == 1


@replay("ota", "files")
async def test_file_system(case: Case) -> None:
    config: Any = replace(configuration(1), lfs_size=case["lfs_size"])
    async with Rig(None, config) as rig:
        answer = await rig.get("/api/fsblock")
        if "says" in case:
            assert status(answer) == case["code"]
            assert body(answer) == case["says"]
            assert body(await rig.post("/api/fsblock", "abc")) == case["says"]
            return
        assert len(answer.partition(b"\r\n\r\n")[2]) == case["size"]
        data = content({"length": case["size"]})
        answer = await upload(rig, {"target": "/api/fsblock", "length": len(data)})
        assert json.loads(body(answer)) == {"size": len(data)}
        assert rig.flash.read(int(case["at"], 16), len(data)) == data
        assert (await rig.get("/api/fsblock")).endswith(data)
