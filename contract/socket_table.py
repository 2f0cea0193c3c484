"""What an OpenBeken does over HTTP, at its console and on MQTT."""

from collections.abc import Awaitable, Callable
import json
import re
from typing import Any, Final

import aiohttp

from .expectations import (
    NOTHING,
    RECORDED,
    Expectation,
    Need,
    UnfitError,
    expect,
    same,
    shorten,
)
from .http import request
from .settings import (
    ChannelType,
    ChannelValue,
    FlagState,
    PinChannel,
    PinRole,
    ShortName,
    StartupCommand,
    StartValue,
)
from .socket import CONFIGURATION, Socket

type Row = Expectation[Socket]

READ_IN_SOURCE: Final = "source of OpenBeken 1.18.299"
SEEN_IN_USE: Final = "OpenBeken 1.18.299 beside a broker"

# Only the status line ends with a bare LF, in every release since 2022-02.
_REST_OF_HEAD: Final = (
    b"\r\nAccess-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, Accept\r\n"
    b"Connection: close\r\n\r\n"
)
_NOT_ENOUGH: Final = "Not enough arguments for this command"


def _head(status: str, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\nContent-type: {kind}".encode() + _REST_OF_HEAD


# Kinds of expectations


def heads(says: str, method: str, target: str, head: bytes, body: str = "") -> Row:
    """Expect the very bytes of a head."""

    async def play(socket: Socket) -> None:
        answer = await (
            socket.post(target, body) if method == "POST" else socket.get(target)
        )
        same("the head", answer.head, head)

    return Expectation(says=f"HTTP: {says}", play=play)


def answers(says: str, method: str, target: str, expected: bytes) -> Row:
    """Expect the very bytes of a whole answer."""

    async def play(socket: Socket) -> None:
        raw = request(method, target, None, *socket.headers)
        same("the answer", (await socket.exchange(raw)).raw, expected)

    return Expectation(says=f"HTTP: {says}", play=play)


def replies(line: str, status: str, message: str, result: Any = None) -> Row:
    """Expect what /api/cmnd replies to a console line that changes nothing."""

    async def play(socket: Socket) -> None:
        head, told = await socket.command(line)
        same("the status line", head, f"HTTP/1.1 {status} OK".encode())
        key = "success" if status == "200" else "error"
        same("the number in it", told.get(key), int(status))
        same("its message", told.get("msg"), message)
        if result is not None:
            same("its result", told.get("res"), result)

    return Expectation(
        says=f"console: {shorten(line)} is answered {status} {message!r}", play=play
    )


def asks(line: str, reply: str) -> Row:
    """Expect what /cm replies to a console line that changes nothing; ``reply`` is a pattern."""

    async def play(socket: Socket) -> None:
        text = (await socket.ask(line)).text
        expect(re.fullmatch(reply, text), f"/cm replied {shorten(text)}")

    return Expectation(says=f"console: /cm answers {line!r} with {reply}", play=play)


def publishes(says: str, arguments: str, *heard: str, command: str = "publish") -> Row:
    """Expect what the tokenizer makes of the arguments of a harmless publication."""

    async def play(socket: Socket) -> None:
        since = socket.marker
        socket.send(command, arguments)
        await socket.settled()
        told = [
            message.payload.decode(errors="backslashreplace")
            for message in socket.broker.heard[since:]
            if message.topic == f"{socket.topic}/contract/get"
            and not message.payload.endswith(b"-settled")
        ]
        same("what was published", told, list(heard))

    return Expectation(
        says=f"console over MQTT: {says}",
        play=play,
        needs=Need.BROKER,
        source=SEEN_IN_USE,
    )


def keeps(argument: str, kept: str, *, over_mqtt: bool = False) -> Row:
    """Expect what is kept of an argument; the short name is the field that shows it."""

    async def play(socket: Socket) -> None:
        await socket.borrow(ShortName())
        await socket.order("ShortName __before__")
        if over_mqtt:
            socket.send("ShortName", argument)
            await socket.settled()
        else:
            await socket.command(f"ShortName {argument}")
        same("what was kept", (await socket.info())["shortName"], kept)

    road = "MQTT" if over_mqtt else "/api/cmnd"
    needs = Need.WRITES | Need.BROKER if over_mqtt else Need.WRITES
    return Expectation(
        says=f"console: of ShortName {shorten(argument)} over {road} is kept {kept!r}",
        play=play,
        needs=needs,
    )


def does(
    says: str,
    play: Callable[[Socket], Awaitable[None]],
    needs: Need = NOTHING,
    *,
    source: str = RECORDED,
    since: tuple[int, ...] = (),
    chips: frozenset[str] = frozenset(),
) -> Row:
    """Expect something that takes more than one step."""
    return Expectation(
        says=says, play=play, needs=needs, source=source, since=since, chips=chips
    )


# What takes more than one step


async def _late_body(socket: Socket) -> None:
    whole = request("POST", "/api/cmnd", "echo contract", *socket.headers)
    answer = await socket.exchange(whole[:-13], whole[-13:])
    same("the status line", answer.head.partition(b"\n")[0], b"HTTP/1.1 400 OK")
    same("its message", json.loads(answer.body)["msg"], "No command entered")


async def _library(socket: Socket) -> None:
    address = socket.grants.address
    headers = dict(header.split(": ", 1) for header in socket.headers)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://{address.host}:{address.port}/api/info") as response,
    ):
        same("the status", response.status, 200)
        text = await response.text()
    expect(f'"mqtttopic":"{socket.topic}"' in text, f"the body is {shorten(text)}")


async def _refuses_strangers(socket: Socket) -> None:
    if socket.grants.web_password is None:
        raise UnfitError("this socket has no web password")
    answer = await socket.exchange(request("GET", "/api/info"))
    same(
        "the answer",
        answer.raw,
        b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
        b'WWW-Authenticate: Basic realm="OpenBeken HTTP Server"\r\n\r\n',
    )


_INFO: Final[dict[str, str]] = {
    "uptime_s": r"\d+",
    "build": r"Built on [A-Z][a-z]{2} [ \d]\d \d{4} \d\d:\d\d:\d\d version \S+",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "mac": r"([0-9a-f]{2}:){5}[0-9a-f]{2}",
    "flags": r"-?\d+",
    "mqtthost": r".*:\d+",
    "mqtttopic": r".{1,63}",
    "chipset": r"\w+",
    "webapp": r".*",
    "shortName": r".{0,31}",
    "startcmd": r"(?s:.{0,1567})",
    "supportsSSDP": r"[01]",
    "supportsClientDeviceDB": r"True",
}


async def _info_shape(socket: Socket) -> None:
    told = await socket.info()
    same("the order of the keys", list(told)[: len(_INFO)], list(_INFO))
    for key, pattern in _INFO.items():
        expect(
            re.fullmatch(pattern, str(told[key])),
            f"{key} does not look like {pattern}: {shorten(told[key])}",
        )
    for key in ("uptime_s", "supportsSSDP"):
        same(f"the type of {key}", type(told[key]), int)
    same("the type of flags", type(told["flags"]), str)


async def _pins_shape(socket: Socket) -> None:
    told = json.loads((await socket.get("/api/pins")).body)
    same("the keys", list(told), ["rolenames", "roles", "channels", "states"])
    lengths = {len(told[key]) for key in ("roles", "channels", "states")}
    same("how many lengths its lists have", len(lengths), 1)
    same("its first role names", told["rolenames"][:4], [" ", "Rel", "Rel_n", "Btn"])


async def _flags_are_told(socket: Socket) -> None:
    _, told = await socket.command("Flags")
    same("the flags", told["res"]["Flags"], (await socket.info())["flags"])


async def _client_is_told(socket: Socket) -> None:
    _, told = await socket.command("MqttClient")
    same("the client id", told["res"], {"MQTTClient": socket.topic})


async def _first_backlog_error(socket: Socket) -> None:
    for line in ("backlog nosuchcommand; echo a", "backlog echo a; nosuchcommand"):
        head, _ = await socket.command(line)
        same(f"the reply to {line}", head, b"HTTP/1.1 501 OK")


# On MQTT


async def _online_lies_there(socket: Socket) -> None:
    lying = await socket.broker.retained(f"{socket.topic}/connected")
    same("what lies at the broker", lying, b"online")


_SAID_AT_CONNECTING: Final = [
    "host",
    "build",
    "mac",
    "temp",
    "ssid",
    "datetime",
    "sockets",
    "rssi",
    "uptime",
    "freeheap",
    "ip",
]


async def _list_after(socket: Socket, since: int) -> list[str]:
    """Wait for the end of the list and return it: topics below the client id."""
    await socket.hear("ip", since=since)
    names = [
        message.topic.removeprefix(f"{socket.topic}/")
        for message in socket.broker.heard[since:]
    ]
    return [name for name in names if name in _SAID_AT_CONNECTING]


async def _says_all_when_asked(socket: Socket) -> None:
    since = socket.marker
    socket.broker.publish("homeassistant/status", "online")
    same("the list", await _list_after(socket, since), _SAID_AT_CONNECTING)
    told = await socket.info()
    said = {
        message.topic.removeprefix(f"{socket.topic}/"): message
        for message in socket.broker.heard[since:]
    }
    same("its mac", said["mac"].payload.decode(), told["mac"])
    same("its ip", said["ip"].payload.decode(), told["ip"])
    build = (
        rf"Open{socket.chipset} {re.escape(socket.version)} \w{{3}} [ \d]\d \d{{4}} .*"
    )
    expect(
        re.fullmatch(build, said["build"].payload.decode()),
        f"its build is {said['build'].payload!r}",
    )


async def _answers_empty_get(socket: Socket) -> None:
    channel = await _published_channel(socket)
    since = socket.marker
    socket.broker.publish(f"{socket.topic}/{channel}/get")
    value = (await socket.ask(f"GetChannel {channel}")).text
    await socket.hear(f"{channel}/get", value, since=since)


async def _ignores_full_get(socket: Socket) -> None:
    # Not on the topic of a relay: whoever listens there would believe it.
    channel = await socket.spare_channel()
    socket.broker.publish(f"{socket.topic}/{channel}/get", "5")
    await socket.settled()
    same("the channel", (await socket.ask(f"GetChannel {channel}")).text, "0")


async def _published_channel(socket: Socket) -> int:
    """Return the channel of a relay."""
    told = json.loads((await socket.get("/api/pins")).body)
    for role, channel in zip(told["roles"], told["channels"], strict=True):
        if told["rolenames"][role] in ("Rel", "Rel_n"):
            return int(channel)
    raise UnfitError("this socket has no relay")


async def _power_is_told(socket: Socket) -> None:
    since = socket.marker
    socket.send("POWER")
    message = await socket.broker.wait(
        lambda heard: heard.topic == f"stat/{socket.topic}/RESULT",
        "stat/…/RESULT",
        since=since,
    )
    told = json.loads(message.payload)
    expect(
        told and all(re.fullmatch(r"POWER\d*", key) for key in told),
        f"RESULT is {message.payload!r}",
    )
    expect(set(told.values()) <= {"ON", "OFF"}, f"RESULT is {message.payload!r}")


async def _status_5(socket: Socket) -> None:
    since = socket.marker
    socket.send("Status", "5")
    message = await socket.broker.wait(
        lambda heard: heard.topic == f"stat/{socket.topic}/STATUS5",
        "stat/…/STATUS5",
        since=since,
    )
    told = json.loads(message.payload)["StatusNET"]
    same("its Mac", told["Mac"].lower(), (await socket.info())["mac"])


async def _no_echo_of_commands(socket: Socket) -> None:
    since = socket.marker
    for command in ("Flags", "MqttClient", "nosuchcommand"):
        socket.send(command)
    await socket.settled()
    heard = [
        message.topic
        for message in socket.broker.heard[since:]
        if message.topic.startswith("stat/")
    ]
    same("what was said on stat/…", heard, [])


async def _runs_in_turn(socket: Socket) -> None:
    since = socket.marker
    words = ["first", "second", "third"]
    for word in words:
        socket.send("publish", f"contract/turn {word}")
    await socket.hear("contract/turn/get", words[-1], since=since)
    told = [
        message.payload.decode(errors="backslashreplace")
        for message in socket.broker.heard[since:]
        if message.topic == f"{socket.topic}/contract/turn/get"
    ]
    same("what was said", told, words)


# With what a person grants


async def _channel_over_mqtt(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(ChannelValue(channel))
    await socket.borrow(ChannelType(channel))
    await ChannelType(channel).write(socket, "ReadOnly")
    for payload, said in (("7", "7"), ("7", None), ("toggle", "0"), ("3", "3")):
        since = socket.marker
        socket.broker.publish(f"{socket.topic}/{channel}/set", payload)
        await socket.settled()
        told = [
            message.payload.decode()
            for message in socket.broker.heard[since:]
            if message.topic == f"{socket.topic}/{channel}/get"
        ]
        same(f"what was said after {payload!r}", told, [] if said is None else [said])


async def _unknown_type(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(ChannelType(channel))
    for name in ("NoSuchType", "Error", "1"):
        _, told = await socket.command(f"SetChannelType {channel} {name}")
        same("the message", told["msg"], "Bad argument")
    same("the type", await ChannelType(channel).read(socket), "Default")


async def _words_are_zero(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(ChannelValue(channel))
    await socket.order(f"SetChannel {channel} 5")
    socket.broker.publish(f"{socket.topic}/{channel}/set", "ON")
    await socket.settled()
    same("the channel", (await socket.ask(f"GetChannel {channel}")).text, "0")


async def _channel_over_http(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(ChannelValue(channel))
    _, told = await socket.command(f"SetChannel {channel} 5")
    same("the result", told["res"], 5)
    _, told = await socket.command(f"AddChannel {channel} 2")
    same("the result", told["res"], 7)
    same("/cm", (await socket.ask(f"GetChannel {channel}")).text, "7")
    _, told = await socket.command(f"SetChannel{channel} 5")
    same(
        "what a name with a number sets",
        (await socket.ask(f"GetChannel {channel}")).text,
        "7",
    )
    status, told = await socket.command(f"SetChannel {channel}")
    same("too few arguments", status, b"HTTP/1.1 400 OK")
    same("the result", told["res"], 7)


async def _expression(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(ChannelValue(channel))
    await socket.order(f"SetChannel {channel} 4")
    await socket.order(f"SetChannel {channel} $CH{channel}+2")
    same("the channel", (await socket.ask(f"GetChannel {channel}")).text, "6")


_FLAG: Final = 14
"""Of what an infrared receiver hears: nothing on a socket looks at it."""


async def _flag(socket: Socket) -> None:
    before = int(await socket.borrow(FlagState(_FLAG)))
    others = int((await socket.info())["flags"]) & ~(1 << _FLAG)
    for state in (1 - before, before):
        await socket.order(f"SetFlag {_FLAG} {state}")
        flags = int((await socket.info())["flags"])
        same(f"flag {_FLAG}", flags >> _FLAG & 1, state)
        same("the other flags", flags & ~(1 << _FLAG), others)


async def _start_value(socket: Socket) -> None:
    channel = await socket.spare_channel()
    await socket.borrow(StartValue(channel))
    for value in ("-1", "1"):
        await StartValue(channel).write(socket, value)
        same("what is in flash", await StartValue(channel).read(socket), value)


async def _startup_quoted(socket: Socket) -> None:
    await socket.borrow(StartupCommand())
    await socket.order('StartupCommand "backlog echo a; echo b"')
    same("it", (await socket.info())["startcmd"], "backlog echo a; echo b")
    await socket.order("StartupCommand echo a")
    same("without quotes", (await socket.info())["startcmd"], "echo")


async def _startup_form(socket: Socket) -> None:
    await socket.borrow(StartupCommand())
    text = 'echo "two  words"; echo $CH1\necho 50% ä & more'
    await StartupCommand().write(socket, text)
    same("it", (await socket.info())["startcmd"], text)
    await StartupCommand().write(socket, "")
    same("the empty one", (await socket.info())["startcmd"], "")


async def _startup_form_length(socket: Socket) -> None:
    await socket.borrow(StartupCommand())
    for length in (1567, 1568):
        text = "echo " + "x" * (length - 5)
        await StartupCommand().write(socket, text)
        kept = (await socket.info())["startcmd"]
        same(f"what is kept of {length} bytes", len(kept), 1567)


async def _long_line(socket: Socket) -> None:
    # One word only: a second one is read as a number into 128 bytes of heap, and a longer one
    # brings the firmware down (CMD_EvaluateExpression of OpenBeken 1.18.299).
    await socket.borrow(StartupCommand())
    for length, kept in ((511, 511), (512, 511), (600, 511)):
        await socket.order(f"StartupCommand {'x' * length}")
        told = (await socket.info())["startcmd"]
        same(f"what is kept of {length} bytes", len(told), kept)


async def _long_quoted_line(socket: Socket) -> None:
    # Not more: where the closing quote is cut off, the tokenizer reads beyond its buffer
    # (Tokenizer_TokenizeString of OpenBeken 1.18.299).
    await socket.borrow(StartupCommand())
    await socket.order(f'StartupCommand "{"x" * 509}"')
    told = (await socket.info())["startcmd"]
    same("what is kept of 509 bytes", len(told), 509)


async def _long_part(socket: Socket) -> None:
    await socket.borrow(StartupCommand())
    await socket.ask(f"backlog StartupCommand {'x' * 200}; echo a")
    told = (await socket.info())["startcmd"]
    same("what is kept of 200 bytes", len(told), 127 - len("StartupCommand "))


async def _quotes_hide_no_semicolon(socket: Socket) -> None:
    await socket.borrow(ShortName())
    await socket.ask('backlog ShortName "se;cret"; echo a')
    same("the name", (await socket.info())["shortName"], "se")


async def _saved_within_a_second(socket: Socket) -> None:
    await socket.borrow(ShortName())
    await socket.order("ShortName contract")
    await socket.saved()
    stored = await socket.configuration(0x2DE, 9)
    same("what is in flash", stored, b"contract\0")


async def _unknown_role(socket: Socket) -> None:
    pin = socket.grants.spare_pin
    assert pin is not None
    await socket.borrow(PinRole(pin))
    for role in ("NoSuchRole", "1"):
        _, told = await socket.command(f"SetPinRole {pin} {role}")
        same("the message", told["msg"], "Bad argument")
    same("the role", await PinRole(pin).read(socket), "None")


async def _role_and_channel(socket: Socket) -> None:
    pin = socket.grants.spare_pin
    assert pin is not None
    channel = await socket.spare_channel()
    await socket.borrow(PinChannel(pin))
    await socket.borrow(PinRole(pin))
    await socket.order(f"SetPinChannel {pin} {channel}")
    await socket.order(f"SetPinRole {pin} led_n")
    same("the role", await PinRole(pin).read(socket), "LED_n")
    same("the channel", await PinChannel(pin).read(socket), str(channel))
    await socket.order(f"SetPinRole {pin} None")
    same("no role", await PinRole(pin).read(socket), "None")


async def _light_follows_role(socket: Socket) -> None:
    pin, levels = socket.grants.spare_pin, socket.grants.levels
    assert pin is not None
    assert levels is not None
    channel = await socket.spare_channel()
    await socket.borrow(PinChannel(pin))
    await socket.borrow(PinRole(pin))
    await socket.borrow(ChannelValue(channel))
    await socket.order(f"SetPinChannel {pin} {channel - 1}")
    await socket.order(f"SetPinRole {pin} LED")
    await socket.order(f"SetChannel {channel} 1")
    await socket.order(f"SetPinChannel {pin} {channel}")
    same("the level after SetPinChannel", (await levels())[pin], 0)
    await socket.order(f"SetPinRole {pin} LED")
    same("the level after the same role again", (await levels())[pin], 1)
    await socket.order(f"SetPinRole {pin} LED_n")
    same("the level with the inverted role", (await levels())[pin], 0)
    await socket.order(f"SetChannel {channel} 0")
    same("the level when the channel falls", (await levels())[pin], 1)


async def _relay(socket: Socket) -> None:
    channel = await _published_channel(socket)
    before = int(await socket.borrow(ChannelValue(channel)))
    for value in (1 - before, before):
        since = socket.marker
        socket.broker.publish(f"{socket.topic}/{channel}/set", str(value))
        await socket.hear(f"{channel}/get", str(value), since=since)
        _, told = await socket.command("POWER")
        state = "ON" if value else "OFF"
        expect(state in told["res"].values(), f"POWER is {told['res']}")


async def _power_toggles(socket: Socket) -> None:
    channel = await _published_channel(socket)
    before = int(await socket.borrow(ChannelValue(channel)))
    since = socket.marker
    socket.send("POWER", "TOGGLE")
    await socket.hear(f"{channel}/get", str(1 - before), since=since)
    await socket.broker.wait(
        lambda heard: heard.topic == f"stat/{socket.topic}/RESULT",
        "stat/…/RESULT",
        since=since,
    )
    topics = [message.topic for message in socket.broker.heard[since:]]
    expect(
        topics.index(f"{socket.topic}/{channel}/get")
        < topics.index(f"stat/{socket.topic}/RESULT"),
        "RESULT came before the channel",
    )


async def _restart(socket: Socket) -> None:
    """Everything that only a restart shows, in one: it takes half a minute."""
    channel = await socket.spare_channel()
    second = channel - 1
    await socket.borrow(StartupCommand())
    await socket.borrow(StartValue(channel))
    await StartValue(channel).write(socket, "3")
    await StartupCommand().write(
        socket, f"backlog SetChannel {second} 4; SetChannel {second} $CH{second}+1"
    )
    since = socket.marker
    await socket.restart()
    try:
        same("the list", await _list_after(socket, since), _SAID_AT_CONNECTING)
        same("the start value", (await socket.ask(f"GetChannel {channel}")).text, "3")
        same("the command", (await socket.ask(f"GetChannel {second}")).text, "5")
    finally:
        await socket.order(f"SetChannel {channel} 0")
    states = [
        message.payload
        for message in socket.broker.heard[since:]
        if message.topic == f"{socket.topic}/connected"
    ]
    same("the last thing that it said of itself", states[-1], b"online")
    topics = [message.topic for message in socket.broker.heard[since:]]
    expect(
        topics.index(f"{socket.topic}/connected")
        < topics.index(f"{socket.topic}/host"),
        "the list began before online",
    )


_MQTT_WRITES: Final = Need.BROKER | Need.WRITES
SOCKET_TABLE: Final[tuple[Row, ...]] = (
    # Heads and answers
    heads(
        "a bare LF ends the status line, CR LF the rest of the head",
        "GET",
        "/api/info",
        _head("200 OK"),
    ),
    heads("a page has the same head", "GET", "/about", _head("200 OK", "text/html")),
    heads("an unknown page is a 200", "GET", "/x", _head("200 OK", "text/html")),
    heads(
        "a query behind /api/info makes a page of it",
        "GET",
        "/api/info?x=1",
        _head("200 OK", "text/html"),
    ),
    heads("no command is a 400", "POST", "/api/cmnd", _head("400 OK")),
    heads(
        "an unknown command is a 501",
        "POST",
        "/api/cmnd",
        _head("501 OK"),
        "nosuchcommand",
    ),
    heads("an error of /api/flash is a -1", "GET", "/api/flash/x", _head("-1 OK")),
    answers(
        "the root leads to /index, with bare LFs only",
        "GET",
        "/",
        b"HTTP/1.1 302 OK\nLocation: /index\nConnection: close\n\n",
    ),
    answers("a HEAD is closed without a byte", "HEAD", "/index", b""),
    answers("a method in small letters too", "get", "/api/info", b""),
    does("HTTP: a body in a segment of its own is not seen", _late_body),
    does(
        "HTTP: Home Assistant's library reads /api/info", _library, source=SEEN_IN_USE
    ),
    does(
        "HTTP: without the web password the answer is a 401",
        _refuses_strangers,
        source=READ_IN_SOURCE,
    ),
    does("HTTP: /api/info has its 13 keys in this order and form", _info_shape),
    does("HTTP: /api/pins has lists of one length, and role names", _pins_shape),
    # The console, with lines that change nothing
    replies("", "400", "No command entered"),
    replies("nosuchcommand", "501", "Unknown command"),
    replies("x" * 200, "501", "Unknown command"),
    replies("echo", "200", "OK"),
    replies("echo a  b", "200", "OK"),
    replies("backlog", "200", "OK"),
    replies("backlog ;", "200", "OK"),
    does("console: an error anywhere in a backlog is its reply", _first_backlog_error),
    replies("publish", "400", _NOT_ENOUGH),
    replies("publish a", "400", _NOT_ENOUGH),
    replies("publish a   ", "400", _NOT_ENOUGH),
    replies('publish "a b"', "400", _NOT_ENOUGH),
    replies("SetFlag 14", "400", _NOT_ENOUGH),
    replies("SetStartValue 60", "400", _NOT_ENOUGH),
    replies("SetPinRole 26", "400", _NOT_ENOUGH),
    replies("SetPinChannel 26", "400", _NOT_ENOUGH),
    replies("StartupCommand", "400", _NOT_ENOUGH),
    replies("AddEventHandler OnClick 8", "400", _NOT_ENOUGH),
    does("console: Flags tells the flags, with a 400", _flags_are_told),
    does("console: MqttClient tells the client id, with a 400", _client_is_told),
    asks("nosuchcommand", r"\{\}"),
    asks("POWER", r'\{("POWER\d*":"(ON|OFF)",?)+\}'),
    asks("GetChannel 60", r"-?\d+"),
    asks("Flags", r'\{"Flags":"-?\d+"\}'),
    # MQTT, with messages that change nothing
    does("MQTT: online lies at the broker, retained", _online_lies_there, Need.BROKER),
    does(
        "MQTT: homeassistant/status brings the list, mac, build and ip in it",
        _says_all_when_asked,
        Need.BROKER,
        since=(1, 18, 171),
    ),
    does("MQTT: an empty …/get is answered", _answers_empty_get, Need.BROKER),
    does("MQTT: a …/get that is not empty is ignored", _ignores_full_get, Need.BROKER),
    does(
        "MQTT: cmnd/…/POWER is answered on stat/…/RESULT", _power_is_told, Need.BROKER
    ),
    does("MQTT: cmnd/…/Status 5 is answered on stat/…/STATUS5", _status_5, Need.BROKER),
    does("MQTT: most commands have no reply", _no_echo_of_commands, Need.BROKER),
    does(
        "MQTT: commands run in turn, and publish takes a topic of two levels",
        _runs_in_turn,
        Need.BROKER,
    ),
    publishes("blanks around an argument are none of it", "  contract   a  ", "a"),
    publishes("a blank ends an argument", "contract a b", "a"),
    publishes("a tab does too", "contract a\tb", "a"),
    publishes("quotes hold blanks together", 'contract "a  b"', "a  b"),
    publishes("a quote inside a word is a letter", 'contract a"b', 'a"b'),
    publishes("UTF-8 goes through", "contract żółć", "żółć"),
    publishes("$CH59 is the value of channel 59", "contract $CH59", "0"),
    publishes("in quotes too", 'contract "$CH59"', "0"),
    publishes("publish expands within a word as well", "contract x$CH59", "x0"),
    publishes("300 bytes are whole", f"contract {'x' * 300}", "x" * 300),
    publishes(
        "a part of a backlog is cut after 127 bytes",
        f"publish contract {'x' * 200}; publish contract end",
        "x" * (127 - len("publish contract ")),
        "end",
        command="backlog",
    ),
    publishes(
        "quotes hide no semicolon in a backlog",
        'publish contract "a;b"; publish contract c',
        "a",
        "c",
        command="backlog",
    ),
    # The console, with what it keeps
    keeps("simple", "simple"),
    keeps("with blank", "with"),
    keeps("  leading", "leading"),
    keeps('"quoted with blanks"', "quoted with blanks"),
    keeps("a/b", "a/b"),
    keeps("tab\there", "tab"),
    keeps("se;cret", "se;cret"),
    keeps("$CH59", "0"),
    keeps("x$CH59", "x$CH59"),
    keeps("Zażółć", "Zażółć"),
    keeps('"<b>&"', "<b>&"),
    keeps('""', ""),
    keeps("", "__before__"),
    keeps("b" * 40, "b" * 31),
    keeps("with blank", "with", over_mqtt=True),
    keeps('"quoted with blanks"', "quoted with blanks", over_mqtt=True),
    keeps("$CH59", "0", over_mqtt=True),
    does(
        "console: quotes hide no semicolon in a backlog that sets something",
        _quotes_hide_no_semicolon,
        Need.WRITES,
    ),
    does("console: a line keeps 511 bytes", _long_line, Need.WRITES),
    does("console: of an argument in quotes 509", _long_quoted_line, Need.WRITES),
    does("console: a part of a backlog keeps 127", _long_part, Need.WRITES),
    does(
        "console: StartupCommand keeps what is in quotes, or one word",
        _startup_quoted,
        Need.WRITES,
    ),
    does(
        "HTTP: the form keeps every byte of a start-up command",
        _startup_form,
        Need.WRITES,
    ),
    does("HTTP: up to 1567 of them", _startup_form_length, Need.WRITES),
    does("console: SetFlag sets one flag and leaves the others", _flag, Need.WRITES),
    does(
        "console: SetChannel, AddChannel and GetChannel",
        _channel_over_http,
        Need.WRITES,
    ),
    does("console: an argument may be an expression", _expression, Need.WRITES),
    does(
        "console: a channel type that is none is a bad argument",
        _unknown_type,
        Need.WRITES,
    ),
    does(
        "console: SetStartValue reaches the flash",
        _start_value,
        Need.WRITES,
        chips=frozenset(CONFIGURATION),
    ),
    does(
        "console: a setting is in flash within 1.6 s",
        _saved_within_a_second,
        Need.WRITES,
        chips=frozenset(CONFIGURATION),
    ),
    does(
        "MQTT: …/set is obeyed and told once; the same value again is not",
        _channel_over_mqtt,
        _MQTT_WRITES,
        source=SEEN_IN_USE,
    ),
    does("MQTT: a word sets a channel to 0", _words_are_zero, _MQTT_WRITES),
    # Pins
    does("pins: a role that is none is a bad argument", _unknown_role, Need.SPARE_PIN),
    does(
        "pins: SetPinRole takes names in any letters, SetPinChannel numbers",
        _role_and_channel,
        Need.SPARE_PIN,
    ),
    does(
        "pins: SetPinChannel leaves the level, SetPinRole sets it, the same role too",
        _light_follows_role,
        Need.SPARE_PIN | Need.LEVELS,
    ),
    # The relay
    does("relay: …/set switches it and is told", _relay, Need.RELAY | Need.BROKER),
    does(
        "relay: POWER TOGGLE tells the channel, then RESULT",
        _power_toggles,
        Need.RELAY | Need.BROKER,
    ),
    # A restart
    does(
        "restart: online, then the list; start value and start-up command are there",
        _restart,
        Need.RESTART | Need.BROKER,
        since=(1, 18, 171),
    ),
)
