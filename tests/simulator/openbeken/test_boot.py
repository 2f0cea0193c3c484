"""Tests of what a simulated socket does between power-on and its network."""

import asyncio

import pytest

from custom_components.openbk.pyopenbk.beken.chips import CHIPS
from custom_components.openbk.pyopenbk.obk.config_sector import build, parse
from simulator.flash import Operation, PowerLostError
from simulator.openbeken import HARDWARE, NATIVE, Release, Timing
from simulator.openbeken.wifi import WifiState
from tests.support.broker import Broker

from .rig import CLIENT, CONFIG_ADDRESS, PATIENCE, Rig, body, configuration, flags


def stored(rig: Rig) -> bytes:
    return rig.flash.read(CONFIG_ADDRESS, 0x1000)


async def test_blank_flash_becomes_factory_settings() -> None:
    async with Rig(None) as rig:
        await rig.until(lambda: rig.device.http_address)
        saved = parse(stored(rig))
        assert saved.change_counter == 1
        assert saved.mqtt_client_id == CLIENT
        assert saved.long_name == "OpenBK7231N_8C123456"
        assert saved.flags == 1 << 10
        assert not saved.mqtt_host
        assert rig.device.wifi.state is WifiState.ACCESS_POINT
        assert '"mqtthost":":1883"' in body(await rig.get("/api/info"))
    assert not rig.published


async def test_wrong_checksum_becomes_factory_settings(mosquitto: Broker) -> None:
    sector = bytearray(build(configuration(mosquitto.port)))
    sector[3] ^= 0xFF
    rig = Rig(mosquitto)
    rig.flash.rewrite(CONFIG_ADDRESS, bytes(sector))
    async with rig:
        await rig.until(lambda: rig.device.http_address)
        assert not parse(stored(rig)).wifi_ssid
        assert not rig.device.channels
    assert not rig.published


async def test_right_sector_is_left_alone(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        before = stored(rig)
        await rig.quiet()
        assert stored(rig) == before


@pytest.mark.parametrize(
    ("timing", "flag", "seconds"),
    [(HARDWARE, 10, (9, 11)), (NATIVE, 10, (16, 16)), (HARDWARE, 37, (2, 5))],
)
async def test_time_to_the_broker(
    mosquitto: Broker, timing: Timing, flag: int, seconds: tuple[int, int]
) -> None:
    config = configuration(mosquitto.port, flags=flags(flag))
    async with Rig(mosquitto, config, timing=timing) as rig:
        await rig.online()
        passed = round(rig.published[0].moment - rig.device.booted_at)
    assert seconds[0] <= passed <= seconds[1]


async def test_broker_that_is_not_there_is_tried_every_sixteen_seconds() -> None:
    attempts: list[int] = []

    def resolve(host: str, _port: int) -> tuple[str, int]:
        attempts.append(rig.device.uptime)
        return host, 1

    rig = Rig(None, configuration(), resolve=resolve)
    async with rig:
        await rig.until(lambda: len(attempts) == 3)
    assert attempts == [15, 31, 47]


@pytest.mark.parametrize("mosquitto", [{"homeassistant": "right"}], indirect=True)
async def test_login_is_the_stored_one(mosquitto: Broker) -> None:
    wrong = Rig(None, configuration(mosquitto.port))
    async with wrong:
        await wrong.until(lambda: wrong.device.mqtt.connects == 2)
        assert not wrong.published
    right = Rig(None, configuration(mosquitto.port, mqtt_password="right"))
    async with right:
        await right.until(lambda: right.published)


async def test_addresses_go_through_the_hook(mosquitto: Broker) -> None:
    asked = []

    def resolve(host: str, port: int) -> tuple[str, int]:
        asked.append((host, port))
        return mosquitto.host, mosquitto.port

    config = configuration(1883, mqtt_host="192.168.0.10")
    async with Rig(mosquitto, config, resolve=resolve) as rig:
        await rig.online()
    assert asked == [("192.168.0.10", 1883)]


async def test_wrong_wifi_password_never_opens_an_access_point(
    mosquitto: Broker,
) -> None:
    rig = Rig(
        mosquitto,
        configuration(mosquitto.port),
        timing=HARDWARE,
        access_points=lambda ssid, password: (ssid, password) == ("TestNet", "other"),
    )
    async with rig:
        await rig.uptime(40)
        assert rig.device.wifi.state is WifiState.CONNECTING
        assert rig.device.http_address is None
    assert not rig.published


async def test_second_network_helps_out(mosquitto: Broker) -> None:
    config = configuration(
        mosquitto.port, wifi_ssid2="Attic", wifi_password2="secret12"
    )
    async with Rig(
        mosquitto, config, access_points=lambda ssid, _password: ssid == "Attic"
    ) as rig:
        await rig.online()


@pytest.mark.parametrize(("taken_away", "seconds"), [("network", 15), ("password", 60)])
async def test_lost_network_is_tried_again(taken_away: str, seconds: int) -> None:
    allowed = True
    rig = Rig(None, configuration(1), access_points=lambda *_: allowed)
    async with rig:
        await rig.uptime(40)
        if taken_away == "network":
            rig.device.wifi.reachable = False
        else:
            allowed = False
        await rig.until(lambda: not rig.device.wifi.connected)
        lost = rig.device.uptime
        await rig.uptime(lost + 20)
        rig.device.wifi.reachable = allowed = True
        await rig.until(lambda: rig.device.wifi.connected)
        # 15 s after the loss for the first time, which fails.
        assert abs(rig.device.uptime - lost - 15 - seconds) <= 4


async def test_changed_network_counts_from_the_next_attempt_on() -> None:
    rig = Rig(None, configuration(1), access_points=lambda ssid, _: ssid == "TestNet")
    async with rig:
        await rig.until(lambda: rig.device.wifi.connected)
        rig.device.console.execute("SSID1 Elsewhere")
        await rig.seconds(10)
        assert rig.device.wifi.connected
        await rig.power_cycle()
        await rig.seconds(10)
        assert not rig.device.wifi.connected


async def test_access_point_on_request_leaves_the_settings_alone() -> None:
    async with Rig(None, configuration(1)) as rig:
        await rig.until(lambda: rig.device.wifi.connected)
        rig.device.console.execute("OpenAP")
        await rig.seconds(3)
        assert not rig.device.wifi.connected
        await rig.seconds(3)
        assert rig.device.wifi.state is WifiState.ACCESS_POINT
        assert rig.device.settings.values.wifi_ssid == "TestNet"


async def test_lost_wifi_comes_back(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.quiet()
        address = rig.device.http_address
        rig.device.wifi.reachable = False
        await rig.listener.message(f"{CLIENT}/connected", "offline")
        await rig.until(lambda: rig.device.http_address is None)
        rig.device.wifi.reachable = True
        rig.published.clear()
        await rig.until(lambda: rig.published)
        assert rig.published[0].payload == b"online"
        assert rig.device.http_address == address


async def test_five_quick_power_cycles_lead_to_safe_mode(mosquitto: Broker) -> None:
    rig = Rig(
        mosquitto,
        configuration(mosquitto.port, startup_command="SetChannel 1 1"),
        timing=HARDWARE,
    )
    async with rig:
        for boot in range(1, 5):
            assert rig.device.failed_boots == boot
            assert not rig.device.safe_mode
            # The start-up command is left out in safe mode alone.
            assert rig.device.relay(1)
            await rig.power_cycle()
        await rig.until(lambda: rig.device.http_address)
        assert rig.device.safe_mode
        assert rig.device.wifi.state is WifiState.ACCESS_POINT
        assert not rig.device.energy
        assert not rig.device.relay(1)
        assert not any(map(rig.device.light, (8, 10)))
        # It has stayed up long enough by now.
        await rig.uptime(10)
        await rig.power_cycle()
        await rig.online()
        assert not rig.device.safe_mode


async def test_startup_command_runs_with_the_meter_there(mosquitto: Broker) -> None:
    command = "backlog VCPPublishIntervals 1 5; startDriver NTP; SetChannel 1 1"
    config = configuration(mosquitto.port, startup_command=command)
    async with Rig(mosquitto, config) as rig:
        assert rig.device.energy
        assert rig.device.energy.forced_evaluations == 5
        assert rig.device.device_clock.ntp_running
        assert rig.device.relay(1)


@pytest.mark.parametrize(("start", "expected"), [(1, True), (0, False), (-1, True)])
async def test_relay_at_power_on(mosquitto: Broker, start: int, expected: bool) -> None:
    starts = [0] * 64
    starts[1] = start
    config = configuration(mosquitto.port, start_values=tuple(starts))
    async with Rig(mosquitto, config) as rig:
        await rig.quiet()
        await rig.say(f"{CLIENT}/1/set", "1")
        assert rig.meter.relay_closed
        await rig.power_off()
        assert not rig.meter.relay_closed
        await rig.power_on()
        assert rig.device.relay(1) is expected
        assert rig.meter.relay_closed is expected


async def test_restart_saves_what_a_power_cut_loses(mosquitto: Broker) -> None:
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.quiet()
        await rig.say(f"{CLIENT}/1/set", "1")
        await rig.seconds(20)
        rig.listener.publish(f"cmnd/{CLIENT}/restart", "1")
        await rig.until(lambda: rig.restarts and rig.device.running)
        assert rig.device.energy
        kept = rig.device.energy.reading("energycounter")
        assert kept > 0.2
        await rig.online_again()
        await rig.say(f"{CLIENT}/1/set", "1")
        await rig.seconds(20)
        assert rig.device.energy.reading("energycounter") > kept + 0.2
        await rig.power_cycle()
        assert rig.device.energy.reading("energycounter") == kept


@pytest.mark.parametrize(
    ("chip", "version", "address"),
    [
        ("BK7231N", "1.17.360", 0x1D3000),
        ("BK7231T", "1.17.360", 0x1E3000),
        ("BK7231N", "1.18.300", 0x1E5000),
        ("BK7231T", "1.18.300", 0x1E5000),
    ],
)
def test_energy_is_kept_where_the_chip_and_the_release_have_it(
    chip: str, version: str, address: int
) -> None:
    release = Release(version=version, chip=CHIPS[chip])
    assert release.variables_address == address


async def test_energy_is_not_carried_over_to_another_release() -> None:
    old = Release(version="1.17.360", built="Dec 17 2023 10:00:00")
    rig = Rig(None, configuration(1), release=old)
    async with rig:
        rig.device.console.execute("EnergyCntReset 500")
    assert rig.flash.read(0x1D3000, 4) != b"\xff" * 4
    assert rig.flash.read(0x1E5000, 4) == b"\xff" * 4
    rig.device.release = Release()
    async with rig:
        assert rig.device.energy
        assert rig.device.energy.reading("energycounter") == 0


async def test_silent_death_is_noticed_when_the_socket_comes_back(
    mosquitto: Broker,
) -> None:
    config = configuration(mosquitto.port)
    async with Rig(mosquitto, config, goes_silently=True) as rig:
        await rig.quiet()
        await rig.power_off()
        rig.listener.publish("somebody", "else")
        await rig.listener.message("somebody")
        topic = f"{CLIENT}/connected"
        assert [h.payload for h in rig.heard if h.topic == topic] == ["online"]
        await rig.power_on()
        await rig.listener.until(
            lambda heard: (
                [h.payload for h in heard if h.topic == topic]
                == ["online", "offline", "online"]
            )
        )


@pytest.mark.parametrize("way", ["tick", "mqtt", "http", "button"])
async def test_power_lost_during_a_write_ends_the_firmware(
    mosquitto: Broker, way: str
) -> None:
    starts = tuple(-1 if channel == 1 else 0 for channel in range(64))
    config = configuration(mosquitto.port, start_values=starts)
    async with Rig(mosquitto, config) as rig:
        await rig.quiet()

        def cut(_operation: Operation) -> None:
            raise PowerLostError

        rig.flash.watcher = cut
        match way:
            case "tick":
                rig.device.console.execute("SetFlag 2 1")
            case "mqtt":
                rig.listener.publish(f"{CLIENT}/1/set", "1")
            case "http":
                await rig.get("/index?tgl=1")
            case "button":
                rig.device.press_button(11)
        with pytest.raises(PowerLostError):
            await asyncio.wait_for(rig.ended(), PATIENCE)
        assert not rig.device.running


async def test_nothing_is_left_running(mosquitto: Broker) -> None:
    before = asyncio.all_tasks()
    async with Rig(mosquitto, configuration(mosquitto.port)) as rig:
        await rig.online()
        rig.device.press_button(11)
        await rig.clock.sleep(1)
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if not task.done()} == before
    assert rig.device.http_address is None
    assert not rig.device.relay(1)
    assert not rig.device.pin_level(26)
    assert not rig.device.channels
