"""Tests of the button and the Wi-Fi LED of a simulated socket."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from simulator.openbeken import HARDWARE
from simulator.openbeken.wifi import WifiState
from tests.support.broker import Broker

from .rig import Rig, configuration, flags

EVENTS = (
    "OnPress",
    "OnRelease",
    "OnClick",
    "OnDblClick",
    "On3Click",
    "On4Click",
    "On5Click",
    "OnHoldStart",
    "OnHold",
)


@pytest.fixture
async def rig(mosquitto: Broker) -> AsyncIterator[Rig]:
    config = configuration(mosquitto.port, flags=flags(36))
    async with Rig(mosquitto, config) as rig:
        await rig.online()
        for event in EVENTS:
            await rig.command("addEventHandler", f"{event} 11 publish button {event}")
        yield rig


async def events_of(rig: Rig, seconds: float, **press: float) -> list[str]:
    """Press and return the events until the button has been let go and decided."""
    start = len(rig.said("button/get"))
    rig.device.press_button(11, seconds, **press)
    await rig.until(lambda: rig.device.buttons_idle)
    return rig.said("button/get")[start:]


@pytest.mark.parametrize(
    ("times", "click"),
    [
        (1, "OnClick"),
        (2, "OnDblClick"),
        (3, "On3Click"),
        (4, "On4Click"),
        (5, "On5Click"),
        (6, None),
    ],
)
async def test_clicks(rig: Rig, times: int, click: str | None) -> None:
    events = await events_of(rig, 0.12, times=times)
    expected = ["OnPress", *["OnRelease"] * times, *([click] if click else [])]
    assert events == expected
    assert rig.device.relay(1) is (times == 1)


async def test_click_is_decided_after_the_release(rig: Rig) -> None:
    pressed = rig.clock.now()
    await events_of(rig, 0.2)
    moments = [p.moment for p in rig.published if p.topic.endswith("button/get")]
    # 75 ms until it counts, and 300 ms in which another press may follow.
    assert moments[0] - pressed >= 0.075 - 1e-6
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == pytest.approx([0.2, 0.3])


async def test_holding(rig: Rig) -> None:
    assert await events_of(rig, 2.2) == [
        "OnPress",
        "OnHoldStart",
        "OnHold",
        "OnHold",
        "OnRelease",
    ]
    assert not rig.device.relay(1)


async def test_times_can_be_set(rig: Rig) -> None:
    await rig.command("SetButtonTimes", "20 5 10")
    assert await events_of(rig, 1.5) == ["OnPress", "OnRelease", "OnClick"]
    # Half a second between two presses still makes one double click.
    events = await events_of(rig, 0.1, times=2, gap=0.45)
    assert events[-1] == "OnDblClick"


async def test_bouncing_is_no_press(rig: Rig) -> None:
    assert await events_of(rig, 0.05) == []
    # Too short a gap is none.
    assert await events_of(rig, 0.3, times=2, gap=0.05) == [
        "OnPress",
        "OnRelease",
        "OnClick",
    ]


async def test_child_lock(rig: Rig) -> None:
    await rig.command("SetFlag", "41 1")
    assert await events_of(rig, 0.12) == []
    assert not rig.device.relay(1)


async def test_instant_touch_acts_at_the_first_press_of_a_series(rig: Rig) -> None:
    await rig.command("SetFlag", "6 1")
    await events_of(rig, 0.12)
    assert rig.device.relay(1)
    await events_of(rig, 0.12, times=2)
    assert not rig.device.relay(1)


async def test_button_for_all_toggles_relays_but_no_leds(rig: Rig) -> None:
    await rig.command("SetPinChannel", "10 2")
    await rig.command("SetPinRole", "11 Btn_Tgl_All")
    assert "OnClick" in await events_of(rig, 0.12)
    assert rig.device.relay(1)
    assert rig.device.channel(2) == 0
    # Nobody gets to know of a double click.
    assert "OnDblClick" not in await events_of(rig, 0.12, times=2)
    assert not rig.device.relay(1)


async def test_script_only_leaves_the_relay_alone(rig: Rig) -> None:
    await rig.command("SetPinRole", "11 Btn_ScriptOnly")
    assert "OnClick" in await events_of(rig, 0.12)
    assert not rig.device.relay(1)


async def test_double_click_toggles_the_second_channel(rig: Rig) -> None:
    await rig.command("SetPinChannel", "11 1 2")
    await events_of(rig, 0.12, times=2)
    assert rig.device.channels[2] == 1


async def test_no_event_without_a_handler(rig: Rig) -> None:
    await rig.command("clearAllHandlers")
    assert await events_of(rig, 0.12) == []
    assert rig.device.relay(1)


async def test_other_pins_are_no_buttons(rig: Rig) -> None:
    rig.device.press_button(26)
    await rig.clock.sleep(1)
    assert not rig.device.relay(1)


async def test_button_works_without_a_network() -> None:
    async with Rig(None, configuration(1)) as rig:
        rig.device.press_button(11)
        await rig.until(lambda: rig.device.relay(1))
        assert rig.meter.relay_closed


async def test_double_click_right_after_power_on_forgets_the_network() -> None:
    async with Rig(None, configuration(1), timing=HARDWARE) as rig:
        rig.device.press_button(11, times=2)
        await rig.until(lambda: not rig.device.settings.values.wifi_ssid)
        # An access point of its own is opened by the next start only.
        await rig.uptime(12)
        assert rig.device.wifi.state is WifiState.CONNECTING
        await rig.power_cycle()
        await rig.until(lambda: rig.device.wifi.state is WifiState.ACCESS_POINT)


async def test_level_of_a_pressed_button(rig: Rig) -> None:
    assert rig.device.pin_level(11)
    rig.device.press_button(11, 2)
    assert not rig.device.pin_level(11)
    await rig.clock.sleep(2.1)
    assert rig.device.pin_level(11)


async def test_wifi_led_blinks_while_connecting_and_faster_as_access_point() -> None:
    async with Rig(
        None, configuration(1), timing=HARDWARE, access_points=lambda *_: False
    ) as rig:
        await rig.until(lambda: rig.device.wifi.state is WifiState.CONNECTING)
        wifi = rig.device.wifi
        assert [wifi.led_lit(at / 4) for at in range(8)] == [
            True, True, False, False, True, True, False, False,
        ]  # fmt: skip
        wifi.open_access_point()
        await rig.until(lambda: wifi.state is WifiState.ACCESS_POINT)
        assert [wifi.led_lit(at / 4) for at in range(4)] == [True, False, True, False]
