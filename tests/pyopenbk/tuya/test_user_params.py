"""The text of Tuya's user parameters, in all its generations."""

import json
from typing import Any

from bk7231tools.analysis.kvstorage import KVStorage
import pytest

from custom_components.openbk.pyopenbk.tuya.user_params import (
    UserParamsError,
    parse_user_params,
)
from tests.reference import tuya_parameters

from .store_writer import BLOW


def bare(value: Any) -> str:
    """Write parsed parameters the way the firmware does: no quotes, commas before braces."""
    if isinstance(value, dict):
        pairs = "".join(f"{name}:{bare(item)}," for name, item in value.items())
        return f"{{{pairs}}}"
    if isinstance(value, list):
        return f"[{','.join(bare(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def test_the_text_of_a_real_plug_is_read() -> None:
    """Numbers become numbers, everything else stays text."""
    params = parse_user_params(BLOW)
    assert len(params) == 33
    assert params["sel_pin_pin"] == 24
    assert params["module"] == "CB2S"
    assert params["jv"] == "1.0.0"
    assert params["crc"] == 88


def test_bk7231tools_reads_it_alike() -> None:
    """On what a plug has, both agree."""
    assert parse_user_params(BLOW) == KVStorage.parse_user_param_key(BLOW.decode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("24", 24),
        ("0", 0),
        ("-100", -100),
        ("0505", "0505"),
        ("00ef", "00ef"),
        ("-0", "-0"),
        ("1.0.5", "1.0.5"),
        ("CB2S", "CB2S"),
        ("3e8", "3e8"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", ""),
        ("[[1,2,1],[3]]", [[1, 2, 1], [3]]),
        ("[T27,000,3e8,2a3]", ["T27", "000", "3e8", "2a3"]),
        ("{a:1,b:[2,],}", {"a": 1, "b": [2]}),
        ("[]", []),
        ("99999999999999999999", "99999999999999999999"),
    ],
)
def test_values_keep_their_kind(value: str, expected: object) -> None:
    """Codes with leading zeros and hexadecimal tokens are no numbers."""
    params = parse_user_params(f"{{before:1,it:{value},after:2,}}")
    assert params == {"before": 1, "it": expected, "after": 2}
    assert type(params["it"]) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "{rl1_pin:26,bt1_pin:11}",
        "{rl1_pin:26,bt1_pin:11,}",
        "{rl1_pin:26,bt1_pin:11,",
        "{rl1_pin:26,bt1_pin:11",
        b"\0\0{rl1_pin:26,bt1_pin:11,}\0\0",
        b"{rl1_pin:26,bt1_pin:11,}\xff\xff\xff",
        " { rl1_pin : 26 ,\r\n\tbt1_pin:11 , } ",
        '{"rl1_pin": 26, "bt1_pin": 11}',
        '{"rl1_pin": 26, "bt1_pin": 11,}',
        '{"rl1_pin": 26, bt1_pin: 11}',
        "{rl1_pin:26,rl1_pin:6,bt1_pin:11,}",
        '{"rl1_pin":26,"rl1_pin":6,"bt1_pin":11}',
        "{rl1_pin:26,,:5,nothing,bad name:3,b\xe4d:4,bt1_pin:11,}",
        "{,,rl1_pin:26,,bt1_pin:11,,}",
    ],
)
def test_what_people_and_dumps_add_is_forgiven(text: str | bytes) -> None:
    """Padding, blanks, quotes, lost brackets, duplicates and single bad pairs."""
    assert parse_user_params(text) == {"rl1_pin": 26, "bt1_pin": 11}


@pytest.mark.parametrize(
    "broken", ["list:[1,2", "map:{a:1", 'text:"half', "list:[[[", "list:1]]}"]
)
def test_a_value_that_is_never_closed_costs_no_other_pair(broken: str) -> None:
    """The pairs before and behind it stay."""
    params = parse_user_params(f"{{rl1_pin:26,{broken},bt1_pin:11,}}")
    assert (params["rl1_pin"], params["bt1_pin"]) == (26, 11)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "{,}",
        "hello",
        "[1,2]",
        "26",
        b"\xff" * 100,
        b"\0",
        "rl1_pin:26",
        "{a}",
    ],
)
def test_a_text_without_parameters_is_refused(text: str | bytes) -> None:
    """Nothing is made up."""
    with pytest.raises(UserParamsError):
        parse_user_params(text)


def test_a_text_that_is_far_too_long_is_refused() -> None:
    """The longest real one has 738 characters."""
    assert parse_user_params("{" + "a:1," * 4000 + "}") == {"a": 1}
    with pytest.raises(UserParamsError):
        parse_user_params("{" + "a:1," * 5000 + "}")


@pytest.mark.parametrize(
    "text", ["{a:" + "[" * 8000, '{"a":' + "[" * 8000, "{a:" * 5000]
)
def test_deep_nesting_does_no_harm(text: str) -> None:
    """Somebody may try to break the parser."""
    assert set(parse_user_params(text)) == {"a"}


def test_the_nested_form_of_old_firmware_is_flattened() -> None:
    """Every leaf is wrapped in a value there; levels are booleans."""

    def leaf(value: object) -> dict[str, object]:
        return {"value": value}

    def pin(number: int, *, level: bool) -> dict[str, object]:
        return {"pin": leaf(number), "lv": leaf(level)}

    nested = {
        "sw": {
            "dltj": {
                "epin": {"pin": leaf(5)},
                "ivpin": {"pin": leaf(12)},
                "ivcpin": pin(15, level=True),
                "ri": leaf(1),
                "ct": leaf(False),
                "ov_cr": leaf(17000),
                "v_def": leaf(220),
            },
            "ch": [
                {"bt": pin(18, level=False), "rl": pin(0, level=True)},
                {"rl": pin(4, level=False), "df": leaf(False)},
            ],
            "net": {"netn": leaf(True), "wfst": pin(23, level=False)},
        },
        "module": "WB3S",
    }
    expected = {
        "ele_pin": 5,
        "vi_pin": 12,
        "sel_pin_pin": 15,
        "sel_pin_lv": 1,
        "resistor": 1,
        "chip_type": 0,
        "over_cur": 17000,
        "vol_def": 220,
        "bt1_pin": 18,
        "bt1_lv": 0,
        "rl1_pin": 0,
        "rl1_lv": 1,
        "rl2_pin": 4,
        "rl2_lv": 0,
        "netled_pin": 23,
        "netled_lv": 0,
        "module": "WB3S",
    }
    assert parse_user_params(json.dumps(nested)) == expected
    assert parse_user_params(bare(nested)) == expected


@pytest.mark.parametrize(
    "nested", ['{"sw": {"ch": 5}, "a": 1}', '{"sw": {"ch": [7]}, "a": 1}']
)
def test_a_strange_nested_form_is_no_trouble(nested: str) -> None:
    """What is not where it belongs is not there."""
    assert parse_user_params(nested) == {"a": 1}


def test_the_flat_old_dialect_is_translated() -> None:
    """Two devices spell their keys without the number and the underscore."""
    text = "{btpin:26,btlv:0,rlypin:6,rlylv:1,netledpin:8,netledlv:0,jsonver:1.0.8,}"
    assert parse_user_params(text) == {
        "bt1_pin": 26,
        "bt1_lv": 0,
        "rl1_pin": 6,
        "rl1_lv": 1,
        "netled_pin": 8,
        "netled_lv": 0,
        "Jsonver": "1.0.8",
    }


def test_every_known_set_of_parameters_is_read() -> None:
    """Real ones: as JSON, and written back into the firmware's own form."""
    corpus = tuya_parameters()
    assert len(corpus) > 100
    for device, known in corpus.items():
        from_bare = parse_user_params(bare(known))
        from_json = parse_user_params(json.dumps(known))
        if "sw" in known or "btpin" in known:
            assert from_bare == from_json
            continue
        assert len(from_bare) == len(known)
        for name, value in known.items():
            if name in ("jsonver", "ledpin", "ledlv", "netledpin", "netledlv"):
                continue
            # The corpus was read by bk7231tools, which leaves these as text.
            if value in ("true", "false") or str(value).startswith("-"):
                value = json.loads(value)
            elif isinstance(value, float):
                value = str(value)
            assert from_bare[name] == value, device
