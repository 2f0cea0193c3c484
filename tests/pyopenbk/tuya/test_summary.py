"""The flash tool's summary of Tuya's parameters."""

import pytest

from custom_components.openbk.pyopenbk.devices import KNOWN_DEVICES
from custom_components.openbk.pyopenbk.tuya.pins import PinSource, WarningKind
from custom_components.openbk.pyopenbk.tuya.summary import SummaryError, read_summary

# The BLOW 72-074, in the words and the order of that tool.
BLOW = """Device configuration, as extracted from Tuya:
- BL0937 SEL on P24
- Button (channel 1) on P11
- LED (channel 1) on P10
- BL0937 VI (CF1) on P6
- WiFi LED on P8
- BL0937 ELE (CF) on P7
- Relay (channel 1) on P26
Device seems to use CB2S module, which is using BK7231N.
"""


def test_a_summary_is_read() -> None:
    """It says nothing of levels, so each that matters is a guess."""
    reading = read_summary(BLOW)
    known = KNOWN_DEVICES["blow_72_074"].profile
    assert {(pin.pin, pin.channel) for pin in reading.profile.pins} == {
        (pin.pin, pin.channel) for pin in known.pins
    }
    assert reading.profile.has_meter
    assert reading.profile.problems == ()
    assert reading.profile.module == "CB2S"
    assert (reading.chip, reading.source) == ("BK7231N", PinSource.TEXT)
    guessed = {pin.pin for pin in reading.profile.pins if pin.polarity_guessed}
    assert guessed == {8, 10, 11, 26}
    assert reading.warnings == ()


def test_a_use_that_is_not_known_is_named() -> None:
    """And so is a pin that the chip does not have."""
    reading = read_summary(f"{BLOW}- Door sensor (channel 2) on P14\n* Relay on P31\n")
    assert [(warning.key, warning.pin) for warning in reading.warnings] == [
        ("Door sensor", 14),
        ("Relay", 31),
    ]
    assert {warning.kind for warning in reading.warnings} == {
        WarningKind.PIN_WITHOUT_ROLE
    }


@pytest.mark.parametrize(
    "text", ["", "hello", "Relay", "turn it on P", "Lamp on P5", "x" * 20_000]
)
def test_other_texts_are_refused(text: str) -> None:
    """Nothing is made up."""
    with pytest.raises(SummaryError):
        read_summary(text)
