"""What was worked out with a wrong clock is put right soon after that."""

import asyncio
from datetime import datetime
import time

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from tests.support.broker import Broker
from tests.support.simulated import configuration, plugged_in
from tests.support.simulated_time import NOW
from tests.support.sockets import MAC, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

AHEAD = 40 * 86400.0
# The socket is asked within a minute, and says its uptime as one of the last of its list.
SOON = 120.0


@pytest.mark.parametrize("wrong", [AHEAD, -AHEAD], ids=["ahead", "behind"])
async def test_a_socket_follows_when_the_clock_is_put_right(
    hass: HomeAssistant, mosquitto: Broker, wrong: float
) -> None:
    """A computer without a clock of its own starts with a wrong time until it hears the right one."""
    started = er.async_get(hass).async_get_or_create(
        "sensor", "openbk", f"{MAC}_last_restart"
    )
    NOW.set_clock(wrong)
    async with plugged_in(configuration(mosquitto), speed=1.0) as socket:
        await until(lambda: socket.firmware.running)
        socket.firmware.device_clock.ntp_answers = False
        entry = socket_entry()
        await add_socket(hass, entry)

        def is_right() -> bool:
            """Tell whether the socket has the time, and its start the right one here."""
            state = hass.states.get(started.entity_id)
            if state is None or not state.state[:1].isdigit():
                return False
            shown = datetime.fromisoformat(state.state).timestamp()
            now = time.time()
            return (
                abs(shown - (now - socket.firmware.uptime)) < 60
                and abs(socket.firmware.device_clock.local - now) < 86400
            )

        await until(is_right)
        NOW.set_clock(-wrong)
        assert not is_right()
        async with asyncio.timeout(SOON):
            await until(is_right)
        assert await hass.config_entries.async_unload(entry.entry_id)
