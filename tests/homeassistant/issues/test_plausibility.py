"""What contradicts itself is told only once it can be no change of the load."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.openbk.live.reporting import Reporting
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from tests.support.addresses import refuse
from tests.support.sockets import ScriptedSocket, add_scripted_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

START = 1_800_000_000.0


class Watched:
    """A socket with a clock of its own, which is looked at once a minute."""

    def __init__(self, hass: HomeAssistant, reporting: Reporting | None = None) -> None:
        """Stop the clock."""
        self.hass = hass
        self.now = START
        hass.data[SOCKET_ACCESS] = SocketAccess(connect=refuse, time=lambda: self.now)
        self.entry = socket_entry(
            options=None if reporting is None else reporting.as_options()
        )
        self.scripted: ScriptedSocket

    async def begin(self) -> None:
        """Set it up with its relay open."""
        self.scripted = await add_scripted_socket(self.hass, self.entry)
        await until(lambda: self.entry.runtime_data.value("channel_1") == 0)

    async def says(self, key: str, number: float) -> None:
        """Let it say a reading."""
        await self.scripted.say(f"{key}/get", str(number))
        await until(lambda: self.entry.runtime_data.value(key) == number)

    async def look(self, after: float) -> str | None:
        """Let the minute end so many seconds after the last reading; return what is told."""
        self.now += after
        async_fire_time_changed(self.hass, dt_util.utcnow() + timedelta(seconds=61))
        await self.hass.async_block_till_done()
        found = ir.async_get(self.hass).async_get_issue(
            "openbk", f"implausible_{self.entry.entry_id}"
        )
        return found.translation_key if found else None


async def test_a_load_that_switches_itself_on_and_off_is_not_judged(
    hass: HomeAssistant,
) -> None:
    socket = Watched(hass)
    await socket.begin()
    socket.scripted.channels[1] = 1
    await socket.scripted.say("1/get", "1")
    await until(lambda: socket.entry.runtime_data.value("channel_1") == 1)
    await socket.says("voltage", 230.0)
    # An induction hob: whenever it is looked at, the power is of a second with, the current of one
    # without.
    for _ in range(9):
        for amperes, watts in ((8.7, 2000.0), (8.7, 0.0), (0.0, 2000.0)):
            socket.now += 2
            await socket.says("current", amperes)
            await socket.says("power", watts)
        assert await socket.look(after=3) is None
    # What stays like that is no load.
    told = [await socket.look(after=60) for _ in range(5)]
    assert told == [None] * 4 + ["implausible_power_without_current"]


async def test_what_is_said_seldom_is_waited_for(hass: HomeAssistant) -> None:
    socket = Watched(hass, Reporting(at_rest=600, amperes=1.0, watts=50.0))
    await socket.begin()
    for key, number in (("voltage", 230.0), ("current", 0.4), ("power", 0.0)):
        await socket.says(key, number)
    # The relay is open, and the current not said anew as it fell by less than an ampere.
    told = [await socket.look(after=60) for _ in range(12)]
    assert told == [None] * 11 + ["implausible_current_without_load"]
