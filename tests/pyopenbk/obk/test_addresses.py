"""A socket is looked for only where one can be."""

from ipaddress import IPv4Address

import pytest

from custom_components.openbk.pyopenbk.ipv4 import is_in_a_network
from custom_components.openbk.pyopenbk.obk.addresses import (
    Address,
    AddressError,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.168.1.50", "192.168.1.50", 80),
        ("192.168.1.50:8080", "192.168.1.50", 8080),
        ("obk8C123456", "obk8C123456", 80),
        ("obk-8c123456.fritz.box.", "obk-8c123456.fritz.box.", 80),
        ("my_plug:1", "my_plug", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "192.168.1.50:",
        "192.168.1.50:0",
        "192.168.1.50:65536",
        "192.168.1.50:99999999",
        "192.168.1.50:-1",
        "192.168.1.50:8_0",
        "192.168.1.50:+80",
        "192.168.1.50:80\n",
        "192.168.1.50:８０",
        "192.168.1.50:80:80",
        "192.168.1.256",
        "192.168.1",
        "127.1",
        "plug.300",
        "192.168.1.5.",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "1.2.3.4\r\nX: y",
        "http://192.168.1.50",
        "192.168.1.50/",
        "[fd00::1]",
        "fd00::1",
        "a b",
        "-plug",
        "plug..lan",
        "müller",
        "x" * 64,
        "a." * 127 + "a",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@pytest.mark.parametrize(
    ("address", "possible"),
    [
        ("192.168.1.50", True),
        ("10.0.0.1", True),
        ("172.30.32.1", True),
        ("100.64.0.7", True),
        ("93.184.216.34", True),
        ("127.0.0.1", False),
        ("127.255.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("224.0.0.251", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
    ],
)
def test_where_a_socket_can_be(address: str, possible: bool) -> None:
    assert is_in_a_network(IPv4Address(address)) is possible
