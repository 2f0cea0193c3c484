"""The payload describes the socket completely and in terms of core's schema."""

from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from jinja2 import Environment
import pytest

from custom_components.openbk.pyopenbk.metering.correction import Correction
from custom_components.openbk.pyopenbk.obk.discovery_payload import (
    Described,
    EnergyLine,
    discovery_payload,
    discovery_topic,
)
from custom_components.openbk.pyopenbk.obk.settings import LedUse, with_led_use
from tests.support.sockets import BLOW, BUILD, CLIENT_ID, MAC

INDEPENDENT = with_led_use(BLOW, 10, LedUse.INDEPENDENT)


def described(**changes: object) -> Described:
    """Return the reference socket."""
    values: dict[str, object] = {
        "name": "Washing machine",
        "identity": MAC,
        "mac": MAC,
        "client_id": CLIENT_ID,
        "profile": BLOW,
        "build": BUILD,
        "url": "http://192.168.1.7/",
        "origin_version": "0.1.0",
    }
    return Described(**{**values, **changes})


def test_topic() -> None:
    expected = "homeassistant/device/openbk_c8478c123456/config"
    assert discovery_topic("homeassistant", MAC) == expected


def test_core_accepts_it() -> None:
    payload = discovery_payload(described(profile=INDEPENDENT))
    # Core turns abbreviations into words before it looks at the schema.
    assert set(payload) == {"dev", "o", "avty_t", "cmps"}
    DEVICE_DISCOVERY_SCHEMA(
        {
            "device": {"identifiers": payload["dev"]["ids"]},
            "origin": {"name": payload["o"]["name"]},
            "components": {
                key: {"platform": item["p"], "unique_id": item["uniq_id"]}
                for key, item in payload["cmps"].items()
            },
        }
    )


def test_components() -> None:
    components = discovery_payload(described())["cmps"]
    assert components["relay_1"] == {
        "uniq_id": f"{MAC}_relay_1",
        "p": "switch",
        "name": None,
        "dev_cla": "outlet",
        "val_tpl": components["relay_1"]["val_tpl"],
        "stat_t": "obk8C123456/1/get",
        "cmd_t": "obk8C123456/1/set",
        "pl_on": "1",
        "pl_off": "0",
    }
    assert {item["uniq_id"] for item in components.values()} == {
        f"{MAC}_{key}" for key in components
    }
    assert "led_10" not in components
    assert "en" not in components["power_factor"]
    assert components["rssi"]["en"] is False


@pytest.mark.parametrize(("dark", "shown"), [(frozenset(), True), ({10}, False)])
def test_independent_led_is_a_light_unless_it_is_dark(
    dark: frozenset[int], shown: bool
) -> None:
    components = discovery_payload(described(profile=INDEPENDENT, dark_leds=dark))[
        "cmps"
    ]
    assert ("led_10" in components) is shown


def test_correction_travels_as_a_template() -> None:
    corrections = {"power": Correction(gain=1.1, offset=0.5)}
    components = discovery_payload(described(corrections=corrections))["cmps"]
    assert "1.1 * (value | float) + 0.5" in components["power"]["val_tpl"]
    # What was corrected before must not be any more.
    assert rendered(components["voltage"]["val_tpl"], "230.5") == 230.5
    assert "val_tpl" not in components["rssi"]


def rendered(template: str, value: str) -> float:
    """Render a template as other programs do, with plain Jinja."""
    return float(Environment().from_string(template).render(value=value))


def test_what_is_worked_out_from_corrected_quantities_has_their_gains() -> None:
    corrections = {
        "voltage": Correction(gain=1.02),
        "current": Correction(gain=1.05, offset=0.1),
        "power": Correction(gain=1.1, offset=0.5),
    }
    components = discovery_payload(described(corrections=corrections))["cmps"]

    def shown(key: str, value: str) -> float:
        return rendered(components[key]["val_tpl"], value)

    assert shown("current", "0.000") == 0
    assert shown("current", "8.5") == pytest.approx(9.025)
    assert shown("apparent_power", "1000.00") == pytest.approx(1071)
    assert shown("power_factor", "0.900") == pytest.approx(0.9 * 1.1 / 1.071, abs=1e-3)
    assert shown("power_factor", "4.77") == 1
    assert shown("energy_today", "2000.0") == pytest.approx(2.2)


def test_energy_goes_on_from_where_it_was() -> None:
    line = EnergyLine(gain=1.1, base=-10.0, floor=100.02)
    components = discovery_payload(described(energy=line))["cmps"]
    for counted, total in ((100.0, 100.02), (100.01, 100.02), (101.0, 101.1)):
        said = rendered(components["energy"]["val_tpl"], f"{counted * 1000:.3f}")
        assert said == pytest.approx(total) == line(counted)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("power", "-45.30"),
        ("power", "10800.00"),
        ("power", "inf"),
        ("power", "nan"),
        ("power", "x"),
        ("voltage", "2300.0"),
        ("current", "75841.953"),
        ("energy", "-5.000"),
        ("energy", "4294967296000"),
        ("energy_today", "300000.000"),
        ("power_factor", "-1"),
    ],
)
@pytest.mark.parametrize("corrected", [False, True])
def test_what_no_socket_can_have_measured_is_left_out(
    key: str, value: str, corrected: bool
) -> None:
    """Core ignores an empty text where it expects a number."""
    corrections = {"power": Correction(gain=1.1, offset=0.5)} if corrected else {}
    components = discovery_payload(described(corrections=corrections))["cmps"]
    template = Environment().from_string(components[key]["val_tpl"])
    assert template.render(value=value) == ""


@pytest.mark.parametrize("corrected", [False, True])
def test_power_below_zero_is_shown_where_the_firmware_says_it(corrected: bool) -> None:
    """Flag 25 is for a solar inverter behind the socket."""
    corrections = {"power": Correction(gain=1.1, offset=0.5)} if corrected else {}
    components = discovery_payload(described(corrections=corrections, feeds_in=True))[
        "cmps"
    ]
    for said, right in (("-45.30", -49.33), ("45.30", 50.33), ("0.00", 0)):
        shown = rendered(components["power"]["val_tpl"], said)
        assert shown == pytest.approx(right if corrected else float(said), abs=0.01)
    assert rendered(components["power_factor"]["val_tpl"], "-0.500") < 0
    assert rendered(components["power_factor"]["val_tpl"], "-4.77") == -1


def test_energy_is_described_once_its_unit_is_known() -> None:
    known, unknown = (
        discovery_payload(described(energy_in_kwh=each))["cmps"]
        for each in (False, None)
    )
    left_out = known.keys() - unknown.keys()
    assert left_out == {key for key in known if key.startswith("energy")} != set()


def test_a_socket_that_counts_in_kwh_is_described_so() -> None:
    components = discovery_payload(described(energy_in_kwh=True))["cmps"]
    for key in ("energy", "energy_today", "energy_yesterday", "energy_last_hour"):
        assert rendered(components[key]["val_tpl"], "12.345") == pytest.approx(12.345)
    line = EnergyLine(gain=1.1, base=2.0)
    components = discovery_payload(described(energy=line, energy_in_kwh=True))["cmps"]
    assert rendered(components["energy"]["val_tpl"], "10.0") == pytest.approx(13.0)
