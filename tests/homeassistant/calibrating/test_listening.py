"""Readings that are listened to claim no more than the messages of this very socket carry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.openbk.calibrating.sampling import Sampler, open_sampler
from custom_components.openbk.live.reporting import Reporting
from custom_components.openbk.network.consoles import SOCKET_ACCESS, SocketAccess
from custom_components.openbk.pyopenbk.metering.errors import CalibrationError, Refusal
from custom_components.openbk.pyopenbk.metering.session import (
    References,
    Sample,
    propose,
)
from custom_components.openbk.pyopenbk.meters import BL0942, CSE7766
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.support.sockets import BLOW, ScriptedSocket, add_socket, socket_entry
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("mqtt_connection")]

KEYS = ("voltage", "current", "power")


class Heard:
    """A socket that answers no web request, what it says second by second, and who listens."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.socket = ScriptedSocket(hass)
        self.sampler: Sampler
        self.seconds = 1_000_000.0
        self._said = 0

    async def say(self, topic: str, text: str) -> None:
        """Say something, and wait until what came after it was heard too."""
        await self.socket.say(f"{topic}/get", text)
        self._said += 1
        # Its own kind of reading tells whether the ones before have arrived.
        await self.socket.say(
            "voltage/get", marker := f"{230 + self._said % 2 * 0.1:.1f}"
        )
        await until(lambda: self.sampler.latest.get("voltage") == float(marker))

    async def draw(self, watts: float, seconds: int, *, wh: float, kilo: bool) -> float:
        """Draw power for so long from a counter of ``wh``; return where it is then.

        The texts are cut as the firmware cuts them, behind three decimals; a BL0937 shows 1.5 W
        more or less.
        """
        for second in range(seconds):
            self.seconds += 1
            wh += watts / 3600
            if second % 6 == 0:
                pulses = watts // 1.5 + second // 6 % 2
                await self.say("power", f"{pulses * 1.5:.2f}")
                await self.say("current", f"{watts / 230:.3f}")
                count = wh / 1000 if kilo else wh
                await self.say("energycounter", f"{int(count * 1000) / 1000:.3f}")
        return wh


def refusal(sample: Sample, references: References) -> CalibrationError:
    with pytest.raises(CalibrationError) as raised:
        propose(sample, references, {})
    return raised.value


@asynccontextmanager
async def heard(
    hass: HomeAssistant,
    *,
    in_kwh: bool = False,
    profile: SocketProfile = BLOW,
    options: dict[str, Any] | None = None,
) -> AsyncIterator[Heard]:
    """Set a socket up that has no address, and listen to it."""
    heard = Heard(hass)
    hass.data[SOCKET_ACCESS] = SocketAccess(time=lambda: heard.seconds)
    entry = socket_entry(profile, energy_in_kwh=in_kwh)
    await add_socket(hass, entry)
    hass.config_entries.async_update_entry(entry, options=options or {})
    await heard.socket.connect()
    await until(lambda: entry.runtime_data.online)
    async with open_sampler(hass, entry.runtime_data, KEYS) as sampler:
        heard.sampler = sampler
        yield heard


@pytest.mark.parametrize("in_kwh", [False, True])
async def test_power_is_as_sure_as_the_unit_of_the_counter_lets_it_be(
    hass: HomeAssistant, in_kwh: bool
) -> None:
    async with heard(hass, in_kwh=in_kwh) as socket:
        await socket.draw(100, 72, wh=5000.2, kilo=in_kwh)
        sample = socket.sampler.sample()
    power = sample.measurements["power"]
    assert sample.steady
    assert socket.sampler.restarts == 0
    assert abs(power.mean - 100) < 2 * power.uncertainty
    # A counter in Wh is good for a tenth of a per cent; without it, a pulse is a pulse.
    assert (power.uncertainty < 0.3) is not in_kwh


@pytest.mark.parametrize("in_kwh", [False, True])
async def test_another_load_is_noticed_in_either_unit(
    hass: HomeAssistant, in_kwh: bool
) -> None:
    async with heard(hass, in_kwh=in_kwh) as socket:
        wh = await socket.draw(100, 30, wh=5000.2, kilo=in_kwh)
        await socket.draw(140, 72, wh=wh, kilo=in_kwh)
        power = socket.sampler.sample().measurements["power"]
    assert socket.sampler.restarts
    assert abs(power.mean - 140) < 3 * power.uncertainty


async def test_what_a_socket_does_not_say_by_choice_is_not_known(
    hass: HomeAssistant,
) -> None:
    coarse = Reporting(volts=50, amperes=5, watts=200).as_options()
    async with heard(hass, in_kwh=True, options=coarse) as socket:
        await socket.draw(100, 72, wh=5000.2, kilo=True)
        sample = socket.sampler.sample()
    measured = sample.measurements
    assert measured["voltage"].uncertainty > 15
    assert measured["current"].uncertainty > 1.5
    assert measured["power"].uncertainty > 60
    # It is no load that is unsteady, but a choice that can be made anew.
    refused = refusal(sample, References(power=100))
    assert refused.refusal is Refusal.COARSE
    assert refused.overridable
    assert propose(sample, References(power=100), {}, trust_person=True).calibrations


async def test_a_socket_that_says_too_little_has_no_unsteady_load(
    hass: HomeAssistant,
) -> None:
    rarely = Reporting(every=60, at_rest=600).as_options()
    async with heard(hass, in_kwh=True, options=rarely) as socket:
        await socket.draw(100, 12, wh=5000.2, kilo=True)
        sample = socket.sampler.sample()
    assert not sample.steady
    assert refusal(sample, References(power=100)).refusal is Refusal.RARE
    async with heard(hass, in_kwh=True) as socket:
        wh = await socket.draw(100, 30, wh=5000.2, kilo=True)
        await socket.draw(140, 12, wh=wh, kilo=True)
        sample = socket.sampler.sample()
    assert refusal(sample, References(power=140)).refusal is Refusal.UNSTEADY


async def test_a_meter_that_cuts_its_readings_is_as_sure_as_a_whole_count_of_it(
    hass: HomeAssistant,
) -> None:
    profile = SocketProfile.of((), "CB2S").with_meter(CSE7766)
    async with heard(hass, profile=profile) as socket:
        await socket.draw(100, 72, wh=5000.2, kilo=False)
        measured = socket.sampler.sample().measurements
    # 230 V are 118 whole counts, 100 W are 53.
    assert 1 < measured["voltage"].uncertainty < 2
    assert 1 < measured["power"].uncertainty < 2
    assert measured["current"].uncertainty < 0.002


async def test_readings_of_another_meter_go_up_by_its_own_steps(
    hass: HomeAssistant,
) -> None:
    profile = SocketProfile.of((), "CB2S").with_meter(BL0942)
    async with heard(hass, profile=profile) as socket:
        await socket.draw(100, 72, wh=5000.2, kilo=False)
        measured = socket.sampler.sample().measurements
    # Its counts are finer than what it reports (drv_bl_shared of 1.18.299).
    assert [measured[key].step for key in KEYS] == [0.25, 0.002, 0.25]
    # It shows a change of 2 mA, where the usual meter misses one of 11.
    assert measured["current"].uncertainty < 0.001
