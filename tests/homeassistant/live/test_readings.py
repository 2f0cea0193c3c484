"""A socket is asked for its readings when it appears, as it says them by itself much later."""

import asyncio

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.sockets import (
    BUILD,
    CLIENT_ID,
    ScriptedSocket,
    add_socket,
    socket_entry,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

ASKED = f"cmnd/{CLIENT_ID}/if"
# Longer than a socket is asked for what it has not said.
A_WHILE = 10.0


async def test_readings_are_there_before_the_socket_says_them_by_itself(
    hass: HomeAssistant, mosquitto: Broker
) -> None:
    config = configuration(mosquitto)
    async with plugged_in(config, watts=120.0, speed=1.0) as socket:
        await until(lambda: socket.firmware.running and socket.firmware.mqtt.online)
        socket.firmware.console.execute("SetChannel 1 1")
        await until(lambda: socket.firmware.uptime > 24)
        energy = socket.firmware.energy
        assert energy is not None
        # It says nothing by itself for an hour.
        socket.firmware.console.execute("VCPPublishIntervals 3600 3600")
        entry = socket_entry(firmware=BUILD)
        await add_socket(hass, entry)
        await until(lambda: entry.runtime_data.online)
        began = hass.loop.time()
        for key in ("power", "voltage", "current", "energy"):
            await until(lambda key=key: entry.runtime_data.value(key) is not None)
        assert hass.loop.time() - began < 3
        assert entry.runtime_data.value("power") == pytest.approx(120, rel=0.03)
        assert entry.runtime_data.value("energy") == pytest.approx(
            energy.sensors["energycounter"].reading / 1000, abs=0.001
        )
        assert not entry.runtime_data.meter.held_back


@pytest.mark.parametrize("says", [True, False])
async def test_only_a_socket_that_says_nothing_is_asked(
    hass: HomeAssistant, says: bool
) -> None:
    entry = socket_entry(firmware=BUILD)
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    if says:
        for name in ("voltage", "current", "power", "energycounter"):
            await socket.say(f"{name}/get", "1.0")
        await until(lambda: entry.runtime_data.value("energy"))
    await asyncio.sleep(A_WHILE)
    asked = [text for topic, text in socket.heard if topic == ASKED]
    assert len(asked) == (0 if says else 3)
    # The next time it comes it is asked again, but no more once it is gone.
    socket.heard.clear()
    await socket.say("connected", "offline")
    await until(lambda: not entry.runtime_data.online)
    await socket.say("connected", "online")
    await until(lambda: ASKED in dict(socket.heard))
    socket.deaf = True
    await socket.say("connected", "offline")
    await until(lambda: not entry.runtime_data.online)
    socket.heard.clear()
    await asyncio.sleep(A_WHILE)
    assert ASKED not in dict(socket.heard)


async def test_a_socket_of_an_unknown_release_is_not_asked(hass: HomeAssistant) -> None:
    entry = socket_entry()
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    await asyncio.sleep(A_WHILE)
    assert socket.heard
    assert ASKED not in dict(socket.heard)


async def test_days_are_asked_for_once_the_clock_of_the_socket_is_right(
    hass: HomeAssistant,
) -> None:
    entry = socket_entry(firmware=BUILD)
    await add_socket(hass, entry)
    socket = ScriptedSocket(hass)
    await socket.connect()
    await until(lambda: entry.runtime_data.online)
    for name in ("voltage", "current", "power", "energycounter", "energycounter_today"):
        await socket.say(f"{name}/get", "1.0")
    await until(lambda: entry.runtime_data.value("energy"))
    await asyncio.sleep(A_WHILE)
    assert ASKED not in dict(socket.heard)
    await socket.say("datetime", str(int(dt_util.utcnow().timestamp())))
    await until(lambda: ASKED in dict(socket.heard))
    assert "energycounter_today $today" in dict(socket.heard)[ASKED]
    # What it says then is what it said before, and shown all the same.
    assert entry.runtime_data.value("energy_today") is None
    await socket.say("energycounter_today/get", "1.0")
    await until(lambda: entry.runtime_data.value("energy_today"))
