"""What a socket says is read for what it is."""

from collections.abc import Iterator

import pytest

from custom_components.openbk.pyopenbk.obk import messages
from custom_components.openbk.pyopenbk.obk.messages import Change, Gesture, Value
from tests.recordings import session as recorded


@pytest.mark.parametrize(
    ("suffix", "payload", "key", "value"),
    [
        ("connected", "online", "connected", True),
        ("connected", "offline", "connected", False),
        ("1/get", "1", "channel_1", 1),
        ("2/get", "0", "channel_2", 0),
        ("1/get", "2", "channel_1", 2),
        ("1/get", "1.000000", "channel_1", 1),
        ("0/get", "1", "channel_0", 1),
        ("63/get", "-1", "channel_63", -1),
        ("1/get", "2147483647", "channel_1", 2147483647),
        ("1", "1", "channel_1", 1),
        ("voltage/get", "231.3", "voltage", 231.3),
        ("voltage", "231.3", "voltage", 231.3),
        ("current/get", "0.435", "current", 0.435),
        ("power/get", "7200.00", "power", 7200.0),
        ("power/get", "-0.00", "power", 0.0),
        ("power/get", "78.23", "power", 78.23),
        ("energycounter/get", "1234.515", "energy", 1.234515),
        ("energycounter_today/get", "0.135", "energy_today", 0.000135),
        ("temp", "23.45", "temp", 23.45),
        ("rssi", "-61", "rssi", -61.0),
        ("uptime", "25", "uptime", 25),
        ("ip", "192.168.1.7", "ip", "192.168.1.7"),
        ("mac", "C8:47:8C:12:34:56", "mac", "c8:47:8c:12:34:56"),
        ("button/get", "double", "button", Gesture.DOUBLE),
        ("button_11/get", "hold", "button_11", Gesture.HOLD),
    ],
)
def test_statement(suffix: str, payload: str, key: str, value: Value) -> None:
    assert messages.parse(suffix, payload) == Change(key=key, value=value)


@pytest.mark.parametrize(
    ("suffix", "payload"),
    [
        ("1/get", ""),
        ("1/set", "1"),
        ("voltage/set", "1"),
        ("voltage/get", "inf"),
        ("power/get", "nan"),
        ("power/get", "-"),
        ("power/get", "1e3"),
        ("power/get", "0x10"),
        ("power/get", "1_0"),
        ("power/get", " 10"),
        ("power/get", "10\n"),
        ("power/get", "８０"),
        ("power/get", "9" * 5000),
        # No socket has measured these.
        ("power/get", "-45.30"),
        ("power/get", "10800.00"),
        ("voltage/get", "-1.0"),
        ("voltage/get", "2300.0"),
        ("current/get", "75841.953"),
        ("energycounter/get", "-5.000"),
        ("energycounter/get", "490207333842944"),
        ("energycounter_today/get", "300000.000"),
        ("rssi", "57"),
        ("temp", "1000.00"),
        ("uptime", "99999999999"),
        ("uptime", "-1"),
        ("datetime", "1000000000000"),
        ("1/get", "999999999999"),
        ("64/get", "1"),
        ("９/get", "1"),
        ("9" * 5000 + "/get", "1"),
        ("button_１/get", "single"),
        ("ssid", "two\nlines"),
        ("ssid", "x" * 33),
        ("ssid", "\u202egnirts"),
        ("host", "\ud800"),
        ("build", "OpenWrt 24.10"),
        ("connected", "maybe"),
        ("mac", "nobody"),
        ("button/get", "OnPress"),
        ("consumption_stats/get", "{}"),
        ("", ""),
    ],
)
def test_no_statement(suffix: str, payload: str) -> None:
    assert messages.parse(suffix, payload) is None


@pytest.mark.parametrize("key", ["connected", "channel_7", "voltage", "energy", "ip"])
def test_a_key_is_read_from_its_own_topic(key: str) -> None:
    text = {"connected": "online", "ip": "10.0.0.1"}.get(key, "7")
    change = messages.parse(messages.topic_of(key), text)
    assert change is not None
    assert change.key == key


def test_client_ids() -> None:
    assert messages.is_client_id("obk8C123456")
    for wrong in (
        "",
        "a/b",
        "a+",
        "#",
        "a b",
        "x" * 64,
        "$SYS",
        "a\x7f",
        "\ud800",
        "a\u202eb",
    ):
        assert not messages.is_client_id(wrong)


def test_what_somebody_else_called_a_socket_may_have_blanks() -> None:
    """OpenBeken 1.18.299 takes commands as "Kitchen & Bad 1", and answers under that name."""
    for there in ("Kitchen & Bad 1", "home/plug", "obk8C123456"):
        assert messages.is_root_of_topics(there)
    for wrong in ("", "a+", "#", "x" * 64, "$SYS", "a\x7f", "\ud800", "a\tb"):
        assert not messages.is_root_of_topics(wrong)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        ("OpenBK7231N 1.18.300 Nov 22 2026 16:44:43", True),
        ("OpenBK7231N 1.15.577 Mar 11 2023 16:44:43", True),
        ("OpenBK7231N 1.15.576 Mar 11 2023 16:44:43", False),
        ("OpenBK7231N main_0123456789ab", False),
        ("", False),
    ],
)
def test_a_socket_is_told_a_word_where_its_firmware_is_known_to_say_it(
    build: str, says: bool
) -> None:
    assert messages.says_on_command(build) is says


def test_a_word_is_said_where_the_socket_itself_does_not_listen() -> None:
    """It takes ``<client>/<one level>/get`` for a question for a channel."""
    sent = messages.ask_for_word("Kitchen & Bad 1", "0badcafe")
    assert sent.topic == "cmnd/Kitchen & Bad 1/publish"
    topic, word = sent.payload.split(" ")
    assert word == "0badcafe"
    assert topic.count("/") == 1
    assert messages.heard_topic("obk") == f"obk/{topic}/get"
    assert messages.heard_topic("obk", without_get=True) == f"obk/{topic}"
    forgotten = messages.forget_word("obk/x")
    assert (forgotten.topic, forgotten.payload, forgotten.retain) == ("obk/x", "", True)


def test_client_ids_are_measured_in_bytes() -> None:
    assert messages.is_client_id("розетка-холодильника")
    assert messages.is_client_id("ж" * 31 + "x")
    assert not messages.is_client_id("ж" * 32)


def test_status_is_never_sent() -> None:
    for command in ("Status 0", "STATUS", "Backlog POWER ON; Status 5"):
        with pytest.raises(messages.MessageError):
            messages.console("obk8C123456", command)
    sent = messages.console("obk8C123456", "SetFlag 41 1")
    assert (sent.topic, sent.payload) == ("cmnd/obk8C123456/SetFlag", "41 1")
    assert not sent.retain


# The last value of each key in each session, read from it by eye.
SESSIONS: dict[str, tuple[str, dict[str, Value]]] = {
    "connecting": (
        "obk8C123456",
        {"connected": True, "channel_1": 0, "ssid": "TestNet", "rssi": -61.0},
    ),
    "relay": (
        "obk8C123456",
        {"connected": True, "mac": "c8:47:8c:12:34:56"},
    ),
    "button": ("obk8C123456", {"connected": True}),
    "meter": ("obk8C123456", {"connected": True}),
    "calibration": ("obk8C123456", {"connected": True}),
    "discovery": ("obk8C123456", {"connected": True}),
    "last_will": ("obk8C123456", {"connected": False}),
    "factory_flags": (
        "obk8C123456",
        {
            "connected": True,
            "channel_1": 0,
            "energy": 1.235142,
            "energy_today": 0.000762,
            "power": 0.0,
            "power_factor": 1.0,
        },
    ),
    "led_on_its_own_channel": (
        "obkIMG01",
        {"channel_1": 1, "channel_2": 1, "channel_3": 1, "energy": 0.000903},
    ),
    "broker_restart": (
        "obkIMG01",
        {
            "connected": True,
            "channel_1": 0,
            "voltage": 229.9,
            "ssid": "TestNet2",
            "uptime": 56,
            "datetime": 0,
        },
    ),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_session(name: str) -> None:
    client_id, expected = SESSIONS[name]
    known: dict[str, Value] = {}
    for message in _recorded(name):
        if (suffix := messages.below(client_id, message.topic)) is None:
            continue
        if (change := messages.parse(suffix, message.payload)) is not None:
            known[change.key] = change.value
    assert {key: known.get(key) for key in expected} == expected


def test_every_message_of_every_session_can_be_read() -> None:
    read = 0
    for name in recorded.sessions():
        for message in _recorded(name):
            _, _, suffix = message.topic.partition("/")
            messages.parse(suffix, message.payload)
            messages.parse(message.topic, message.payload)
            read += 1
    assert read > 500


def _recorded(name: str) -> Iterator[recorded.Message]:
    return (
        entry
        for entry in recorded.messages(name)
        if isinstance(entry, recorded.Message)
    )


@pytest.mark.parametrize(
    ("payload", "address"),
    [
        ("192.168.1.50", "192.168.1.50"),
        ("100.64.1.2", "100.64.1.2"),
        # This computer, an agent of its cloud, nobody, everybody, many.
        ("127.0.0.1", None),
        ("127.8.9.10", None),
        ("169.254.169.254", None),
        ("0.0.0.0", None),
        ("0.1.2.3", None),
        ("255.255.255.255", None),
        ("240.0.0.1", None),
        ("224.0.0.251", None),
        # The firmware serves port 80 alone.
        ("10.0.0.1:8123", None),
        ("10.0.0.1:80\n", None),
        ("10.0.0.1\r\nHost: x", None),
        ("10.0.0.1:x", None),
        ("10.0.0.1:", None),
        ("10.0.0.1:70000", None),
        ("10.0.0.1:８０", None),
        ("１0.0.0.1", None),
        ("10.0.0.01", None),
        ("::1", None),
        ("x" * 65536, None),
        ("socket.lan", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_address(payload: str, address: str | None) -> None:
    assert messages.decode_address(payload) == address
