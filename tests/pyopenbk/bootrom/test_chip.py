"""Identity, protection and bounds of a chip."""

import asyncio
import zlib

import pytest

from custom_components.openbk.pyopenbk.beken.code_flash import STANDARD_KEY
from custom_components.openbk.pyopenbk.bootrom.chip import LinkedChip
from custom_components.openbk.pyopenbk.bootrom.errors import (
    FlashUnreachableError,
    NoChipError,
    ProtectedFlashError,
    UnexpectedReplyError,
    WrongChipError,
)
from custom_components.openbk.pyopenbk.bootrom.link import Link, open_link
from simulator import images
from simulator.boot import Running
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip as SocketChip
from simulator.commands import Command
from simulator.faults import Fault, FaultName
from simulator.flash import SIZE, Flash

from .rig import linked_chip

ANOTHER_KEY = (0x4862379A, 0x8612784B, 0x85C5E258, 0x75754528)


async def test_a_chip_says_what_it_is(chip: LinkedChip) -> None:
    assert chip.identity.chip_id == 0x7231C
    assert chip.identity.code_key == STANDARD_KEY
    assert chip.identity.jedec == bytes.fromhex("EB6015")
    assert chip.identity.flash_size == 0x200000
    assert chip.identity.baudrate == 2_000_000
    assert chip.identity.part.name == "TH25Q16HB"


async def test_another_key_is_read_as_it_is() -> None:
    async with (
        simulated_chip(code_key=ANOTHER_KEY) as socket,
        linked_chip(socket) as chip,
    ):
        assert chip.identity.code_key == ANOTHER_KEY


async def test_another_chip_is_refused(socket: SimulatedSocket, link: Link) -> None:
    socket.inject(Fault(name=FaultName.CHIP_ID, value="7238"))
    with pytest.raises(WrongChipError) as caught:
        await LinkedChip.identify(link)
    assert caught.value.chip_id == 0x7238
    assert caught.value.chip == "BK7238"


async def test_a_chip_whose_loader_tells_nothing_is_named_all_the_same() -> None:
    """BK7231U knows neither registers nor versions, and is silent then: that is no loose wire."""
    bootloader = images.qio()[:0x11000]
    async with (
        simulated_chip(bootloader.ljust(SIZE, b"\xff"), chip=SocketChip.BK7231U) as u,
        open_link(u.path, patience=0.05) as link,
    ):
        assert (await link.search(5)).linked
        await link.set_baudrate()
        with pytest.raises(WrongChipError) as caught:
            await LinkedChip.identify(link)
        assert caught.value.chip_id is None
        assert caught.value.chip == "BK7231U"
        assert u.flash.counts.operations == 0


@pytest.mark.parametrize("jedec", ["000000", "FFFFFF", "EB6099"])
async def test_a_flash_out_of_reach_is_recognised(
    socket: SimulatedSocket, link: Link, jedec: str
) -> None:
    socket.inject(Fault(name=FaultName.FLASH_ID, value=jedec))
    with pytest.raises(FlashUnreachableError):
        await LinkedChip.identify(link)


async def test_a_flash_that_forgets_everything_is_out_of_reach(
    socket: SimulatedSocket, link: Link
) -> None:
    socket.inject(Fault(name=FaultName.FLASH_UNREACHABLE))
    with pytest.raises(FlashUnreachableError):
        await LinkedChip.identify(link)


@pytest.mark.parametrize(
    "command", [Command.READ_REGISTER, Command.WRITE_REGISTER, Command.FLASH_ID]
)
@pytest.mark.parametrize("nth", [1, 2])
async def test_one_damaged_answer_does_not_make_another_chip(
    socket: SimulatedSocket, link: Link, command: Command, nth: int
) -> None:
    expected = await LinkedChip.identify(link)
    socket.inject(
        Fault(name=FaultName.REPLY_FLIPPED, command=command, nth=nth, byte=-2)
    )
    assert (await LinkedChip.identify(link)).identity == expected.identity


async def test_answers_that_never_agree_are_not_believed(
    socket: SimulatedSocket, link: Link
) -> None:
    for nth in range(1, 40, 2):
        socket.inject(
            Fault(
                name=FaultName.REPLY_FLIPPED, command=Command.FLASH_ID, nth=nth, byte=-3
            )
        )
    with pytest.raises(UnexpectedReplyError):
        await LinkedChip.identify(link)


async def test_nothing_is_identified_before_a_chip_answered(
    socket: SimulatedSocket,
) -> None:
    async with open_link(socket.path) as link:
        with pytest.raises(NoChipError):
            await LinkedChip.identify(link)


@pytest.mark.parametrize(
    ("jedec", "protected", "clear"),
    [
        ("EB6015", 0x4004, 0x0000),
        ("EB6015", 0x427C, 0x0200),
        ("1C7015", 0x005C, 0x0040),
        ("854215", 0x007C, 0x0000),
        ("C22315", 0x103C, 0x0000),
        ("123415", 0x4004, 0x0000),
    ],
)
async def test_protection_is_cleared_and_nothing_else(
    jedec: str, protected: int, clear: int
) -> None:
    flash = Flash(jedec=bytes.fromhex(jedec), status=protected)
    async with simulated_chip(flash) as socket, linked_chip(socket) as chip:
        await chip.unprotect()
        await chip.unprotect()
        await asyncio.sleep(0.01)
        assert flash.status == clear
        assert flash.counts.status_writes == 1


async def test_a_clear_status_register_is_never_written() -> None:
    flash = Flash(status=0x0200)
    async with simulated_chip(flash) as socket, linked_chip(socket) as chip:
        await chip.unprotect()
        assert flash.counts.status_writes == 0


async def test_a_status_register_that_sticks_is_a_protected_flash(
    socket: SimulatedSocket, chip: LinkedChip
) -> None:
    socket.inject(Fault(name=FaultName.STATUS_STICKS))
    with pytest.raises(ProtectedFlashError):
        await chip.unprotect()


@pytest.mark.parametrize(("start", "length"), [(0, 1), (0x11000, 257), (0, 0x200000)])
async def test_the_crc_is_the_chips_own(
    socket: SimulatedSocket, chip: LinkedChip, start: int, length: int
) -> None:
    data = socket.flash.content[start : start + length]
    assert await chip.crc(start, length) == zlib.crc32(data) ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("start", "length"),
    [(-0x1000, 0x1000), (0x1FF000, 0x2000), (0x200000, 0x1000), (0, 0), (0x1000, -1)],
)
async def test_nothing_is_asked_outside_of_the_flash(
    chip: LinkedChip, start: int, length: int
) -> None:
    with pytest.raises(ValueError, match="0x"):
        await chip.crc(start, length)
    with pytest.raises(ValueError, match="0x"):
        await chip.read(start, length)


async def test_reboot_starts_what_is_in_the_flash() -> None:
    async with simulated_chip(in_rom=False) as socket:
        socket.reset()
        async with linked_chip(socket) as chip:
            assert socket.running is Running.ROM
            await chip.reboot()
            await asyncio.wait_for(socket.wait_until(Running.NOTHING), 5)
            assert not chip.link.linked
