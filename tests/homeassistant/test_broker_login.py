"""The broker's address and login are judged as a socket would find them."""

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import socket

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.broker import (
    BrokerProblem,
    Concern,
    async_suggest,
    concern_about,
    own_password,
    try_login,
)
from custom_components.openbk.pyopenbk.obk.setup import Broker
from tests.support.broker import Broker as Mosquitto, free_port

USERS = {"sockets": "secret words"}


@pytest.mark.parametrize(
    ("host", "concern"),
    [
        ("127.0.0.1", Concern.LOOPBACK),
        ("localhost", Concern.LOOPBACK),
        ("LOCALHOST.", Concern.LOOPBACK),
        ("::1", Concern.LOOPBACK),
        ("[::1]", Concern.LOOPBACK),
        ("core-mosquitto", Concern.INTERNAL_NAME),
        ("mosquitto", Concern.INTERNAL_NAME),
        ("a0d7b954-emqx", Concern.INTERNAL_NAME),
        ("homeassistant.local", Concern.LOCAL_NAME),
        ("192.168.1.10", None),
        ("broker.lan", None),
        ("nas", None),
        ("core-switch.example", None),
    ],
)
def test_addresses_that_mean_nothing_to_a_socket(
    host: str, concern: Concern | None
) -> None:
    assert concern_about(host) is concern


@pytest.mark.parametrize("mosquitto", [USERS], indirect=True)
@pytest.mark.parametrize(
    ("username", "password", "problem"),
    [
        ("sockets", "secret words", None),
        ("sockets", "wrong", BrokerProblem.REFUSED_LOGIN),
        ("nobody", "secret words", BrokerProblem.REFUSED_LOGIN),
        ("", "", BrokerProblem.REFUSED_LOGIN),
    ],
)
def test_login_is_tried(
    mosquitto: Mosquitto, username: str, password: str, problem: BrokerProblem | None
) -> None:
    broker = Broker(
        host=mosquitto.host, port=mosquitto.port, username=username, password=password
    )
    assert try_login(broker) is problem


def test_open_broker_lets_anyone_in(mosquitto: Mosquitto) -> None:
    assert try_login(Broker(host=mosquitto.host, port=mosquitto.port)) is None


@pytest.mark.usefixtures("socket_enabled")
def test_nothing_listens_there() -> None:
    broker = Broker(host="127.0.0.1", port=free_port())
    assert try_login(broker) is BrokerProblem.UNREACHABLE


@pytest.mark.usefixtures("socket_enabled")
def test_something_else_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = Broker(host="127.0.0.1", port=silent.getsockname()[1])
        assert try_login(broker, timeout=0.5) is BrokerProblem.NOT_MQTT


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("asks_for_certificate", [False, True])
def test_encryption_is_recognised(asks_for_certificate: bool) -> None:
    with Mosquitto(tls=True, asks_for_certificate=asks_for_certificate) as secured:
        broker = Broker(host=secured.host, port=secured.port)
        assert try_login(broker, timeout=5) is BrokerProblem.TLS


@pytest.mark.usefixtures("socket_enabled")
def test_a_web_server_is_no_broker() -> None:
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server,
        ThreadPoolExecutor(1) as thread,
    ):
        thread.submit(server.serve_forever)
        broker = Broker(host="127.0.0.1", port=server.server_port)
        try:
            assert try_login(broker, timeout=0.5) is BrokerProblem.NOT_MQTT
        finally:
            server.shutdown()


def test_password_stays_out_of_the_repr() -> None:
    broker = Broker(host="nas", username="sockets", password="secret words")
    assert "secret words" not in repr(broker)
    assert "sockets" not in repr(broker)


@pytest.mark.parametrize("host", ["core-mosquitto", "127.0.0.1", "mosquitto"])
async def test_suggested_address_is_one_of_the_network(
    hass: HomeAssistant, host: str
) -> None:
    MockConfigEntry(
        domain="mqtt",
        data={"broker": host, "port": 1885, "username": "ha", "password": "own"},
    ).add_to_hass(hass)
    suggestion = await async_suggest(hass)
    assert suggestion.broker.host != host
    assert suggestion.broker.port == 1885
    assert suggestion.broker.username == "ha"
    assert suggestion.broker.password == ""
    assert not suggestion.needs_plain_listener


@pytest.mark.parametrize(
    "security", [{"certificate": "auto"}, {"transport": "websockets"}]
)
async def test_encrypted_way_in_is_not_suggested(
    hass: HomeAssistant, security: dict[str, str]
) -> None:
    MockConfigEntry(
        domain=mqtt.DOMAIN, data={"broker": "10.0.0.2", "port": 8883, **security}
    ).add_to_hass(hass)
    suggestion = await async_suggest(hass)
    assert suggestion.needs_plain_listener
    assert suggestion.broker.host == "10.0.0.2"
    assert suggestion.broker.port == 1883


async def test_own_password_is_for_its_own_login_only(hass: HomeAssistant) -> None:
    MockConfigEntry(
        domain=mqtt.DOMAIN,
        data={"broker": "10.0.0.2", "username": "ha", "password": "own"},
    ).add_to_hass(hass)
    assert own_password(hass, "ha") == "own"
    assert own_password(hass, "sockets") is None
    assert own_password(hass, "") is None
