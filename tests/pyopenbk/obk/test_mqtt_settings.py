"""A socket's MQTT settings are changed as a whole, by the road that carries each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from custom_components.openbk.pyopenbk.obk.commands import CommandError, CommandProblem
from custom_components.openbk.pyopenbk.obk.console import CommandRefusedError, Console
from custom_components.openbk.pyopenbk.obk.mqtt_settings import (
    MqttSettings,
    needs_address,
    read,
    write,
)
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, stranger
from tests.support.waiting import until

SETTINGS = MqttSettings(
    host="127.0.0.2",
    port=1884,
    client_id="hall",
    group="plugs",
    username="sockets",
    password="pw",
)


async def soon(_seconds: float) -> None:
    await asyncio.sleep(0.1)


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[tuple[PluggedSocket, Console]]:
    """Yield a socket with a login, and a client for it."""
    config = stranger(broker, mqtt_username="plug", mqtt_password="old")
    plugged = PluggedSocket(config, speed=50)
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        host, _, port = str(plugged.firmware.http_address).partition(":")
        yield plugged, Console(host, int(port))
    finally:
        await plugged.power_off()


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"username": "", "password": ""},
        {"username": "", "password": "alone"},
        {"password": ""},
        {"username": "two words", "password": " around "},
        {"username": "$user", "password": '"quoted"'},
        {"username": 'u"ser', "password": 'correct "horse" $battery'},
        {"username": "ż" * 31, "password": "voilà"},
        # The firmware does not notice a change to a text that fills its field.
        {"username": "plug", "password": "x" * 127},
        {"username": "x" * 63, "password": "old"},
        {"username": "x" * 63, "password": "$" * 127},
    ],
)
async def test_every_login_is_held_afterwards(
    mosquitto: Broker, login: dict[str, str]
) -> None:
    async with running(mosquitto) as (plugged, console):
        before = await read(console)
        assert (before.username, before.password) == ("plug", "old")
        wanted = replace(SETTINGS, **login)
        await write(console, wanted, soon)
        assert await read(console) == wanted
        values = plugged.firmware.settings.values
        assert values.mqtt_host == "127.0.0.2"
        assert (values.mqtt_client_id, values.mqtt_group) == ("hall", "plugs")
        # And back again.
        await write(console, before, soon)
        assert await read(console) == before


async def test_only_the_password_becomes_as_long_as_its_field(
    mosquitto: Broker,
) -> None:
    async with running(mosquitto) as (_, console):
        before = await read(console)
        for password in ("x" * 127, "$" * 127):
            wanted = replace(before, password=password)
            await write(console, wanted, soon)
            assert await read(console) == wanted


async def test_what_does_not_arrive_is_noticed(mosquitto: Broker) -> None:
    async with running(mosquitto) as (_, console):
        with pytest.raises(CommandRefusedError):
            await write(console, replace(SETTINGS, host="x" * 200), soon)


@pytest.mark.parametrize(
    ("changes", "field", "problem", "limit"),
    [
        ({"host": "x" * 128}, "host", CommandProblem.TOO_LONG, 127),
        ({"username": "ż" * 32}, "username", CommandProblem.TOO_LONG, 63),
        ({"password": "x" * 128}, "password", CommandProblem.TOO_LONG, 127),
        ({"client_id": "x" * 64}, "client_id", CommandProblem.TOO_LONG, 63),
        ({"group": "x" * 64}, "group", CommandProblem.TOO_LONG, 63),
        ({"password": "tab\there"}, "password", CommandProblem.UNPRINTABLE, None),
        ({"username": "\ud800"}, "username", CommandProblem.UNPRINTABLE, None),
        ({"port": 0}, "port", CommandProblem.OUT_OF_RANGE, None),
        ({"port": 70000}, "port", CommandProblem.OUT_OF_RANGE, None),
    ],
)
def test_what_the_socket_could_not_store(
    changes: dict[str, str], field: str, problem: CommandProblem, limit: int | None
) -> None:
    SETTINGS.check()
    with pytest.raises(CommandError) as refused:
        replace(SETTINGS, **changes).check()
    assert (refused.value.field, refused.value.problem) == (field, problem)
    assert refused.value.limit == limit


def test_a_password_shows_nowhere() -> None:
    assert "pw" not in repr(SETTINGS)
    assert not needs_address("")
    assert not needs_address("two words")
    assert needs_address("$ecret")
    assert needs_address('a "b"')
