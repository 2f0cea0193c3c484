"""The broker's address and login are judged as a socket would find them, and what it may do there."""

from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
import socket
from typing import Any

from homeassistant.components import mqtt
from homeassistant.components.network import Adapter
from homeassistant.core import HomeAssistant
import ifaddr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.openbk.network.broker import (
    BrokerProblem,
    Concern,
    address_problem,
    async_concern_about,
    async_rehearse,
    async_suggest,
    concern_about,
    names_in,
    own_password,
    rehearse,
)
from custom_components.openbk.network.silence import Cause, async_diagnose
from custom_components.openbk.pyopenbk.obk.setup import Broker
from tests.support.broker import Broker as Mosquitto, free_port
from tests.support.sockets import CLIENT_ID, MAC, connect_mqtt, listen
from tests.support.waiting import until

USERS = {"sockets": "secret words"}
GROUP = "bekens_n"
# Names that no name server knows.
UNKNOWN = ("nowhere.invalid", "core-switch.invalid")
# The login of Home Assistant itself.
HOME = {"home": "its own"}


def log_in(broker: Broker, **options: Any) -> BrokerProblem | Concern | None:
    """Play the reference socket at a broker."""
    return rehearse(broker, CLIENT_ID, GROUP, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Let the name server of the network know these names, and no others."""
    known: dict[str, list[str]] = {}
    families = {4: socket.AF_INET, 6: socket.AF_INET6}
    real = socket.getaddrinfo

    def answer(host: str, port: int, family: int = 0, *rest: int) -> list[Any]:
        found = [
            (version, socket.SOCK_STREAM, 6, "", (address, port))
            for address in known.get(host, ())
            for version in (families[6 if ":" in address else 4],)
            if family in (0, version)
        ]
        if found or host not in (*known, *UNKNOWN):
            return found or real(host, port, family, *rest)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.mark.usefixtures("names")
async def test_addresses_that_mean_nothing_to_a_socket(hass: HomeAssistant) -> None:
    for host, concern in (
        ("127.0.0.1", Concern.LOOPBACK),
        ("127.1.2.3", Concern.LOOPBACK),
        ("localhost", Concern.LOOPBACK),
        ("LOCALHOST.", Concern.LOOPBACK),
        ("core-mosquitto", Concern.INTERNAL_NAME),
        ("mosquitto", Concern.INTERNAL_NAME),
        ("a0d7b954-emqx", Concern.INTERNAL_NAME),
        ("homeassistant.local", Concern.LOCAL_NAME),
        ("172.30.32.1", Concern.INTERNAL_ADDRESS),
        ("172.30.33.254", Concern.INTERNAL_ADDRESS),
        ("172.30.34.1", None),
        ("169.254.13.14", Concern.LINK_LOCAL),
        ("192.168.1.10", None),
        ("core-switch.invalid", None),
    ):
        assert await async_concern_about(hass, host) is concern, host


def adapter(name: str, address: str, prefix: int) -> Adapter:
    """Return an adapter of Home Assistant's computer."""
    return Adapter(
        name=name,
        index=1,
        enabled=True,
        auto=True,
        default=True,
        ipv4=[{"address": address, "network_prefix": prefix}],
        ipv6=[],
    )


@pytest.mark.parametrize(
    ("own", "in_container", "host", "concern"),
    [
        (("docker0", "172.17.0.1", 16), False, "172.17.0.3", Concern.INTERNAL_ADDRESS),
        (("hassio", "172.30.32.1", 23), False, "172.30.33.5", Concern.INTERNAL_ADDRESS),
        (
            ("br-5a6b", "192.168.96.1", 20),
            False,
            "192.168.96.2",
            Concern.INTERNAL_ADDRESS,
        ),
        (("podman1", "10.89.0.1", 24), False, "10.89.0.7", Concern.INTERNAL_ADDRESS),
        # A container knows its own end of the bridge only.
        (("eth0", "172.18.0.4", 16), True, "172.18.0.2", Concern.INTERNAL_ADDRESS),
        (("eth0", "192.168.1.4", 24), True, "192.168.1.2", None),
        # There are homes with such addresses.
        (("eth0", "172.16.0.4", 24), False, "172.16.0.2", None),
        (("docker0", "172.17.0.1", 16), False, "192.168.1.2", None),
        (("br0", "192.168.1.4", 24), False, "192.168.1.2", None),
    ],
)
def test_networks_inside_of_this_computer(
    own: tuple[str, str, int], in_container: bool, host: str, concern: Concern | None
) -> None:
    found = concern_about(IPv4Address(host), [adapter(*own)], in_container)
    assert found is concern


async def test_a_name_is_questioned_by_what_it_stands_for(
    hass: HomeAssistant, names: dict[str, list[str]]
) -> None:
    names |= {
        "broker.lan": ["192.168.1.10"],
        "here.lan": ["127.0.1.1"],
        "container.lan": ["172.30.32.2"],
    }
    assert await async_concern_about(hass, "broker.lan") is None
    assert await async_concern_about(hass, "here.lan") is Concern.LOOPBACK
    assert await async_concern_about(hass, "container.lan") is Concern.INTERNAL_ADDRESS
    # The firmware adds no domain to a name; a dot behind it keeps a resolver from doing so.
    names |= {"nas": ["192.168.1.10"], "nas.": [], "box": ["192.168.1.1"]}
    names["box."] = names["box"]
    assert await async_concern_about(hass, "NAS") is Concern.SEARCHED_NAME
    assert await async_concern_about(hass, "box") is None


async def test_adapters_of_home_assistant_are_looked_at(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ifaddr.Adapter("docker0", "docker0", [ifaddr.IP("10.7.0.1", 16, "x")], 3)
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [own])
    assert await async_concern_about(hass, "10.7.0.9") is Concern.INTERNAL_ADDRESS
    assert await async_concern_about(hass, "10.8.0.9") is None


def test_names_of_the_hosts_file(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "127.0.0.1 localhost\n# 10.0.0.1 gone\n10.0.0.2\tBroker.  nas # x\n"
    )
    assert names_in(hosts) == {"localhost", "broker", "nas"}
    assert names_in(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("192.168.1.10", None),
        ("broker.lan", None),
        ("", "broker_not_a_host"),
        ("mqtt://broker", "broker_not_a_host"),
        ("broker/path", "broker_not_a_host"),
        ("user@broker", "broker_not_a_host"),
        ("my broker", "broker_not_a_host"),
        ("192.168.1.10:1883", "broker_not_a_host"),
        ("0.0.0.0", "broker_not_a_host"),
        ("255.255.255.255", "broker_not_a_host"),
        ("224.0.0.1", "broker_not_a_host"),
        ("::1", "broker_ipv6"),
        ("[fd00::10]", "broker_ipv6"),
        ("fe80::1%eth0", "broker_ipv6"),
    ],
)
def test_addresses_that_no_socket_can_use(host: str, problem: str | None) -> None:
    assert address_problem(host) == problem


@pytest.mark.usefixtures("socket_enabled")
def test_broker_is_tried_over_ipv4_only(
    mosquitto: Mosquitto, names: dict[str, list[str]]
) -> None:
    names |= {"both.lan": ["::1", "127.0.0.1"], "six.lan": ["::1"]}
    assert log_in(Broker(host="both.lan", port=mosquitto.port)) is None
    six = Broker(host="six.lan", port=mosquitto.port)
    assert log_in(six) is BrokerProblem.NO_IPV4
    # A resolver translates it; the firmware asks for the letters as they are.
    names["küche.lan"] = ["127.0.0.1"]
    translated = Broker(host="küche.lan", port=mosquitto.port)
    assert log_in(translated) is BrokerProblem.UNKNOWN_NAME
    nowhere = Broker(host="nowhere.invalid", port=mosquitto.port)
    assert log_in(nowhere) is BrokerProblem.UNKNOWN_NAME


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
    assert log_in(broker) is problem


def test_open_broker_lets_anyone_in(mosquitto: Mosquitto) -> None:
    assert log_in(Broker(host=mosquitto.host, port=mosquitto.port)) is None


@pytest.mark.usefixtures("socket_enabled")
def test_nothing_listens_there() -> None:
    broker = Broker(host="127.0.0.1", port=free_port())
    assert log_in(broker) is BrokerProblem.UNREACHABLE


@pytest.mark.usefixtures("socket_enabled")
def test_something_else_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = Broker(host="127.0.0.1", port=silent.getsockname()[1])
        assert log_in(broker, timeout=0.5) is BrokerProblem.NOT_MQTT


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("asks_for_certificate", [False, True])
def test_encryption_is_recognised(asks_for_certificate: bool) -> None:
    with Mosquitto(tls=True, asks_for_certificate=asks_for_certificate) as secured:
        broker = Broker(host=secured.host, port=secured.port)
        assert log_in(broker, timeout=5.0) is BrokerProblem.TLS


class Impatient(BaseHTTPRequestHandler):
    """A web server's, which waits for a whole line for a second."""

    timeout = 1.0


@pytest.mark.usefixtures("socket_enabled")
def test_a_web_server_is_no_broker() -> None:
    with (
        HTTPServer(("127.0.0.1", 0), Impatient) as server,
        ThreadPoolExecutor(1) as thread,
    ):
        thread.submit(server.serve_forever)
        broker = Broker(host="127.0.0.1", port=server.server_port)
        try:
            assert log_in(broker, timeout=0.5) is BrokerProblem.NOT_MQTT
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


# What core's MQTT integration needs to connect in a test.
online = pytest.mark.usefixtures("socket_enabled", "mock_hass_config", "hass_storage")


def access(rules: str) -> str:
    """Return an access list with which Home Assistant may do everything, the sockets this."""
    return f"user home\ntopic readwrite #\n\nuser sockets\n{rules}\n"


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("topic readwrite #", None),
        (f"topic readwrite {CLIENT_ID}/#\ntopic read cmnd/{CLIENT_ID}/#", None),
        ("pattern readwrite %c/#\npattern read cmnd/%c/#", None),
        # It may come in, and no more.
        ("topic read $SYS/#", Concern.MUTE),
        (f"topic read {CLIENT_ID}/#\ntopic read cmnd/{CLIENT_ID}/#", Concern.MUTE),
        (f"topic write {CLIENT_ID}/#", Concern.DEAF),
        (f"topic readwrite {CLIENT_ID}/#", Concern.DEAF),
        (f"topic write {CLIENT_ID}/#\ntopic read cmnd/{CLIENT_ID}/#", Concern.DEAF),
        # Somebody else's topics are of no use.
        ("topic readwrite obk8C999999/#", Concern.MUTE),
    ],
)
@online
async def test_rights_of_the_login_are_tried_on_its_own_topics(
    hass: HomeAssistant, rules: str, found: Concern | None
) -> None:
    with Mosquitto(users=USERS | HOME, access=access(rules)) as broker:
        home = await connect_mqtt(hass, broker, username="home", password="its own")
        login = Broker(
            host=broker.host,
            port=broker.port,
            username="sockets",
            password="secret words",
        )
        assert await async_rehearse(hass, login, CLIENT_ID, GROUP) is found
        await hass.config_entries.async_unload(home.entry_id)


@online
async def test_home_assistant_is_on_another_broker(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    home = await connect_mqtt(hass, mosquitto)
    with Mosquitto() as other:
        login = Broker(host=other.host, port=other.port)
        found = await async_rehearse(hass, login, CLIENT_ID, GROUP)
    assert found is Concern.ANOTHER
    await hass.config_entries.async_unload(home.entry_id)


@online
async def test_home_assistant_has_no_mqtt_at_all(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    """Sockets are led to a new broker before Home Assistant itself is."""
    login = Broker(host=mosquitto.host, port=mosquitto.port)
    assert await async_rehearse(hass, login, CLIENT_ID, GROUP) is None
    silence = await async_diagnose(hass, CLIENT_ID, MAC, None)
    assert silence.cause is Cause.BROKER_GONE


@online
async def test_rehearsal_leaves_nothing_behind(
    hass: HomeAssistant, mosquitto: Mosquitto
) -> None:
    """No retained message, no session under the name of the socket, no subscription."""
    home = await connect_mqtt(hass, mosquitto)
    before = set(hass.data["mqtt"].client.subscriptions)
    login = Broker(host=mosquitto.host, port=mosquitto.port)
    assert await async_rehearse(hass, login, CLIENT_ID, GROUP) is None
    assert set(hass.data["mqtt"].client.subscriptions) == before
    kept: list[str] = []
    await listen(hass, "#", lambda message: kept.append(message.topic))
    await mqtt.async_publish(hass, "the/end", "", 1)
    await until(lambda: "the/end" in kept)
    assert kept == ["the/end"]
    await hass.config_entries.async_unload(home.entry_id)
