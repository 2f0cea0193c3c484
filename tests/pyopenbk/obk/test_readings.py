"""What a socket measures can be asked for."""

import pytest

from custom_components.openbk.pyopenbk.obk.readings import question

CLIENT_ID = "obk8C123456"
NOW = "OpenBK7231N 1.18.300 Nov 22 2026 16:44:43"
POWERS = (
    "publishFloat voltage $voltage 0 1; publishFloat current $current 0 3; "
    "publishFloat power $power 0 2"
)


@pytest.mark.parametrize(("in_kwh", "unit"), [(False, ""), (True, "/1000")])
def test_energies_are_asked_for_in_the_unit_of_the_socket(
    in_kwh: bool, unit: str
) -> None:
    asked = question(CLIENT_ID, NOW, in_kwh=in_kwh)
    assert asked is not None
    assert asked.topic == f"cmnd/{CLIENT_ID}/if"
    assert asked.payload == (
        f"$voltage>0 then Backlog {POWERS}; publishFloat energycounter $energy{unit} 0 3; "
        f"publishFloat energycounter_today $today{unit} 0 3; "
        f"publishFloat energycounter_yesterday $yesterday{unit} 0 3"
    )


@pytest.mark.parametrize(
    ("build", "in_kwh"),
    [
        (NOW, None),
        # More decimals than those of its own messages would let a counter step back.
        ("OpenBK7231N 1.17.360 Dec 17 2023 11:24:25", False),
        ("OpenBK7231N 1.17.628 Jun 30 2024 10:00:00", True),
    ],
)
def test_energies_are_left_out_where_they_would_be_wrong(
    build: str, in_kwh: bool | None
) -> None:
    asked = question(CLIENT_ID, build, in_kwh=in_kwh)
    assert asked is not None
    assert asked.payload == f"$voltage>0 then Backlog {POWERS}"


@pytest.mark.parametrize(
    "build",
    [
        "",
        # What it has no constant for would be published as 0.
        "OpenBK7231N 1.15.200 Nov 1 2022 10:00:00",
        "OpenBK7231N 1.17.359 Dec 16 2023 10:00:00",
        "OpenBK7231N main_0a1b2c Nov 1 2026 10:00:00",
    ],
)
def test_nothing_is_asked_of_a_release_that_may_not_know(build: str) -> None:
    assert question(CLIENT_ID, build, in_kwh=False) is None
