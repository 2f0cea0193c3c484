"""What releases of all years say that they run."""

import pytest

from custom_components.openbk.pyopenbk.obk.builds import (
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
