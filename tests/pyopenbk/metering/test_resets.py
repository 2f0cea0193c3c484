"""A reset at the socket is known by its time stamp; the texts are those that OpenBeken 1.18.299 said."""

from datetime import datetime

import pytest

from custom_components.openbk.pyopenbk.metering.resets import ClearDate

BOOTED = datetime.fromisoformat("2026-03-20T10:00:00+01:00")
NEVER = "0000-00-00T00:00+00:00"
OLD = "2026-01-02T03:04+01:00"


@pytest.mark.parametrize(
    ("said", "was_reset"),
    [
        ([OLD, "2026-03-20T10:46+01:00"], True),
        ([OLD, OLD], False),
        # The first that is ever heard tells nothing.
        (["2026-03-20T10:46+01:00"], False),
        # Its zone is told anew, the reset is not.
        (["2026-03-20T10:46+01:00", "2026-03-20T10:46+02:00"], False),
        # It had lost its stamp and its counters, and then learnt the time.
        ([OLD, NEVER, "2026-03-20T14:00+01:00"], False),
        ([OLD, "2026-03-20T10:00+01:00"], False),
        ([OLD, "2026-03-20T10:04+01:00"], False),
        # It was reset, then restarted.
        ([OLD, "2026-03-20T09:30+01:00"], True),
        ([OLD, "2026-03-20T09:46+00:00"], True),
        # It learnt the time before its zone, or with that of the winter.
        ([OLD, "2026-03-20T09:01+01:00"], False),
        ([OLD, "2026-03-20T11:01+01:00"], False),
        ([OLD, "2026-03-20T09:01-08:00"], False),
        # It was reset in another zone than before.
        (["2026-03-20T18:06-08:00", "2026-03-20T10:21-08:00"], True),
        # Its flash is that of a backup.
        (["2026-03-20T10:46+01:00", OLD], False),
        ([OLD, "2026-02-31T10:46+01:00"], False),
        ([OLD, "yesterday"], False),
        ([OLD, "２０26-03-20T10:46+01:00"], False),
    ],
)
def test_who_reset_it(said: list[str], was_reset: bool) -> None:
    date = ClearDate()
    assert [date.update(text, BOOTED) for text in said][-1] is was_reset
    assert not date.update(said[-1], BOOTED)


@pytest.mark.parametrize(
    ("said", "was_reset"),
    [
        (["2026-01-02 03:04:05", "2026-03-20 10:46:07"], True),
        (["2026-01-02 03:04:05", "2026-01-02 03:04:05"], False),
        # At midnight it is said with its zone.
        (["2026-01-02 03:04:05", OLD, "2026-01-02 03:04:05"], False),
        (["2026-01-02 03:04:05", OLD, "2026-03-20 10:46:07"], True),
        # After an update.
        (["2026-01-02 03:04:05", NEVER, OLD], False),
        (["2026-01-02 03:04:05", OLD], False),
        # It had lost its stamp, or none was ever made, and then learnt the time.
        (["2026-01-02 03:04:05", "1970-01-01 00:00:00", "2026-03-20 14:20:00"], False),
        (["2026-01-02 03:04:05", "2026-03-20 10:01:30"], False),
        (["2026-01-02 03:04:05", "2026-03-20 09:01:30"], False),
    ],
)
def test_a_stamp_of_a_release_before_1_17_478_has_no_zone(
    said: list[str], was_reset: bool
) -> None:
    """``drv_bl_shared.c`` of the tags 1.15.250 to 1.17.477 says it with a blank and seconds."""
    date = ClearDate()
    assert [date.update(text, BOOTED) for text in said][-1] is was_reset


def test_it_outlives_home_assistant() -> None:
    date = ClearDate()
    date.update(OLD, BOOTED)
    assert ClearDate(stamp=date.stamp).update("2026-03-20T10:46+01:00", BOOTED)
