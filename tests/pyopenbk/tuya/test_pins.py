"""Tuya's parameters as pins."""

from collections import Counter
import json

import pytest

from custom_components.openbk.pyopenbk.beken.chips import chip_of_module
from custom_components.openbk.pyopenbk.profile import PinAssignment, ProfileProblem
from custom_components.openbk.pyopenbk.roles import PinRole
from custom_components.openbk.pyopenbk.tuya.pins import (
    PinReading,
    PinSource,
    WarningKind,
    profile_from_user_params,
)
from custom_components.openbk.pyopenbk.tuya.user_params import parse_user_params
from tests.reference import tuya_parameters

from .store_writer import BLOW


def read(pairs: str) -> PinReading:
    """Read parameters that are written without their braces."""
    return profile_from_user_params(parse_user_params(f"{{{pairs},}}"))


def roles(reading: PinReading) -> dict[int, tuple[str, int]]:
    """Return role and channel of each pin, by the firmware's names."""
    return {
        pin.pin: (pin.role.firmware_name, pin.channel) for pin in reading.profile.pins
    }


def warned(reading: PinReading) -> set[tuple[WarningKind, str]]:
    """Return the warnings by kind and key."""
    return {(warning.kind, warning.key) for warning in reading.warnings}


def test_the_blow_72_074() -> None:
    """The socket that this project began with."""
    reading = profile_from_user_params(parse_user_params(BLOW), PinSource.STORAGE)
    assert roles(reading) == {
        24: ("BL0937SEL", 0),
        11: ("Btn", 1),
        10: ("LED_n", 1),
        6: ("BL0937CF1", 0),
        8: ("WifiLED_n", 0),
        7: ("BL0937CF", 0),
        26: ("Rel", 1),
    }
    assert reading.profile.module == "CB2S"
    assert reading.profile.problems == ()
    assert reading.profile.has_meter
    assert not any(pin.polarity_guessed for pin in reading.profile.pins)
    assert reading.chip == "BK7231N"
    assert reading.source is PinSource.STORAGE
    assert reading.start_values == {1: -1}
    assert (reading.warnings, reading.conflicts) == ((), ())


@pytest.mark.parametrize(
    ("pairs", "pin"),
    [
        ("rl1_pin:26,rl1_lv:1", (26, "Rel", 1)),
        ("rl2_pin:26,rl2_lv:0", (26, "Rel_n", 2)),
        ("rl:26", (26, "Rel", 1)),
        ("rl_on1_pin:24", (24, "BridgeFWD", 1)),
        ("rl_off2_pin:24", (24, "BridgeREV", 2)),
        ("bt1_pin:11,bt1_lv:0", (11, "Btn", 1)),
        ("bt12_pin:11,bt12_lv:1", (11, "Btn_n", 12)),
        ("k3pin_pin:11,k3pin_lv:0", (11, "Btn", 3)),
        ("total_bt_pin:7,total_bt_lv:0", (7, "Btn_Tgl_All", 0)),
        ("total_bt_pin:7,total_bt_lv:1", (7, "Btn_Tgl_All_n", 0)),
        ("key_pin:7", (7, "Btn_Tgl_All", 0)),
        ("reset_pin:7", (7, "Btn", 0)),
        ("onoff1:8", (8, "TglChanOnTgl", 1)),
        ("led1_pin:10,led1_lv:0", (10, "LED_n", 1)),
        ("led2_pin:10,led2_lv:1", (10, "LED", 2)),
        ("netled_pin:8,netled_lv:0", (8, "WifiLED_n", 0)),
        ("netled1_pin:8,netled1_lv:1", (8, "WifiLED", 0)),
        ("wfst_pin:8,wfst_lv:1", (8, "WifiLED", 0)),
        ("wfst:8", (8, "WifiLED_n", 0)),
        ("status_led_pin:26,status_led_lv:1", (26, "WifiLED", 0)),
        ("epin:7", (7, "BL0937CF", 0)),
        ("ivpin:6", (6, "BL0937CF1", 0)),
        ("ivcpin:24", (24, "BL0937SEL", 0)),
        ("infrr:8", (8, "IRRecv", 0)),
        ("irpin:8", (8, "IRRecv", 0)),
        ("infre:26", (26, "IRSend", 0)),
        ("remote_io:20", (20, "RCRecv", 0)),
        ("samp_pin:23", (23, "BAT_ADC", 0)),
        ("samp_sw_pin:17", (17, "BAT_Relay", 0)),
        ('rl1_pin:"26"', (26, "Rel", 1)),
        ("rl63_pin:26", (26, "Rel", 63)),
    ],
)
def test_each_key_has_its_role(pairs: str, pin: tuple[int, str, int]) -> None:
    """With the polarity that its level names."""
    number, role, channel = pin
    assert roles(read(pairs)) == {number: (role, channel)}


@pytest.mark.parametrize(
    ("pairs", "guessed"),
    [
        ("rl1_pin:26", True),
        ("rl1_pin:26,rl1_lv:1", False),
        ("rl1_pin:26,rl1_lv:2", True),
        ("rl1_pin:26,rl1_lv:-1", True),
        ("rl1_pin:26,rl1_lv:low", True),
        ("bt1_pin:11", True),
        ("bt1_pin:11,bt1_lv:0", False),
        ("bt1_pin:11,bt1_lv:1", True),
        ("led1_pin:10", True),
        ("netled1_pin:8,netled_lv:0", True),
        ("netled1_pin:8,netled1_lv:0", False),
        ("ele_pin:7", False),
        ("onoff1:8", False),
    ],
)
def test_a_polarity_that_nobody_wrote_is_a_guess(pairs: str, guessed: bool) -> None:
    """So is the unusual one of a button, until somebody confirms it."""
    (pin,) = read(pairs).profile.pins
    assert pin.polarity_guessed is guessed


def test_a_single_button_belongs_to_the_relay_if_there_is_one() -> None:
    """Sensors have such a button too, and no relay."""
    assert roles(read("bt_pin:11,rl1_pin:26"))[11] == ("Btn", 1)
    assert roles(read("bt_pin:11"))[11] == ("Btn", 0)


def test_a_contact_never_drives_a_relay() -> None:
    """An input sets its channel, so it gets one that no relay listens to."""
    reading = read("rl1_pin:24,rl2_pin:9,door1_magt_pin:26,basic_pin_pin:16")
    assert roles(reading)[26] == ("dInput", 3)
    assert roles(reading)[16] == ("dInput", 4)


def test_a_meter_without_enable_is_a_meter() -> None:
    """Older texts have no such key."""
    assert read("rl1_pin:26,ele_pin:7,vi_pin:6,sel_pin_pin:24").profile.has_meter


@pytest.mark.parametrize(
    ("pairs", "kind"),
    [
        ("ele_fun_en:0", WarningKind.METER_DISABLED),
        ("chip_type:2", WarningKind.METER_ON_UART),
        ("chip_type:3", WarningKind.METER_ON_UART),
        ("chip_type:4", WarningKind.METER_OVER_UART),
        ("ele_rx:10,ele_tx:11", WarningKind.METER_OVER_UART),
    ],
)
def test_pins_of_a_meter_that_has_none_are_left_out(
    pairs: str, kind: WarningKind
) -> None:
    """Its pins get no role, and somebody is told why."""
    reading = read(f"rl1_pin:26,ele_pin:7,vi_pin:6,sel_pin_pin:24,{pairs}")
    assert roles(reading) == {26: ("Rel", 1)}
    assert kind in {warning.kind for warning in reading.warnings}


def test_the_meter_on_a_serial_line_is_named() -> None:
    """The type is in the text even where no pins are."""
    (warning,) = read("rl1_pin:26,chip_type:3").warnings
    assert (warning.kind, warning.value) == (WarningKind.METER_ON_UART, "BL0942")


def test_an_hlw8012_is_read_like_a_bl0937() -> None:
    """Its scale differs, which is said."""
    reading = read(
        "rl1_pin:26,ele_pin:7,vi_pin:8,sel_pin_pin:24,chip_type:1,sel_pin_lv:0"
    )
    assert reading.profile.has_meter
    assert roles(reading)[24] == ("BL0937SEL", 0)
    assert warned(reading) == {
        (WarningKind.METER_HLW8012, "chip_type"),
        (WarningKind.SELECT_LEVEL_LOW, "sel_pin_lv"),
    }


def test_half_a_meter_is_a_problem_of_the_profile() -> None:
    """It is shown, not written."""
    reading = read("rl1_pin:26,ele_pin:7,vi_pin:6")
    assert reading.profile.problems == (ProfileProblem.METER_INCOMPLETE,)


def test_a_latching_relay_on_one_pin_is_left_out() -> None:
    """Holding its coil under current would burn it."""
    reading = read("rl1_pin:26,rl1_type:1,rl2_pin:8,rl2_type:0")
    assert roles(reading) == {8: ("Rel", 2)}
    assert (WarningKind.LATCHING_RELAY, "rl1_pin") in warned(reading)
    assert roles(read("rl_on1_pin:24,rl_off1_pin:26,rl_type:1")) == {
        24: ("BridgeFWD", 1),
        26: ("BridgeREV", 1),
    }


def test_two_coils_are_a_relay_that_can_be_written() -> None:
    """With a button that is led to it, as for any other."""
    reading = read("rl_on1_pin:24,rl_off1_pin:26,bt_pin:7,module:CB2S")
    assert reading.profile.problems == ()
    assert [relay.channel for relay in reading.profile.relays] == [1]
    assert [button.channel for button in reading.profile.buttons] == [1]
    half = read("rl_on1_pin:24,bt_pin:7")
    assert half.profile.problems == (ProfileProblem.COILS_INCOMPLETE,)


def test_coils_that_are_driven_low_are_left_out() -> None:
    """OpenBeken's driver only gives high pulses: both coils would be under current."""
    reading = read("rl_on1_pin:24,rl_on1_lv:0,rl_off1_pin:26,rl_off1_lv:0")
    assert not reading.profile.pins
    assert {kind for kind, _ in warned(reading)} == {WarningKind.LATCHING_RELAY}
    assert roles(read("rl_on1_pin:24,rl_on1_lv:1,rl_off1_pin:26,rl_off1_lv:1"))


def test_a_button_that_is_active_high_is_pointed_out() -> None:
    """A wrong guess looks like a button that is held."""
    reading = read("rl1_pin:28,bt1_pin:20,bt1_lv:1")
    assert warned(reading) == {(WarningKind.BUTTON_ACTIVE_HIGH, "bt1_pin")}


@pytest.mark.parametrize("pin", ["29", "31", "-1", "255"])
def test_pins_that_the_chip_has_not_are_left_out(pin: str) -> None:
    """31 occurs in a real text."""
    reading = read(f"rl1_pin:26,netled1_pin:{pin}")
    assert roles(reading) == {26: ("Rel", 1)}
    assert warned(reading) == {(WarningKind.PIN_OUT_OF_RANGE, "netled1_pin")}


@pytest.mark.parametrize("value", ["P26", "[26]", "2.6", "{a:1}", "true"])
def test_pins_that_are_no_numbers_are_left_out(value: str) -> None:
    """With a warning that quotes them."""
    reading = read(f"rl1_pin:{value},bt1_pin:11")
    assert set(roles(reading)) == {11}
    assert (WarningKind.UNREADABLE, "rl1_pin") in warned(reading)


def test_pins_without_a_role_are_listed() -> None:
    """Somebody may want to give them one by hand."""
    reading = read("rl1_pin:26,backlit_io_pin:9,bz_pin_pin:14,led_dp:1,reset_t:5")
    assert warned(reading) == {
        (WarningKind.PIN_WITHOUT_ROLE, "backlit_io_pin"),
        (WarningKind.PIN_WITHOUT_ROLE, "bz_pin_pin"),
    }


def test_a_pin_with_two_uses_gets_one_and_a_conflict() -> None:
    """Never both: the relay before its coil driver, the LED before the network's."""
    reading = read("netled_pin:24,rl_on1_pin:7,led1_pin:24,rl1_pin:7,bt1_pin:11")
    assert roles(reading) == {7: ("Rel", 1), 24: ("LED", 1), 11: ("Btn", 1)}
    relay, led = sorted(reading.conflicts, key=lambda conflict: conflict.pin)
    assert (relay.pin, relay.kept.key) == (7, "rl1_pin")
    assert [use.key for use in relay.dropped] == ["rl_on1_pin"]
    assert (led.kept.key, led.dropped[0].key) == ("led1_pin", "netled_pin")
    assert led.dropped[0].assignment.role is PinRole.WIFI_LED_N


def test_one_use_under_two_names_is_no_conflict() -> None:
    """Two dialects in one text."""
    reading = read("netled_pin:8,netled_lv:0,wfst_pin:8,wfst_lv:0")
    assert roles(reading) == {8: ("WifiLED_n", 0)}
    assert reading.conflicts == ()


def test_a_network_led_that_showed_the_relay_is_pointed_out() -> None:
    """It stays the network's; the other use is an offer."""
    reading = read("rl1_pin:26,netled1_pin:8,netled1_lv:0,netled_reuse:1")
    assert roles(reading)[8] == ("WifiLED_n", 0)
    assert warned(reading) == {(WarningKind.NETWORK_LED_SHOWS_RELAY, "netled1_pin")}
    with_led = read("rl1_pin:26,netled1_pin:8,netled_reuse:1,led1_pin:10")
    assert warned(with_led) == set()


def test_a_light_is_called_one() -> None:
    """Its LED drivers are out of scope."""
    reading = read("r_pin:24,g_pin:6,b_pin:8,c_pin:7,w_pin:26,module:CB3L")
    assert {warning.kind for warning in reading.warnings} == {WarningKind.LIGHT}
    assert ProfileProblem.NO_RELAY in reading.profile.problems


@pytest.mark.parametrize(
    ("module", "chip"),
    [
        ("CB2S", "BK7231N"),
        ("CBU-IPEX", "BK7231N"),
        ("cb3se", "BK7231N"),
        ("T34", "BK7231N"),
        ("T2-U", "BK7231N"),
        ("WB2S", "BK7231T"),
        ("wb2l", "BK7231T"),
        ("WBR3", "RTL8720CF"),
        ("CR3L", "RTL8720CF"),
        ("T3-U", "BK7236"),
        ("T1-2S", "BK7238"),
        ("ESP", None),
        ("", None),
    ],
)
def test_modules_have_their_chips(module: str, chip: str | None) -> None:
    """Case and additions do not count."""
    assert chip_of_module(module) == chip


def test_another_chip_is_a_hint_only() -> None:
    """Some texts name the wrong module."""
    reading = read("rl1_pin:26,module:wb3s")
    assert (reading.chip, reading.profile.module) == ("BK7231T", "WB3S")
    assert warned(reading) == {(WarningKind.OTHER_CHIP, "module")}
    assert reading.profile.relays


def test_start_values_are_what_the_firmware_did_after_a_power_cut() -> None:
    """2 is as before, 1 on, 0 off; one for all or one for each."""
    each = read("rl1_pin:26,rl2_pin:8,rl3_pin:6,ch1_stat:2,ch2_stat:1,ch3_stat:0")
    assert each.start_values == {1: -1, 2: 1, 3: 0}
    assert read("rl1_pin:26,total_stat:1").start_values == {1: 1}
    assert read("rl1_pin:26,ch1_stat:7").start_values == {}


def test_channels_and_relays_that_differ_are_pointed_out() -> None:
    """A channel may have been lost from the text."""
    assert warned(read("rl1_pin:26,ch_num:2")) == {
        (WarningKind.CHANNEL_COUNT, "ch_num")
    }
    assert warned(read("rl1_pin:26,rl2_pin:8,ch_num:2")) == set()


def test_channels_that_openbeken_has_not_are_no_relays() -> None:
    """64 channels, 0 to 63."""
    assert roles(read("rl64_pin:26,rl1_pin:8")) == {8: ("Rel", 1)}


DUMPS = {
    "LSPA9": (
        "sel_pin_pin:24,bt1_pin:10,vi_pin:6,netled1_pin:8,ele_pin:7,rl1_pin:26,"
        "chip_type:0,over_cur:30000,jv:1.0.5,module:CB2S",
        {
            24: "BL0937SEL",
            10: "Btn",
            6: "BL0937CF1",
            8: "WifiLED_n",
            7: "BL0937CF",
            26: "Rel",
        },
    ),
    "PC44HA": (
        "sel_pin_pin:24,sel_pin_lv:0,bt1_pin:10,led1_pin:11,vi_pin:8,netled1_pin:6,"
        "ele_pin:7,rl1_pin:26,chip_type:1,resistor:2,module:WB2S",
        {
            24: "BL0937SEL",
            10: "Btn",
            11: "LED",
            8: "BL0937CF1",
            6: "WifiLED_n",
            7: "BL0937CF",
            26: "Rel",
        },
    ),
    "Mirabella": (
        "netled1_pin:26,netled1_lv:1,led1_pin:8,led1_lv:1,total_bt_pin:7,rl1_pin:6",
        {26: "WifiLED", 8: "LED", 7: "Btn_Tgl_All", 6: "Rel"},
    ),
    "MOES": (
        "rl1_pin:26,rl2_pin:8,rl3_pin:6,rl4_pin:7,bt1_pin:11,bt2_pin:24,netled1_pin:10",
        {
            26: "Rel",
            8: "Rel",
            6: "Rel",
            7: "Rel",
            11: "Btn",
            24: "Btn",
            10: "WifiLED_n",
        },
    ),
    "breaker": (
        "rl1_pin:6,total_bt_pin:8,netled1_pin:24,onoff1:26,module:CBU",
        {6: "Rel", 8: "Btn_Tgl_All", 24: "WifiLED_n", 26: "TglChanOnTgl"},
    ),
}


@pytest.mark.parametrize("name", DUMPS)
def test_the_pins_of_real_sockets(name: str) -> None:
    """What was found in dumps of sockets that people have."""
    pairs, expected = DUMPS[name]
    found = {pin: role for pin, (role, _) in roles(read(pairs)).items()}
    assert found == expected


def test_every_known_set_of_parameters_is_translated() -> None:
    """None raises, no pin twice, and what has relays can be written."""
    seen: Counter[str] = Counter()
    for parameters in tuya_parameters().values():
        reading = profile_from_user_params(parse_user_params(json.dumps(parameters)))
        pins = [pin.pin for pin in reading.profile.pins]
        assert len(pins) == len(set(pins))
        is_light = any(
            warning.kind is WarningKind.LIGHT for warning in reading.warnings
        )
        seen["lights"] += is_light
        seen["writable"] += not reading.profile.problems
        seen["metering"] += reading.profile.has_meter
        seen["conflicts"] += bool(reading.conflicts)
        if reading.profile.relays and not is_light:
            assert reading.profile.problems == ()
    assert seen == {"lights": 25, "writable": 71, "metering": 55, "conflicts": 3}


def test_the_real_socket_with_the_same_pins() -> None:
    """Another brand's plug of the same make is in the collection."""
    reading = profile_from_user_params(tuya_parameters()["denver-shp-102-plug"])
    blow = profile_from_user_params(parse_user_params(BLOW))
    assert reading.profile == blow.profile
    assert reading.profile.buttons == (
        PinAssignment(pin=11, role=PinRole.BTN, channel=1),
    )
