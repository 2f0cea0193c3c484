"""What releases of all years say that they run."""

import pytest

from custom_components.openbk.pyopenbk.beken.chips import CHIPS
from custom_components.openbk.pyopenbk.obk.builds import (
    chip_of,
    decode_build,
    in_todays_words,
    is_build,
    release_of,
    version_of,
)
from simulator.openbeken.release import Release

OF_OLD = "Build on Dec 17 2023 14:11:38 version 1.17.360"
TODAY = "OpenBK7231N 1.17.360 Dec 17 2023 14:11:38"


@pytest.mark.parametrize(
    ("build", "version"),
    [
        ("Build on Nov  2 2022 09:01:12 version 1.15.1", "1.15.1"),
        (OF_OLD, "1.17.360"),
        ("Build on Feb 28 2024 08:00:00 version 1.17.484", "1.17.484"),
        (
            "Build on Dec 17 2023 14:11:38 version main_0123456789ab",
            "main_0123456789ab",
        ),
        ("Built on Dec 17 2023 14:11:38 version 1.17.700", "1.17.700"),
        (TODAY, "1.17.360"),
    ],
)
def test_the_topic_has_the_text_of_the_pages_before_1_17_485(
    build: str, version: str
) -> None:
    """``build`` is g_build_str in new_mqtt.c of the tags 1.15.1 to 1.17.484."""
    assert is_build(build)
    assert decode_build(build) == build
    assert version_of(build) == version


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "Build on",
        "Build on Dec 17 2023 version 1.17.360",
        "Build on my own version 2",
        "a Build on Dec 17 2023 14:11:38 version 1.17.360",
        f"{OF_OLD} [x](y)",
        f"{OF_OLD}\n",
        "Build on Dec 17 2023 14:11:38 version " + "1" * 42,
    ],
)
def test_other_texts_are_no_builds(payload: str) -> None:
    assert not is_build(payload)
    assert decode_build(payload) is None


def test_it_names_its_chip_once_that_is_known() -> None:
    assert in_todays_words(OF_OLD, "BK7231N") == TODAY
    assert in_todays_words(OF_OLD, None) == OF_OLD
    assert in_todays_words(OF_OLD, "no chip") == OF_OLD
    assert in_todays_words(TODAY, "BK7231T") == TODAY


def test_its_numbers_can_be_compared() -> None:
    assert release_of(OF_OLD) == release_of(TODAY) == (1, 17, 360)
    assert release_of("Build on Dec 17 2023 14:11:38 version main_0123456789ab") is None
    assert release_of("") is None


@pytest.mark.parametrize(
    ("version", "build"),
    [
        ("1.17.484", "Build on Feb 28 2024 08:00:00 version 1.17.484"),
        ("1.17.485", "OpenBK7231N 1.17.485 Feb 28 2024 08:00:00"),
    ],
)
def test_the_simulated_socket_says_what_the_real_one_does(
    version: str, build: str
) -> None:
    assert Release(version=version, built="Feb 28 2024 08:00:00").build == build


def test_builds() -> None:
    build = "OpenBK7231N 1.18.300 Nov 22 2026 16:44:43"
    assert is_build(build)
    assert chip_of(build) == "BK7231N"
    assert version_of(build) == "1.18.300"
    for branch in (
        "OpenBK7231N main_0123456789ab Jan 1 2026",
        "OpenBK7231N BK7231N_Test x",
    ):
        assert is_build(branch)
    for foreign in ("", "OpenWrt 24.10", "OpenHAB 4.1", "1.2.3", "OpenBK7231N", "{}"):
        assert not is_build(foreign)


@pytest.mark.parametrize(
    "tail",
    [
        "\n# Free",
        " [Click](https://example.com)",
        " <img src=x>",
        " `code`",
        " *bold*",
        " " + "x" * 40,
        "x" * 100,
        "\ud800",
        " ８",
    ],
)
def test_a_build_is_all_of_the_payload(tail: str) -> None:
    payload = f"OpenBK7231N 1.18.300{tail}"
    assert not is_build(payload)
    assert chip_of(payload) is None
    assert version_of(payload) is None


@pytest.mark.parametrize("chip", [*CHIPS, "LIN"])
def test_every_build_names_its_chip(chip: str) -> None:
    """The one for Linux was heard to say OpenLIN (1.18.299)."""
    assert chip_of(f"Open{chip} 1.18.299 Nov 29 2026 15:24:59") == chip


@pytest.mark.parametrize("build", ["OpenWrt 24.10.2", "OpenVPN 2.6.12", "LIN 1.18.299"])
def test_other_open_software_is_no_socket(build: str) -> None:
    assert chip_of(build) is None
