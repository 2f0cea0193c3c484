"""The network that a factory device is joined to."""

import pytest

from custom_components.openbk.pyopenbk.tuya.wifi import FactoryWifi, read_wifi
from simulator import factory

from . import store_writer as write
from .store_writer import Entry


def store_with(value: bytes) -> bytes:
    """Return a dump in whose store this is said of the network."""
    return write.dump(write.store([Entry("gw_wsm", value, (0, 8))]))


def test_a_joined_socket_tells_its_network_and_not_that_of_an_earlier_owner() -> None:
    unit = factory.FactorySocket()
    known = read_wifi(unit.dump())
    assert known == FactoryWifi(ssid=unit.ssid, password=unit.password)
    assert unit.ssid not in repr(known)
    assert unit.password not in repr(known)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (
            b'{"ssid":"Cellar","passwd":"c2VjcmV0IHdvcmQ=","wfb64":1,"stat":2}',
            FactoryWifi(ssid="Cellar", password="secret word"),
        ),
        (
            b'{"ssid":"Cellar","passwd":"secret word","stat":2}\0',
            FactoryWifi(ssid="Cellar", password="secret word"),
        ),
        (
            b'{"ssid":"Open","passwd":null,"wfb64":1,"stat":2}',
            FactoryWifi(ssid="Open", password=""),
        ),
        # Reset, or never added to an app.
        (b'{"ssid":null,"passwd":null,"wfb64":1,"stat":0}', None),
        (b'{"ssid":"Cellar","passwd":"c2VjcmV0","wfb64":1,"stat":0}', None),
        # Not what it looks like.
        (b'{"ssid":"Cellar","passwd":"no Base64!","wfb64":1,"stat":2}', None),
        (b'{"ssid":"Cellar","passwd":"/w==","wfb64":1,"stat":2}', None),
        (b'{"ssid":"Cellar","passwd":7,"wfb64":1,"stat":2}', None),
        (b'["ssid"]', None),
        (b"ssid", None),
        (b"\xff\xfe", None),
    ],
)
def test_what_the_store_says(value: bytes, known: FactoryWifi | None) -> None:
    assert read_wifi(store_with(value)) == known


def test_a_file_that_is_no_dump_knows_none() -> None:
    assert read_wifi(b"") is None
    assert (
        read_wifi(factory.without(factory.FactorySocket().dump(), 0x1ED000, 0x13000))
        is None
    )
