"""Tests of the simulated socket's web server and its traps."""

import asyncio
import base64
from collections.abc import AsyncIterator
import json
import struct

import pytest

from custom_components.openbk.pyopenbk.obk.config_sector import parse
from tests.support.broker import Broker

from .rig import (
    CLIENT,
    CONFIG_ADDRESS,
    PATIENCE,
    Rig,
    body,
    configuration,
    flags,
    status,
)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(None, configuration(1, mqtt_host="")) as rig:
        await rig.until(lambda: rig.device.http_address)
        yield rig


def post(target: str, content: str) -> tuple[bytes, bytes]:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: socket\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode(), content.encode()


async def test_unknown_paths_are_200_with_html(rig: Rig) -> None:
    for path in ("/nonexistent", "/api/nonexistent", "/api/status"):
        answer = await rig.get(path)
        assert status(answer) == 200
        assert b"Content-type: text/html" in answer


async def test_cm_does_not_say_that_it_did_nothing(rig: Rig) -> None:
    for command in ("nonsense", "VREF", "ShortName", "VoltageSet%200"):
        answer = await rig.get(f"/cm?cmnd={command}")
        assert (status(answer), body(answer)) == (200, "{}")


async def test_api_cmnd_says_how_it_ended(rig: Rig) -> None:
    for line, expected, message in (
        ("SetChannel 1 1", 200, "OK"),
        ("nonsense", 501, "Unknown command"),
        ("SetFlag 5", 400, "Not enough arguments for this command"),
        ("SetPinRole 26 Nothing", 400, "Bad argument"),
        ("PowerSet", 400, "Not enough arguments for this command"),
        ("", 400, "No command entered"),
    ):
        answer = await rig.post("/api/cmnd", line)
        assert answer.startswith(f"HTTP/1.1 {expected} OK\n".encode())
        assert json.loads(body(answer))["msg"] == message


async def test_body_in_a_segment_of_its_own_is_never_seen(rig: Rig) -> None:
    head, content = post("/api/cmnd", "SetChannel 1 1")
    assert "No command entered" in body(await rig.http_in_pieces([head, content]))
    assert not rig.device.relay(1)
    assert "OK" in body(await rig.http(head + content))
    assert rig.device.relay(1)


async def test_pins_without_a_body(rig: Rig) -> None:
    head, content = post("/api/pins", '{"roles":[1]}')
    answer = await rig.http_in_pieces([head, content])
    assert status(answer) == 400
    assert rig.device.settings.values.roles[0] == 0


async def test_request_that_fills_the_buffer_waits_for_ever(rig: Rig) -> None:
    padding = "x" * (1022 - len("GET /api/info HTTP/1.1\r\nA: \r\n\r\n"))
    full = f"GET /api/info HTTP/1.1\r\nA: {padding}\r\n\r\n".encode()
    assert len(full) == 1022
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rig.http(full), 0.3)
    # One byte more is fine, and so is the next client.
    assert status(await rig.http(full.replace(b"A: x", b"A: xx"))) == 200


async def test_idle_connection_holds_up_nobody(rig: Rig) -> None:
    """The firmware has a thread for each client."""
    host, port = str(rig.device.http_address).split(":")
    _, idle = await asyncio.open_connection(host, int(port))
    assert status(await asyncio.wait_for(rig.get("/api/info"), PATIENCE)) == 200
    idle.close()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ((), 401),
        (("admin:wrong",), 401),
        (("root:secret",), 401),
        (("admin:secret",), 200),
    ],
)
async def test_password(header: tuple[str, ...], expected: int) -> None:
    config = configuration(1, mqtt_host="", web_password="secret")
    headers = [
        f"Authorization: Basic {base64.b64encode(login.encode()).decode()}"
        for login in header
    ]
    async with Rig(None, config) as rig:
        for path in ("/index", "/api/info", "/cm?cmnd=Power"):
            answer = await rig.get(path, *headers)
            assert status(answer) == expected
            if expected == 401:
                assert answer == (
                    b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
                    b'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"\r\n\r\n'
                )


async def test_info(rig: Rig) -> None:
    rig.device.settings.change(flags=1 << 31 | 1 << 40 | 1 << 10)
    rig.device.settings.change(startup_command='echo "a";\nb')
    info = json.loads(body(await rig.get("/api/info")))
    # The low half, with a sign.
    assert info["flags"] == str((1 << 10) - (1 << 31))
    assert info["mac"] == "c8:47:8c:12:34:56"
    assert info["chipset"] == "BK7231N"
    assert info["startcmd"] == 'echo "a";\nb'
    assert info["supportsSSDP"] == 0
    await rig.get("/cm?cmnd=startDriver%20SSDP")
    assert json.loads(body(await rig.get("/api/info")))["supportsSSDP"] == 1


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("startup_command", "echo a\\slash"),
        ("short_name", 'the "lamp"'),
        ("mqtt_host", "x" * 250),
    ],
)
async def test_info_is_no_json_any_more(rig: Rig, field: str, text: str) -> None:
    """Backslashes and quotes are not escaped, and what is too long is cut."""
    rig.device.settings.change(**{field: text})
    with pytest.raises(ValueError, match="line 1"):
        json.loads(body(await rig.get("/api/info")))


async def test_posted_pins_are_saved_and_driven(rig: Rig) -> None:
    roles, channels = [0] * 29, [0] * 29
    roles[26], channels[26] = 1, 3
    posted = {"roles": roles, "channels": channels, "deviceFlag": 7}
    answer = await rig.post("/api/pins", json.dumps(posted, separators=(",", ":")))
    assert json.loads(body(answer)) == {"success": 200, "msg": "OK"}
    await rig.post("/api/pins", '{"deviceFlag":12}')
    await rig.get("/cm?cmnd=SetChannel%203%201")
    assert rig.device.relay(3)
    await rig.until(lambda: not rig.device.settings.changed)
    saved = parse(rig.flash.read(CONFIG_ADDRESS, 0x1000))
    assert saved.roles[26] == 1
    assert saved.flags == flags(7, 10)


async def test_posted_command_is_saved_and_run(rig: Rig) -> None:
    await rig.post("/api/pins", '{"deviceCommand":"SetChannel 1 1"}')
    assert rig.device.relay(1)
    assert rig.device.settings.values.startup_command == "SetChannel 1 1"


async def test_generic_page_clears_what_is_not_listed(rig: Rig) -> None:
    rig.device.settings.change(flags=flags(10, 21, 38))
    await rig.get("/cfg_generic?boot_ok_delay=9")
    assert rig.device.settings.values.flags == flags(10, 21, 38)
    assert rig.device.settings.values.boot_success_seconds == 9
    await rig.get("/cfg_generic?setFlags=1&flag2=1")
    assert rig.device.settings.values.flags == flags(2)


async def test_mqtt_page_keeps_what_is_missing_but_the_host(rig: Rig) -> None:
    await rig.get("/cfg_mqtt_set?host=broker&port=1884&user=me&password=a%26b")
    values = rig.device.settings.values
    assert (values.mqtt_host, values.mqtt_port) == ("broker", 1884)
    assert (values.mqtt_username, values.mqtt_password) == ("me", "a&b")
    assert values.mqtt_client_id == CLIENT
    await rig.get("/cfg_mqtt_set?client=lamp")
    values = rig.device.settings.values
    assert (values.mqtt_host, values.mqtt_port) == ("", 1884)
    assert values.mqtt_client_id == "lamp"
    assert not rig.restarts


async def test_mqtt_page_reconnects(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mqtt_host="")) as rig:
        await rig.uptime(20)
        await rig.get(f"/cfg_mqtt_set?host={mosquitto.host}&port={mosquitto.port}")
        await rig.online()


async def test_wifi_page_restarts_and_clears_the_web_password() -> None:
    config = configuration(1, mqtt_host="", web_password="secret")
    login = base64.b64encode(b"admin:secret").decode()
    async with Rig(None, config) as rig:
        await rig.get(
            "/cfg_wifi_set?ssid=Other&pass=hunter22&ssid2=&pass2=",
            f"Authorization: Basic {login}",
        )
        await rig.until(lambda: rig.restarts == 1 and rig.device.running)
        values = rig.device.settings.values
        assert (values.wifi_ssid, values.wifi_password) == ("Other", "hunter22")
        assert values.web_password == ""


async def test_wifi_page_sets_a_web_password_of_some_length(rig: Rig) -> None:
    for password, expected in (("abc", ""), ("abcdef", "abcdef")):
        await rig.get(
            "/cfg_wifi_set?ssid=TestNet&pass=testpass123"
            f"&web_admin_password_enabled=1&web_admin_password={password}"
        )
        assert rig.device.settings.values.web_password == expected


async def test_reading_flash(rig: Rig) -> None:
    answer = await rig.get("/api/flash/1d1000-20")
    content = answer.partition(b"\r\n\r\n")[2]
    assert content[:3] == b"CFG"
    assert len(content) == 0x20
    rig.device.settings.change_entry("calibration", 2, 1.625)
    await rig.until(lambda: not rig.device.settings.changed)
    answer = await rig.get("/api/flash/1d1498-c")
    factors = struct.unpack("<3f", answer.partition(b"\r\n\r\n")[2])
    assert factors == (0.0, 0.0, 1.625)


async def test_upload_is_read_to_its_end(rig: Rig) -> None:
    image = bytes(range(256)) * 40
    head = f"POST /api/ota HTTP/1.1\r\nContent-Length: {len(image)}\r\n\r\n".encode()
    pieces = [head, *(image[at : at + 1000] for at in range(0, len(image), 1000))]
    answer = await rig.http_in_pieces(pieces)
    assert json.loads(body(answer)) == {"size": len(image)}
    assert rig.flash.read(0x12A000, len(image)) == image
    assert rig.device.settings.values.ota_counter == 1
    assert not rig.restarts
    assert body(await rig.post("/api/reboot", "")) == '{"reboot":3}'
    await rig.until(lambda: rig.restarts == 1)


async def test_firmware_is_fetched_by_the_socket_itself(rig: Rig) -> None:
    image = b"RBL" + bytes(5000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + image)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await rig.get(f"/ota_exec?host=http://127.0.0.1:{port}/new.rbl")
        await rig.until(lambda: rig.restarts == 1)
    assert rig.flash.read(0x12A000, len(image)) == image


async def test_index_acts_on_channels(rig: Rig) -> None:
    for query, expected in (
        ("tgl=1", 1),
        ("off=1", 0),
        ("on=1", 255),
        ("set=5&setIndex=1", 5),
    ):
        assert status(await rig.get(f"/index?{query}")) == 200
        assert rig.device.channels[1] == expected
    assert "<td class='on'>ON</td>" in body(await rig.get("/index?state=1"))


async def test_names_flags_and_start_values_by_address(rig: Rig) -> None:
    await rig.get("/cfg_name?shortName=lamp&name=Lamp_in_the_hall")
    await rig.get("/cfg_startup?idx=1&value=-1")
    await rig.get("/startup_command?startup_cmd=1&data=backlog%20echo%20a;%20echo%20b")
    await rig.get("/cfg_ping?host=&interval=0&disconnectTime=0")
    assert rig.device.settings.values.ping_host == "192.168.0.1"
    await rig.get("/cfg_ping?clear=1")
    values = rig.device.settings.values
    assert (values.short_name, values.long_name) == ("lamp", "Lamp_in_the_hall")
    assert values.start_values[1] == -1
    assert values.startup_command == "backlog echo a; echo b"
    assert values.ping_host == ""


async def test_log_gives_the_wifi_password_away(rig: Rig) -> None:
    assert "testpass123" in body(await rig.get("/lograw"))


async def test_discovery_page_without_mqtt(rig: Rig) -> None:
    assert body(await rig.get("/ha_discovery?prefix=x")) == "MQTT not running."


async def test_settings_reach_the_flash_within_a_second(rig: Rig) -> None:
    rig.device.console.execute("SetFlag 21 1")
    assert rig.device.settings.changed
    await rig.seconds(1)
    assert not rig.device.settings.changed
    saved = parse(rig.flash.read(CONFIG_ADDRESS, 0x1000))
    assert saved.flags == flags(10, 21)
    assert saved.change_counter == 1
