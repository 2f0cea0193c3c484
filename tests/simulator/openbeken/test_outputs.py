"""Tests of what is on the pins of a simulated socket: relays, LEDs, two-coil relays."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.roles import PinRole
from tests.support.broker import Broker

from .rig import CLIENT, Rig, configuration

RELAY, LED, WIFI_LED = 26, 10, 8
FORWARD, REVERSE = 14, 15
# What an LED can be made to do, and with which channel: nothing, the relay's, its own.
LED_ROLES = {"off": ("None", 1), "relay": ("LED_n", 1), "own": ("LED_n", 2)}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(None, configuration(1)) as rig:
        yield rig


def execute(rig: Rig, *lines: str) -> None:
    for line in lines:
        rig.device.console.execute(line)


async def test_leds_and_relay_follow_their_channel(rig: Rig) -> None:
    assert not rig.device.light(LED)
    assert rig.device.pin_level(LED)
    execute(rig, "SetChannel 1 1")
    assert rig.device.light(LED)
    assert not rig.device.pin_level(LED)
    assert rig.device.pin_level(RELAY)
    assert rig.device.relay(1)


async def test_wifi_led_shines_on_the_network(rig: Rig) -> None:
    await rig.until(lambda: rig.device.wifi.connected)
    assert rig.device.light(WIFI_LED)
    execute(rig, "SetPinRole 8 AlwaysHigh")
    assert not rig.device.light(WIFI_LED)
    assert rig.device.pin_level(WIFI_LED)


async def test_channel_of_a_pin_does_not_touch_its_output(rig: Rig) -> None:
    execute(rig, "SetChannel 1 1", "SetPinChannel 10 2")
    assert rig.device.light(LED)
    # The role does, also the one that it has already.
    execute(rig, "SetPinRole 10 LED_n")
    assert not rig.device.light(LED)


async def test_channel_of_the_relay_does_not_touch_it_either(rig: Rig) -> None:
    execute(rig, "SetChannel 1 1", "SetPinChannel 26 5")
    assert rig.device.pin_level(RELAY)
    assert rig.meter.relay_closed
    execute(rig, "SetChannel 1 0")
    assert rig.meter.relay_closed
    execute(rig, "SetChannel 5 1", "SetChannel 5 0")
    assert not rig.meter.relay_closed


@pytest.mark.parametrize("pin", [LED, WIFI_LED, RELAY])
async def test_pin_without_a_role_keeps_its_level(rig: Rig, pin: int) -> None:
    await rig.until(lambda: rig.device.wifi.connected)
    execute(rig, "SetChannel 1 1")
    level = rig.device.pin_level(pin)
    execute(rig, f"SetPinRole {pin} None", "SetChannel 1 0")
    assert rig.device.pin_level(pin) is level
    await rig.power_cycle()
    assert not rig.device.light(pin)
    assert not rig.meter.relay_closed


@pytest.mark.parametrize("before", LED_ROLES)
@pytest.mark.parametrize("after", LED_ROLES)
@pytest.mark.parametrize("relay", [0, 1])
async def test_light_after_a_change_of_its_role(
    rig: Rig, before: str, after: str, relay: int
) -> None:
    for role, channel in (LED_ROLES[before], LED_ROLES[after]):
        execute(rig, f"SetChannel 1 {relay}", "SetChannel 2 0")
        execute(rig, f"SetPinChannel {LED} {channel}", f"SetPinRole {LED} {role}")
    on = bool(relay)
    expected = {"relay": on, "own": False, "off": on and before in ("relay", "off")}
    assert rig.device.light(LED) is expected[after]


async def test_role_of_the_other_polarity_turns_the_light_round(rig: Rig) -> None:
    execute(rig, "SetPinRole 10 LED")
    assert rig.device.light(LED)
    execute(rig, "SetChannel 1 1")
    assert not rig.device.light(LED)


@pytest.mark.parametrize(
    ("start", "level", "light"), [(1, True, True), (2, False, True), (0, False, False)]
)
async def test_levels_at_boot_are_the_lowest_bit(
    start: int, level: bool, light: bool
) -> None:
    starts = tuple(start if channel == 1 else 0 for channel in range(64))
    async with Rig(None, configuration(1, start_values=starts)) as rig:
        # An even value is not zero, but its lowest bit is.
        assert rig.device.pin_level(RELAY) is level
        assert rig.device.light(LED) is light
        execute(rig, "SetChannel 1 4")
        assert rig.device.pin_level(RELAY)


async def test_no_power_no_light(rig: Rig) -> None:
    execute(rig, "SetChannel 1 1")
    await rig.power_off()
    assert not rig.device.light(LED)
    assert not rig.device.pin_level(RELAY)
    assert not rig.meter.relay_closed


def bridge(**changes: Any) -> Any:
    roles, channels = [0] * 32, [0] * 32
    roles[FORWARD], channels[FORWARD] = int(PinRole.BRIDGE_FWD), 1
    roles[REVERSE], channels[REVERSE] = int(PinRole.BRIDGE_REV), 1
    roles[LED], channels[LED] = int(PinRole.LED_N), 1
    values: dict[str, Any] = {"roles": tuple(roles), "channels": tuple(channels)}
    return configuration(1, **{**values, **changes})


async def test_two_coils_get_a_pulse_each() -> None:
    async with Rig(None, bridge(), speed=10) as rig:
        assert not rig.device.pin_level(FORWARD)
        execute(rig, "SetChannel 1 1")
        assert rig.device.pin_level(FORWARD)
        assert not rig.device.pin_level(REVERSE)
        assert rig.device.relay(1)
        assert rig.meter.relay_closed
        # 50 ticks of 25 ms.
        await rig.clock.sleep(1.4)
        assert not rig.device.pin_level(FORWARD)
        assert rig.device.relay(1)
        execute(rig, "SetChannel 1 0")
        assert rig.device.pin_level(REVERSE)
        assert not rig.device.relay(1)


async def test_change_during_a_pulse_waits_for_its_end() -> None:
    async with Rig(None, bridge(), speed=10) as rig:
        execute(rig, "SetChannel 1 1", "SetChannel 1 0")
        assert rig.device.pin_level(FORWARD)
        assert rig.device.relay(1)
        await rig.until(lambda: rig.device.pin_level(REVERSE))
        assert not rig.device.relay(1)


@pytest.mark.parametrize(("start", "closed"), [(0, True), (1, True), (-1, True)])
async def test_contact_stays_over_a_power_cut(start: int, closed: bool) -> None:
    starts = tuple(start if channel == 1 else 0 for channel in range(64))
    async with Rig(None, bridge(start_values=starts)) as rig:
        execute(rig, "SetChannel 1 1")
        await rig.until(lambda: not rig.device.pin_level(FORWARD))
        await rig.power_cycle()
        # Even where the channel begins at 0: the driver takes the relay for open.
        assert rig.device.relay(1) is closed
        assert rig.device.channel(1) == (0 if start == 0 else 1)


async def test_two_coil_relay_says_nothing_of_itself(mosquitto: Broker) -> None:
    roles = list(bridge().roles)
    roles[LED] = 0
    config = bridge(mqtt_port=mosquitto.port, roles=tuple(roles), flags=0)
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        heard = await rig.say(f"cmnd/{CLIENT}/POWER", "ON")
        assert rig.device.relay(1)
        assert [entry.topic for entry in heard[1:]] == [f"stat/{CLIENT}/RESULT"]


async def test_pulse_has_a_length_of_its_own() -> None:
    async with Rig(None, bridge(), speed=10) as rig:
        execute(rig, "BridgePulseLength 5", "SetChannel 1 1")
        assert rig.device.pin_level(FORWARD)
        await rig.clock.sleep(0.3)
        assert not rig.device.pin_level(FORWARD)
