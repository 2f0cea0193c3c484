"""The HTTP client believes only what is an answer to what it asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from custom_components.openbk.pyopenbk.beken.chips import BK7231N
from custom_components.openbk.pyopenbk.obk import mqtt_settings
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, place_of
from custom_components.openbk.pyopenbk.obk.console import (
    CommandRefusedError,
    Console,
    NotAnAnswerError,
    PasswordError,
    UnreachableError,
)
from custom_components.openbk.pyopenbk.obk.meter import read_meter, read_stored_factors
from simulator.openbeken.settings import config_region
from tests.pyopenbk.obk.served import console_of, served
from tests.support.broker import Broker, free_port
from tests.support.simulated import configuration
from tests.support.sockets import BLOW, MAC

JSON = b"HTTP/1.1 200 OK\nContent-type: application/json\r\nConnection: close\r\n\r\n"
INFO_BODY = (
    b'{"uptime_s":40,"build":"Built on Nov 29 2026 08:02:51 version 1.18.299",'
    b'"ip":"192.168.1.50","mac":"c8:47:8c:12:34:56","flags":"1028",'
    b'"mqtthost":"broker.lan:1883","mqtttopic":"obk8C123456","chipset":"BK7231N",'
    b'"shortName":"obk8C123456","startcmd":""}'
)
INFO = JSON + INFO_BODY
ELSEWHERE = INFO_BODY.replace(b"BK7231N", b"LN882H")
READINGS = b'{"StatusSNS":{"ENERGY":{"Voltage":%b,"Current":%b,"Power":23}}}'


@asynccontextmanager
async def answering(
    raw: bytes, requests: list[bytes] | None = None, password: str | None = None
) -> AsyncIterator[Console]:
    """Yield a client for a server that answers everything with these bytes."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await reader.read(4096)
        if requests is not None:
            requests.append(request)
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Console("127.0.0.1", port, password=password)


@pytest.fixture
def config(mosquitto: Broker) -> ConfigSector:
    return configuration(mosquitto)


async def test_what_the_socket_is(config: ConfigSector) -> None:
    async with served(config) as plugged:
        console = console_of(plugged)
        info = await console.info()
        assert info.mac == MAC
        assert info.chip == "BK7231N"
        assert info.client_id == "obk8C123456"
        assert await console.startup_command() == config.startup_command
        assert (await console.pins()).pins == BLOW.pins
        assert await console.flags() == (1 << 10) | (1 << 21)


async def test_commands_are_run_or_refused(config: ConfigSector) -> None:
    async with served(config) as plugged:
        console = console_of(plugged)
        await console.command("SetFlag 41 1")
        async with asyncio.timeout(5):
            while not await console.flags() & (1 << 41):
                await asyncio.sleep(0.01)
        await console.command("SetChannel 1 1")
        assert plugged.firmware.relay(1)
        with pytest.raises(CommandRefusedError) as refused:
            await console.command("nonsense 1")
        assert refused.value.unknown
        with pytest.raises(CommandRefusedError) as refused:
            await console.command("PowerSet")
        assert not refused.value.unknown


async def test_unknown_address_is_a_page_with_status_200(config: ConfigSector) -> None:
    async with served(config) as plugged:
        console = console_of(plugged)
        reply = await console.request("GET", "/api/nothing")
        assert reply.status == 200
        assert reply.media_type == "text/html"


@pytest.mark.parametrize("length", [900, 1000, 1022, 1023, 2046, 2047])
async def test_requests_of_every_length_are_answered(
    config: ConfigSector, length: int
) -> None:
    """A request that ends with the firmware's buffer would wait for ever."""
    async with served(config) as plugged:
        console = console_of(plugged)
        for padding in range(-130, 3):
            size = length + padding - 100
            if padding % 13 == 0 or -126 < padding < -120:
                await asyncio.wait_for(console.command("echo " + "x" * size), 5)


async def test_one_request_at_a_time(config: ConfigSector) -> None:
    async with served(config) as plugged:
        console = console_of(plugged)
        answers = await asyncio.gather(*(console.info() for _ in range(8)))
        assert {answer.mac for answer in answers} == {MAC}


async def test_password(mosquitto: Broker) -> None:
    async with served(configuration(mosquitto, web_password="correct")) as plugged:
        for password in (None, "wrong"):
            with pytest.raises(PasswordError):
                await console_of(plugged, password).info()
        assert (await console_of(plugged, "correct").info()).mac == MAC


async def test_nobody_there() -> None:
    with pytest.raises(UnreachableError):
        await Console("127.0.0.1", free_port()).info()


async def test_flash_is_read(config: ConfigSector) -> None:
    async with served(config) as plugged:
        sector = await console_of(plugged).read_flash(0x1D1000, 0x1000)
        assert sector[:3] == b"CFG"
        assert sector == plugged.flash.content[0x1D1000:0x1D2000]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-type: application/json\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n",
        b"HTTP/1.0 200 OK\nContent-Type: application/json; charset=utf-8\n\n",
        b"HTTP/1.1 200 OK\r\nX: y\nContent-type: application/json\n\r\n",
    ],
)
async def test_lines_of_a_head_end_in_either_way(head: bytes) -> None:
    """The firmware itself ends its status line with a bare line feed."""
    async with answering(head + b'{"success":200, "res":{"a":"\r\n\r\n"}}') as console:
        with pytest.raises(NotAnAnswerError, match="broken JSON"):
            await console.command("echo")
    async with answering(head + b'{"success":200, "msg":"OK", "res":7}') as console:
        assert await console.command("GetChannel 1") == 7


async def test_refused_read_of_the_flash_has_a_status_below_zero() -> None:
    raw = (
        b"HTTP/1.1 -1 OK\nContent-type: application/json\r\n\r\n"
        b'{"error":-1, "msg":"requested flash read out of range"}'
    )
    async with answering(raw) as console:
        assert (await console.request("GET", "/api/flash/200000-1")).status == -1
        with pytest.raises(NotAnAnswerError):
            await console.read_flash(0x200000, 1)


async def test_a_password_is_sent_only_to_who_asks_for_one() -> None:
    requests: list[bytes] = []
    async with answering(INFO, requests, "secret") as console:
        assert (await console.info()).mac == MAC
    assert len(requests) == 1
    assert b"Authorization" not in requests[0]
    refusal = b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n"
    async with answering(refusal, requests, "secret") as console:
        for _ in range(2):
            with pytest.raises(PasswordError):
                await console.info()
    assert [b"Authorization" in request for request in requests[1:]] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "body",
    [
        # As the firmware sends it where something in it is not escaped or was cut.
        rb"""{"uptime_s":40,"build":"Built on Nov 29 2026 08:02:51 version 1.18.299","""
        rb""""ip":"192.168.1.50","mac":"C8:47:8C:12:34:56","flags":"1028","mqtthost":"""
        rb""""broker.lan:1883","mqtttopic":"obk8C123456","chipset":"BK7231N","webapp":"""
        rb""""https://openbekeniot.github.io/webapp/","shortName":"a"b\","startcmd":"""
        rb""""backlog echo "a\b"; echo c","supportsSSDP":0,"supportsClientDeviceDB":true}""",
        rb"""{"uptime_s":40,"build":"Built on Nov 29 2026 08:02:51 version 1.18.299","""
        rb""""ip":"192.168.1.50","mac":"C8:47:8C:12:34:56","flags":"1028","mqtthost":"""
        rb""""broker.lan:1883"mqtttopic":"obk8C123456","chipset":"BK7231N","webapp":"""
        rb""""x","shortName":"a"b\","startcmd":"","supportsSSDP":0}""",
    ],
)
async def test_info_that_is_no_json_is_understood(body: bytes) -> None:
    async with answering(JSON + body) as console:
        info = await console.info()
    assert info.mac == MAC
    assert info.broker == "broker.lan:1883"
    assert info.client_id == "obk8C123456"
    assert info.short_name == 'a"b\\'
    assert info.chip == "BK7231N"
    assert info.uptime == 40
    assert info.build.endswith("1.18.299")


@pytest.mark.parametrize(
    "body",
    [
        # rest_interface.c of the tags 1.15.250 and 1.17.69.
        b'{"uptime_s":40,"build":"Build on Jan  8 2023 10:00:00 version 1.15.250",'
        b'"ip":"192.168.1.50","mac":"c8:47:8c:12:34:56","mqtthost":"broker.lan:1883",'
        b'"mqtttopic":"obk8C123456","chipset":"BK7231N","webapp":"https://openbekeniot.'
        b'github.io/webapp/","supportsClientDeviceDB":true}',
        b'{"uptime_s":40,"build":"Build on Apr 29 2023 06:30:00 version 1.17.69",'
        b'"ip":"192.168.1.50","mac":"c8:47:8c:12:34:56","flags":"1024",'
        b'"mqtthost":"broker.lan:1883","mqtttopic":"obk8C123456","chipset":"BK7231N",'
        b'"webapp":"https://openbekeniot.github.io/webapp/","startcmd":"",'
        b'"supportsSSDP":0,"supportsClientDeviceDB":true}',
        # With a quote in the start-up command, which is not escaped there.
        b'{"uptime_s":40,"build":"Build on Apr 29 2023 06:30:00 version 1.17.69",'
        b'"ip":"192.168.1.50","mac":"c8:47:8c:12:34:56","flags":"1024",'
        b'"mqtthost":"broker.lan:1883","mqtttopic":"obk8C123456","chipset":"BK7231N",'
        b'"webapp":"https://openbekeniot.github.io/webapp/","startcmd":"echo "a"",'
        b'"supportsSSDP":0,"supportsClientDeviceDB":true}',
    ],
)
async def test_a_release_before_1_17_70_tells_no_short_name(body: bytes) -> None:
    """It came to /api/info on 2023-04-29; all else that we need is there since 2022."""
    async with answering(JSON + body) as console:
        info = await console.info()
    assert (info.mac, info.chip, info.client_id) == (MAC, "BK7231N", "obk8C123456")
    assert info.broker == "broker.lan:1883"
    assert info.short_name == ""


async def test_a_question_that_is_unknown_may_be_answered_all_the_same() -> None:
    """Status is a command since 1.17.752; /api/cmnd says 501 before, with the answer.

    ``http_rest_post_cmd`` and ``CMD_ExecuteCommandArgs`` of the tag 1.17.360.
    """
    head = JSON.replace(b"200", b"501")
    said = b'{"error":501, "msg":"Unknown command", "res":%b}'
    async with answering(head + said % b'{"StatusSNS":{}}') as console:
        assert await console.command("Status 8") == {"StatusSNS": {}}
        with pytest.raises(CommandRefusedError):
            await console.command("StatusQuo")
    async with answering(head + said % b"{}") as console:
        with pytest.raises(CommandRefusedError) as refused:
            await console.command("Status 8")
    assert refused.value.unknown


@pytest.mark.parametrize(
    ("ask", "body"),
    [
        (Console.info, b'{"a":' + b"[" * 200_000),
        (Console.info, INFO_BODY.replace(b"40", b"Infinity")),
        (Console.info, INFO_BODY.replace(b"40", b"9" * 5000)),
        (Console.info, INFO_BODY.replace(b"40", b"-1")),
        (Console.info, INFO_BODY.replace(b"40", b"true")),
        (Console.info, INFO_BODY.replace(b"c8:47", b"c8-47")),
        (Console.info, INFO_BODY.replace(b"obk8C123456", b"\\ud800")),
        (Console.info, INFO_BODY.replace(b'"obk8C123456"', b"[1]")),
        (Console.info, INFO_BODY.replace(b"obk8C123456", b"x" * 4000)),
        (Console.info, b"x" * 300_000),
        (Console.pins, b'{"roles":[1],"channels":[1.5]}'),
        (Console.pins, b'{"roles":[1],"channels":[true]}'),
        (Console.pins, b'{"roles":[1],"channels":["1.5"]}'),
        (Console.pins, b'{"roles":[1],"channels":[-1]}'),
        (Console.pins, b'{"roles":[1],"channels":[64]}'),
        (Console.pins, b'{"roles":[true],"channels":[1]}'),
        (Console.pins, b'{"roles":[[1]],"channels":[1]}'),
        (Console.pins, b'{"roles":{"a":1},"channels":[1]}'),
        (Console.pins, b'{"roles":[1]}'),
        (Console.startup_command, b"{}"),
        (Console.channels, b'{"1":"on"}'),
        (Console.channels, b'{"1":null}'),
        (Console.channels, b'{"1":1e999}'),
        # Of these chips nobody knows where the configuration is, so pages are asked.
        (Console.channel_types, ELSEWHERE),
        (Console.channel_types, ELSEWHERE.replace(b"{", b'{"types":[true],')),
        (Console.flags, ELSEWHERE),
        (Console.start_values, ELSEWHERE),
        (Console.startup_command, ELSEWHERE),
        (read_stored_factors, ELSEWHERE),
        (read_meter, b'{"StatusSNS":{}}'),
        (read_meter, READINGS % (b'"low"', b"0.1")),
        (read_meter, READINGS % (b"230.1", b"NaN")),
    ],
)
async def test_hostile_answers_are_no_answers(
    ask: Callable[[Console], Awaitable[object]], body: bytes
) -> None:
    async with answering(JSON + body) as console:
        with pytest.raises(NotAnAnswerError):
            await ask(console)


@pytest.mark.parametrize("status", [b"9" * 5000, b"2 00", b"x", b"+200", b"", b"20"])
async def test_a_status_has_three_digits(status: bytes) -> None:
    async with answering(INFO.replace(b"200", status)) as console:
        with pytest.raises(NotAnAnswerError):
            await console.info()


async def test_flash_that_the_firmware_does_not_read(config: ConfigSector) -> None:
    """Its error has the status -1."""
    async with served(config) as plugged:
        with pytest.raises(NotAnAnswerError):
            await console_of(plugged).read_flash(0x200000, 16)


@pytest.mark.parametrize(
    ("ask", "field", "found"),
    [
        (Console.startup_command, "startup_command", b"\xffecho"),
        (mqtt_settings.read, "mqtt_client_id", b"\xc3"),
        (read_stored_factors, "calibration", b"\xff\xff\xff\xff"),
        (read_stored_factors, "calibration", b"\0\0\x80\xbf"),
    ],
)
async def test_what_lies_in_the_flash_may_be_no_text_and_no_number(
    config: ConfigSector,
    ask: Callable[[Console], Awaitable[object]],
    field: str,
    found: bytes,
) -> None:
    async with served(config) as plugged:
        offset, _ = place_of(field)
        plugged.flash.rewrite(config_region(BK7231N).start + offset, found)
        with pytest.raises(NotAnAnswerError):
            await ask(console_of(plugged))


async def test_a_factor_of_power_may_be_negative(config: ConfigSector) -> None:
    """That of a BL0942 which is connected the other way round."""
    async with served(config) as plugged:
        offset, _ = place_of("calibration")
        start = config_region(BK7231N).start + offset
        plugged.flash.rewrite(start + 8, b"\x89\xc1\x2a\xc4")
        *_, power = await read_stored_factors(console_of(plugged))
        assert power == pytest.approx(-683.024, abs=0.001)


async def test_a_build_that_cannot_read_its_flash_is_asked_by_its_pages() -> None:
    """What comes back is no flash where the configuration may be."""
    raw = ELSEWHERE.replace(b"LN882H", b"W600")
    async with answering(JSON + raw) as console:
        with pytest.raises(NotAnAnswerError):
            await console.flags()


async def test_scripts_that_run_at_boot(config: ConfigSector) -> None:
    async with served(config) as plugged:
        assert await console_of(plugged).boot_scripts() == ()
    raw = b"HTTP/1.1 200 OK\nContent-type: application/octet-stream\r\n\r\necho A\n"
    async with answering(raw) as console:
        assert await console.boot_scripts() == ("echo A\n", "echo A\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-type: text/html\r\n\r\n<html>GET REST API</html>",
        b"HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-type: application/json\r\n\r\n{"mac":"x"}',
        b"HTTP/1.1 404 Not Found\r\nContent-type: application/json\r\n\r\n{}",
    ],
)
async def test_other_products_are_not_taken_for_a_socket(raw: bytes) -> None:
    asked: list[Callable[[Console], Awaitable[object]]] = [
        Console.info,
        Console.pins,
        Console.flags,
        Console.reboot,
        lambda console: console.command("restart"),
    ]
    async with answering(raw) as console:
        for ask in asked:
            with pytest.raises((NotAnAnswerError, UnreachableError)):
                await ask(console)
