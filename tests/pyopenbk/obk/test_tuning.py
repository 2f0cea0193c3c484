"""What is proposed for a socket of somebody else can be taken back."""

from datetime import timedelta

from custom_components.openbk.pyopenbk.obk.provisioning import startup_command
from custom_components.openbk.pyopenbk.obk.tuning import TuneStep, propose
from tests.support.sockets import BLOW

UTC = timedelta()


def test_nothing_to_do_for_a_socket_that_we_flashed() -> None:
    flags = (1 << 10) | (1 << 21)
    command = startup_command(BLOW, UTC)
    assert propose(BLOW, UTC, flags=flags, startup=command) == ()
    # Nor in summer.
    assert propose(BLOW, timedelta(hours=2), flags=flags, startup=command) == ()


def test_factory_flags() -> None:
    tunings = propose(BLOW, UTC, flags=1 << 10, startup="")
    assert [item.step for item in tunings] == [
        TuneStep.RETAIN_RELAYS,
        TuneStep.STARTUP_COMMAND,
    ]
    assert tunings[0].commands == ("SetFlag 21 1",)
    assert tunings[0].undo == ("SetFlag 21 0",)
    assert tunings[1].commands == (f'StartupCommand "{startup_command(BLOW, UTC)}" 1',)
    assert tunings[1].undo == ('StartupCommand ""',)


def test_flags_of_a_well_known_guide() -> None:
    """2, 19, 27 and 30, without 10."""
    tunings = propose(BLOW, UTC, flags=1208483844, startup=None)
    assert {item.step for item in tunings} == {
        TuneStep.STATE_ON_CONNECT,
        TuneStep.RETAIN_RELAYS,
        TuneStep.OWN_DISCOVERY,
        TuneStep.TASMOTA_TELEMETRY,
    }


def test_nothing_is_proposed_where_nothing_is_known() -> None:
    assert propose(BLOW, UTC, flags=None, startup=None) == ()


def test_startup_command_that_cannot_be_written_back_is_left_alone() -> None:
    startup = 'addEventHandler OnClick 11 "publish x y"'
    assert propose(BLOW, UTC, flags=(1 << 10) | (1 << 21), startup=startup) == ()
