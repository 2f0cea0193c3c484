"""What the person chose arrives in the chip, and no password anywhere else."""

from dataclasses import replace
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import stat

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.issues.unfinished import (
    UNFINISHED_FOLDER,
    UnfinishedSocket,
    UnfinishedSockets,
)
from custom_components.openbk.pyopenbk.obk import config_sector
from custom_components.openbk.pyopenbk.obk.names import client_id_of
from custom_components.openbk.pyopenbk.obk.setup import (
    Broker,
    SocketSettings,
    WifiNetwork,
)
from tests.homeassistant.flows.test_pin_form import BLOW

MAC = "c8:47:8c:12:34:56"
SETTINGS = SocketSettings(
    name="Kitchen",
    client_id="obk8C123456",
    group="bekens_n",
    wifi=WifiNetwork(ssid="Café", password="pa55 with blanks"),
    wifi2=WifiNetwork(ssid="second", password="second password"),
    broker=Broker(host="192.168.1.10", port=1884, username="sockets", password="mqtt!"),
    ntp_server="192.168.1.1",
    time_zone="Europe/Warsaw",
)
STORED = UnfinishedSocket(profile=BLOW, settings=SETTINGS, release=None).as_dict()
WINTER = datetime(2026, 1, 15, tzinfo=UTC)
SUMMER = datetime(2026, 7, 15, tzinfo=UTC)


@pytest.fixture
def hass(hass: HomeAssistant, tmp_path: Path) -> HomeAssistant:
    """Let Home Assistant keep its files in a folder of this test's own."""
    hass.config.config_dir = str(tmp_path)
    return hass


def test_everything_is_in_the_configuration() -> None:
    config = config_sector.parse(SETTINGS.configuration(BLOW, MAC, WINTER))
    assert config.profile.pins == BLOW.pins
    assert (config.wifi_ssid, config.wifi_password) == ("Café", "pa55 with blanks")
    assert (config.wifi_ssid2, config.wifi_password2) == ("second", "second password")
    assert (config.mqtt_host, config.mqtt_port) == ("192.168.1.10", 1884)
    assert (config.mqtt_username, config.mqtt_password) == ("sockets", "mqtt!")
    assert (config.mqtt_client_id, config.mqtt_group) == ("obk8C123456", "bekens_n")
    assert config.ntp_server == "192.168.1.1"
    assert config.flags == 1 << 10 | 1 << 21
    assert config.ping_host == ""
    assert config.start_values[1] == -1  # as it was before
    assert config.mac == bytes.fromhex("c8478c123456")


@pytest.mark.parametrize(
    "ssid",
    ["Café ☕", 'a"b;c\\d$e%f', "  lead", "trail ", "日本語ネットワーク12", "x" * 32],
)
def test_wifi_of_any_characters_is_stored_as_it_is(ssid: str) -> None:
    """It is written into the flash, past everything that quotes or splits."""
    password = "pä$$ wörd\"1;'"
    wifi = WifiNetwork(ssid=ssid, password=password)
    settings = replace(SETTINGS, wifi=wifi, wifi2=wifi)
    config = config_sector.parse(settings.configuration(BLOW, MAC, WINTER))
    assert (config.wifi_ssid, config.wifi_password) == (ssid, password)
    assert (config.wifi_ssid2, config.wifi_password2) == (ssid, password)


def test_summer_time_is_part_of_the_offset() -> None:
    winter = config_sector.parse(SETTINGS.configuration(BLOW, MAC, WINTER))
    summer = config_sector.parse(SETTINGS.configuration(BLOW, MAC, SUMMER))
    assert "+1:0" in winter.startup_command
    assert "+2:0" in summer.startup_command


def test_without_second_network_its_field_is_empty() -> None:
    settings = replace(SETTINGS, wifi2=None)
    config = config_sector.parse(settings.configuration(BLOW, MAC, WINTER))
    assert config.wifi_ssid2 == config.wifi_password2 == ""


def test_client_id_is_the_one_of_the_firmware() -> None:
    assert client_id_of(MAC) == "obk8C123456"


def test_passwords_show_in_no_repr() -> None:
    text = repr(SETTINGS)
    for secret in ("pa55", "second password", "mqtt!", "Café"):
        assert secret not in text


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (WifiNetwork(ssid="a", password=""), None),
        (WifiNetwork(ssid="a", password="12345678"), None),
        (WifiNetwork(ssid="a", password="x" * 63), None),
        (WifiNetwork(ssid="a", password="0123456789abcdefABCDEF" + "0" * 42), None),
        (WifiNetwork(ssid="a", password="x" * 64), "wifi_password_long"),
        (WifiNetwork(ssid="a", password="ż" * 32), "wifi_password_long"),
        (WifiNetwork(ssid="a", password="1234567"), "wifi_password_short"),
        (WifiNetwork(ssid="", password="12345678"), "wifi_name_missing"),
        (WifiNetwork(ssid="x" * 32), None),
        (WifiNetwork(ssid="ż" * 16), None),
        (WifiNetwork(ssid="ż" * 17), "wifi_name_too_long"),
    ],
)
def test_wifi_limits(network: WifiNetwork, problem: str | None) -> None:
    assert network.problem == problem


async def test_damaged_record_is_no_unfinished_socket(
    hass: HomeAssistant, hass_storage: dict[str, object]
) -> None:
    for data in (
        {MAC: {"profile": BLOW.as_dict()}},
        {MAC: 5},
        {MAC: STORED | {"name": 5}},
        {MAC: STORED | {"name": "\ud800"}},
        {MAC: STORED | {"name": "x" * 300}},
        {MAC: STORED | {"broker": "a\nb"}},
        {MAC: STORED | {"broker_port": True}},
        {MAC: STORED | {"broker_port": 1 << 70}},
        {MAC: STORED | {"release": []}},
        {MAC: STORED | {"ssid2": {"a": 1}}},
        {MAC: STORED | {"profile": None}},
        [],
        "text",
    ):
        hass_storage["openbk.unfinished"] = {"version": 1, "data": data}
        sockets = UnfinishedSockets(hass)
        assert await sockets.async_find(MAC) is None, data
        # It is in nobody's way.
        socket = UnfinishedSocket(profile=BLOW, settings=SETTINGS, release=None)
        await sockets.async_remember(MAC, socket, b"firmware")
        assert await sockets.async_find(MAC) is not None, data
        await sockets.async_forget(MAC)


@pytest.mark.parametrize("umask", [0, 0o022])
async def test_kept_firmware_is_private_and_whatever_lies_in_its_place_is_passed_over(
    hass: HomeAssistant, umask: int
) -> None:
    sockets = UnfinishedSockets(hass)
    socket = UnfinishedSocket(profile=BLOW, settings=SETTINGS, release=None)
    path = Path(hass.config.path(UNFINISHED_FOLDER, f"{MAC.replace(':', '')}.bin"))
    before = os.umask(umask)
    try:
        await sockets.async_remember(MAC, socket, b"firmware")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path.unlink()
    for lay in (
        lambda: os.mkfifo(path),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.write_bytes(bytes(3 * 1024 * 1024)),
    ):
        lay()
        assert await sockets.async_firmware(MAC) is None
        path.unlink()
    await sockets.async_forget(MAC)


async def test_unfinished_socket_comes_back_without_passwords(
    hass: HomeAssistant, hass_storage: dict[str, object]
) -> None:
    sockets = UnfinishedSockets(hass)
    assert await sockets.async_find(MAC) is None
    assert await sockets.async_firmware(MAC) is None
    socket = UnfinishedSocket(profile=BLOW, settings=SETTINGS, release="1.18.300")
    await sockets.async_remember(MAC, socket, b"firmware")
    assert await sockets.async_firmware(MAC) == b"firmware"
    found = await UnfinishedSockets(hass).async_find(MAC)
    assert found == replace(socket, settings=SETTINGS.without_secrets())
    stored = json.dumps(hass_storage["openbk.unfinished"])
    for secret in ("pa55 with blanks", "second password", "mqtt!"):
        assert secret not in stored
    await sockets.async_forget(MAC)
    assert await sockets.async_find(MAC) is None
    assert await sockets.async_firmware(MAC) is None
