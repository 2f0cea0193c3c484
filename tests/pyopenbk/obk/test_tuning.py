"""What is changed in a socket of somebody else is seen in it, and can be taken back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.openbk.pyopenbk.obk.commands import Command
from custom_components.openbk.pyopenbk.obk.console import (
    CommandRefusedError,
    Console,
    Streams,
    UnreachableError,
)
from custom_components.openbk.pyopenbk.obk.provisioning import startup_command
from custom_components.openbk.pyopenbk.obk.startup import Obstacle, Part
from custom_components.openbk.pyopenbk.obk.tuning import (
    NEEDED,
    Proposal,
    StartupChangedError,
    TuneStep,
    apply,
    propose,
    propose_by_topics,
    take_back,
)
from custom_components.openbk.pyopenbk.profile import SocketProfile
from tests.support.broker import Broker
from tests.support.simulated import PluggedSocket, stranger
from tests.support.sockets import BLOW, TWO_COILS
from tests.support.waiting import until

UTC = timedelta()
OURS = startup_command(BLOW, UTC)


def proposed(
    startup: str = OURS, flags: int = 1 << 10 | 1 << 21, **more: Any
) -> Proposal:
    return propose(
        BLOW, UTC, flags=flags, startup_command=startup, **({"lines": True} | more)
    )


async def soon(_seconds: float) -> None:
    await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    broker: Broker, startup: str = "", profile: SocketProfile = BLOW
) -> AsyncIterator[tuple[PluggedSocket, Console]]:
    """Yield a socket of somebody else, and a client for it."""
    plugged = PluggedSocket(
        stranger(broker, profile, startup_command=startup), speed=50
    )
    plugged.power_on()
    try:
        await until(lambda: plugged.firmware.http_address)
        host, _, port = str(plugged.firmware.http_address).partition(":")
        yield plugged, Console(host, int(port))
    finally:
        await plugged.power_off()


def test_nothing_to_do_for_a_socket_that_we_flashed() -> None:
    assert proposed() == Proposal()
    # Nor in summer.
    summer = startup_command(BLOW, timedelta(hours=2))
    assert proposed(summer) == Proposal()
    assert Proposal().tuned(())


def test_factory_flags() -> None:
    tunings = proposed("", 1 << 10).tunings
    assert [item.step for item in tunings] == [
        TuneStep.RETAIN_RELAYS,
        TuneStep.STARTUP_COMMAND,
    ]
    assert tunings[0].commands == ("SetFlag 21 1",)
    assert tunings[0].undo == ("SetFlag 21 0",)
    assert tunings[1].startup == OURS
    assert tunings[1].undo == ('StartupCommand ""', OURS)


def test_flags_of_a_well_known_guide() -> None:
    """2, 19, 27 and 30, without 10."""
    assert {item.step for item in proposed(flags=1208483844).tunings} == {
        TuneStep.STATE_ON_CONNECT,
        TuneStep.RETAIN_RELAYS,
        TuneStep.OWN_DISCOVERY,
        TuneStep.TASMOTA_TELEMETRY,
    }


def test_what_is_left_alone_is_told_and_leaves_the_clock_alone() -> None:
    proposal = proposed("startScript mine.bat", 1 << 10)
    assert [item.step for item in proposal.tunings] == [TuneStep.RETAIN_RELAYS]
    assert proposal.left_out == dict.fromkeys(
        {*Part} - {Part.METER}, Obstacle.ELSEWHERE
    )
    assert not proposal.tuned(proposal.tunings)
    buttons = proposed("clearAllHandlers", 1 << 10)
    assert buttons.left_out == {Part.BUTTONS: Obstacle.USED}
    assert buttons.tuned(buttons.tunings)
    assert not buttons.tuned(buttons.tunings[:1])
    assert buttons.without(buttons.tunings[:1]).tunings == buttons.tunings[1:]


def test_topics_alone_tell_of_one_flag() -> None:
    [tuning] = propose_by_topics().tunings
    assert tuning.commands == ("SetFlag 50 0",)
    assert tuning.undo == ("SetFlag 50 1",)


@pytest.mark.parametrize(
    "theirs",
    [
        "",
        'addChangeHandler Channel1 == 1 backlog delay_s 5; setChannel 1 0\n\n// "mine"',
        "backlog PowerSave 1; echo a\\b",
        "echo żółć 100% & more + $CH1",
    ],
)
async def test_a_startup_command_is_stored_whole_and_given_back(
    mosquitto: Broker, theirs: str
) -> None:
    async with running(mosquitto, theirs) as (plugged, console):
        [tuning] = proposed(theirs).tunings
        await apply(console, tuning, soon)
        assert plugged.firmware.settings.values.startup_command == tuning.startup
        # Ours runs at once, theirs not a second time.
        handlers = plugged.firmware.console.handlers
        assert len(handlers) == len(set(handlers))
        await take_back(console, tuning.undo, soon)
        assert plugged.firmware.settings.values.startup_command == theirs


async def test_a_flag_is_seen_before_it_counts_as_set(mosquitto: Broker) -> None:
    async with running(mosquitto) as (plugged, console):
        [tuning] = proposed(flags=1 << 10).tunings
        await apply(console, tuning, soon)
        assert plugged.firmware.settings.values.flags == 1 << 10 | 1 << 21
        await take_back(console, tuning.undo, soon)
        assert plugged.firmware.settings.values.flags == 1 << 10


async def test_two_coils_need_a_channel_type(mosquitto: Broker) -> None:
    """Without, the firmware never tells the state of the relay."""
    types = (0,) * 64
    async with running(mosquitto, OURS, TWO_COILS) as (plugged, console):
        assert await console.channel_types() == types
        [tuning] = propose(
            TWO_COILS,
            UTC,
            flags=1 << 10 | 1 << 21,
            startup_command=startup_command(TWO_COILS, UTC),
            lines=True,
            channel_types=types,
        ).tunings
        assert tuning.step is TuneStep.CHANNEL_TYPE
        assert tuning.step in NEEDED
        await apply(console, tuning, soon)
        settings = plugged.firmware.settings
        assert settings.values.channel_types[1] == 6
        await take_back(console, tuning.undo, soon)
        assert settings.values.channel_types == types


async def test_a_command_that_is_refused_puts_the_startup_command_back(
    mosquitto: Broker,
) -> None:
    async with running(mosquitto, "PowerSave 1") as (plugged, console):
        [tuning] = proposed("PowerSave 1").tunings
        broken = replace(tuning, commands=(*tuning.commands, Command("nonsense 1")))
        with pytest.raises(CommandRefusedError):
            await apply(console, broken, soon)
        assert plugged.firmware.settings.values.startup_command == "PowerSave 1"


class Wire:
    """Connects to a socket; a request with this in it, or each from then on, is cut off."""

    def __init__(self, cut: bytes, *, once: bool) -> None:
        self._cut = cut
        self._once = once

    def mend(self) -> None:
        self._cut = b"\0"

    async def connect(self, host: str, port: int) -> Streams:
        reader, writer = await asyncio.open_connection(host, port)
        write = writer.write

        def send(data: bytes) -> None:
            if self._cut in data:
                self._cut = b"\0" if self._once else b"HTTP"
                writer.transport.abort()
            else:
                write(data)

        # The streams are real; only the line breaks.
        writer.write = send
        return reader, writer


@pytest.mark.parametrize("once", [True, False])
async def test_a_change_that_breaks_off_is_taken_back_or_gone_on_with(
    mosquitto: Broker, once: bool
) -> None:
    wire = Wire(b"VCPPublishIntervals 3", once=once)
    async with running(mosquitto, "PowerSave 1") as (plugged, console):
        address, _, port = str(plugged.firmware.http_address).partition(":")
        console = Console(address, int(port), connect=wire.connect)
        [tuning] = proposed("PowerSave 1").tunings
        with pytest.raises(UnreachableError):
            await apply(console, tuning, soon)
        left = plugged.firmware.settings.values.startup_command
        assert left == ("PowerSave 1" if once else tuning.startup)
        wire.mend()
        await apply(console, tuning, soon)
        assert plugged.firmware.settings.values.startup_command == tuning.startup
        assert plugged.firmware.console.handlers
        await take_back(console, tuning.undo, soon)
        assert plugged.firmware.settings.values.startup_command == "PowerSave 1"


async def test_what_somebody_wrote_since_is_left_alone(mosquitto: Broker) -> None:
    async with running(mosquitto, "PowerSave 1") as (plugged, console):
        [tuning] = proposed("PowerSave 1").tunings
        await console.set_startup_command("PowerSave 2")
        with pytest.raises(StartupChangedError):
            await apply(console, tuning, soon)
        with pytest.raises(StartupChangedError):
            await take_back(console, tuning.undo, soon)
        assert plugged.firmware.settings.values.startup_command == "PowerSave 2"
        # An entry of an earlier version knows only what was there before.
        await take_back(console, tuning.undo[:1], soon)
        assert plugged.firmware.settings.values.startup_command == "PowerSave 1"


def test_undo_leads_to_before_the_first_change_unless_somebody_wrote_since() -> None:
    [first] = proposed("PowerSave 1").tunings
    known = first.undo_after(())
    assert known == ['StartupCommand "PowerSave 1"', first.startup]
    assert first.startup is not None
    again = replace(
        first, undo=(f'StartupCommand "{first.startup}"', "more"), startup="more"
    )
    assert again.undo_after(known) == ['StartupCommand "PowerSave 1"', "more"]
    other = replace(
        first, undo=('StartupCommand "PowerSave 2"', "more"), startup="more"
    )
    assert other.undo_after(known) == ['StartupCommand "PowerSave 2"', "more"]
    [flag] = proposed(flags=1 << 10).tunings
    assert flag.undo_after(["SetFlag 21 0"]) == ["SetFlag 21 0"]
