"""The broker that other tests rely on."""

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
import pytest

from tests.support.broker import Broker, BrokerFailed

USERS = {"socket": "plug in"}


def connect(broker: Broker, username: str | None = None, password: str = "") -> int:
    """Return the reason code of a connection attempt."""
    codes: list[int] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *args: codes.append(args[3].value)
    if username:
        client.username_pw_set(username, password)
    client.connect(broker.host, broker.port)
    while not codes:
        client.loop(timeout=0.1)
    client.disconnect()
    return codes[0]


def test_everyone_without_users(mosquitto: Broker) -> None:
    """A broker without users accepts anyone."""
    assert connect(mosquitto) == 0


@pytest.mark.parametrize("mosquitto", [USERS], indirect=True)
def test_users_only(mosquitto: Broker) -> None:
    """A broker with users refuses others and wrong passwords."""
    assert connect(mosquitto, "socket", "plug in") == 0
    assert connect(mosquitto, "socket", "wrong") != 0
    assert connect(mosquitto) != 0


def test_same_port_after_restart(mosquitto: Broker) -> None:
    """A broker that was away comes back where it was."""
    port = mosquitto.port
    mosquitto.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(mosquitto)
    mosquitto.start()
    assert mosquitto.port == port
    assert connect(mosquitto) == 0


def test_the_broker_of_another_is_not_taken_for_ones_own(mosquitto: Broker) -> None:
    with pytest.raises(BrokerFailed, match="in use"):
        Broker(port=mosquitto.port).start()


def retained(broker: Broker, topic: str) -> bytes | None:
    """Return what the broker keeps for a topic; none where a later message comes first."""
    found: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda *args: found.append(args[2].payload)
    client.connect(broker.host, broker.port)
    while not client.is_connected():
        client.loop(timeout=0.1)
    # What is kept comes behind the answer to the first subscription.
    client.subscribe([(topic, 0), ("end", 0)])
    client.publish("end", b"")
    while b"" not in found:
        client.loop(timeout=0.1)
    client.disconnect()
    return found[0] or None


def test_one_that_keeps_knows_what_was_retained_when_it_was_shut_down() -> None:
    with Broker(keeps=True) as broker:
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect(broker.host, broker.port)
        client.loop_start()
        client.publish("kept", b"word", qos=1, retain=True).wait_for_publish(60)
        client.loop_stop()
        broker.shut_down()
        broker.start()
        assert retained(broker, "kept") == b"word"
    with Broker() as broker:
        assert retained(broker, "kept") is None
