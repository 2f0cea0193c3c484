"""The simulated bootloader installs what came over the air."""

import asyncio
from collections.abc import Callable
import re

import pytest

from custom_components.openbk.pyopenbk.backups import Contents
from custom_components.openbk.pyopenbk.beken.chips import BK7231N as N, BK7231T as T
from custom_components.openbk.pyopenbk.flashing.dump import Dump
from simulator import images
from simulator.boot import Running, examine
from simulator.bootrom import Timings
from simulator.chip import simulated_chip
from simulator.chips import BK7231N, MODELS, Chip
from simulator.factory import FactorySocket
from simulator.faults import Fault, FaultName
from simulator.flash import Flash, Operation, PowerLostError
from simulator.update import apply_update

CHIPS = {Chip.BK7231N: N, Chip.BK7231T: T}
OLD = images.flashed(FactorySocket().dump(), images.OF_THE_GUIDE)


def downloaded(container: bytes) -> Flash:
    flash = Flash(OLD, status=0x4004)
    flash.rewrite(BK7231N.download, container)
    return flash


@pytest.mark.parametrize(
    ("chip", "download", "end"),
    [(Chip.BK7231N, 0x12A000, 0x129F70), (Chip.BK7231T, 0x132000, 0xE0000)],
)
def test_each_chip_finds_its_update_and_its_application_in_places_of_its_own(
    chip: Chip, download: int, end: int
) -> None:
    old = images.Build(version="1.18.298", chip=chip)
    new = images.Build(chip=chip)
    flash = Flash(images.flashed(FactorySocket(chip=chip).dump(), old), status=0x4004)
    assert examine(flash, chip=chip).version == "1.18.298"
    assert apply_update(flash, chip=chip) == ""
    flash.rewrite(download, images.ota(new))
    assert "1.18.300" in apply_update(flash, chip=chip)
    assert flash.read(0x11000, end - 0x11000) == images.qio(new)[0x11000:end]
    assert examine(flash, chip=chip).version == "1.18.300"
    assert apply_update(flash, chip=chip) == ""


def sockets_that_were_sent_an_update(chip: Chip) -> tuple[bytes, str, str]:
    """Return the flash before a restart, and the versions in it: the present and the next one."""
    old, new = images.Build(version="1.18.298", chip=chip), images.Build(chip=chip)
    flash = Flash(images.flashed(FactorySocket(chip=chip).dump(), old), status=0x4004)
    flash.rewrite(MODELS[chip].download, images.ota(new))
    return flash.content, old.version, new.version


@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
def test_all_is_erased_before_anything_is_written_and_the_download_at_last(
    chip: Chip,
) -> None:
    flash = Flash(sockets_that_were_sent_an_update(chip)[0])
    done: list[Operation] = []
    flash.watcher = done.append
    apply_update(flash, chip=chip)
    kinds = "".join(operation.kind[0] for operation in done)
    assert re.fullmatch("e+p+e", kinds)
    erased = [operation.address for operation in done if operation.kind == "erase"]
    assert erased == sorted(erased)
    assert erased[-3:] == [0x128000, 0x129000, MODELS[chip].download]
    programmed = [one.address for one in done if one.kind == "program"]
    assert programmed == sorted(programmed)


@pytest.mark.parametrize("indeterminate", [False, True])
@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
def test_power_that_fails_while_it_is_installed_costs_nothing_but_a_start(
    chip: Chip, indeterminate: bool
) -> None:
    """At every tenth part and at the borders: nothing starts until the new one is whole."""
    sent, old, new = sockets_that_were_sent_an_update(chip)
    whole = Flash(sent)
    done: list[Operation] = []
    whole.watcher = done.append
    apply_update(whole, chip=chip)
    erases = next(n for n, one in enumerate(done, 1) if one.kind == "program") - 1
    last = len(done)
    tenths = {last * tenth // 10 for tenth in range(1, 10)}
    for place in sorted({1, 2, erases, erases + 1, *tenths, last - 1, last}):
        flash = Flash(sent)
        flash.watcher = cut_off(place, indeterminate=indeterminate)
        with pytest.raises(PowerLostError):
            apply_update(flash, chip=chip)
        version = examine(flash, chip=chip).version
        assert version in ((None, new) if place > 1 else (None, old)), place
        assert version == new or place < last
        flash.watcher = None
        apply_update(flash, chip=chip)
        assert examine(flash, chip=chip).version == new
        assert (
            flash.content[: MODELS[chip].download]
            == whole.content[: MODELS[chip].download]
        )


def cut_off(place: int, *, indeterminate: bool) -> Callable[[Operation], None]:
    """Return what takes the power away in the middle of the n-th operation."""
    seen = 0

    def watch(_: Operation) -> None:
        nonlocal seen
        seen += 1
        if seen == place:
            raise PowerLostError(indeterminate=indeterminate)

    return watch


@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
def test_a_shorter_one_starts_before_the_remains_of_a_longer_one(chip: Chip) -> None:
    """Neither simulator nor product takes what lies behind it for a part that is missing."""
    longer = images.Build(version="1.18.298", chip=chip)
    shorter = images.Build(chip=chip, size=0xA0000)
    flash = Flash(images.flashed(FactorySocket(chip=chip).dump(), longer))
    flash.rewrite(MODELS[chip].download, images.ota(shorter))
    apply_update(flash, chip=chip)
    remains = slice(0x11000 + 0xB0000, 0x11000 + 0xC0000)
    assert flash.content[remains] == images.qio(longer)[remains]
    assert examine(flash, chip=chip).version == "1.18.300"
    dump = Dump(flash.content, CHIPS[chip])
    assert dump.contents is Contents.OPENBEKEN
    # What is cut off within a sector is half an application all the same.
    flash.rewrite(0x50100, b"\xff" * 0xF00)
    assert examine(flash, chip=chip).running is Running.NOTHING
    dump = Dump(flash.content, CHIPS[chip])
    assert dump.contents is Contents.HALF_WRITTEN


def test_a_whole_update_takes_the_place_of_the_application_once() -> None:
    flash = downloaded(images.ota())
    assert "1.18.300" in apply_update(flash)
    assert flash.read(0x11000, 0x118F70) == images.qio()[0x11000:]
    assert flash.read(0, 0x11000) == OLD[:0x11000]
    done = flash.counts.operations
    assert apply_update(flash) == ""
    assert flash.counts.operations == done


@pytest.mark.parametrize(
    "container",
    [
        b"",
        images.ota()[:-100],
        images.ota()[:5000] + b"\0" + images.ota()[5001:],
        images.ug(),
    ],
    ids=["none", "cut off", "damaged", "wrapped for Tuya"],
)
def test_anything_else_changes_nothing(container: bytes) -> None:
    flash = downloaded(container)
    apply_update(flash)
    assert examine(flash).version == "1.17.360"


@pytest.mark.parametrize("chip", [Chip.BK7231N, Chip.BK7231T])
@pytest.mark.parametrize(
    ("change", "installed"),
    [
        ({"entry": 0x0FFFF}, False),
        ({"entry": 0x10000}, True),
        ({"entry": 0x118700}, True),
        ({"entry": 0x118701}, False),
        ({"size": 0x108680}, True),
        ({"size": 0x1086C0}, False),
    ],
    ids=repr,
)
def test_code_that_does_not_fit_the_partition_leaves_the_old_one(
    chip: Chip, change: dict[str, int], installed: bool
) -> None:
    """As both bootloaders did that were run as machine code."""
    old = images.Build(version="1.18.298", chip=chip, size=0x4000)
    flash = Flash(images.flashed(FactorySocket(chip=chip).dump(), old), status=0x4004)
    before = flash.content
    new = images.Build(chip=chip, **({"size": 0x4000} | change))
    flash.rewrite(MODELS[chip].download, images.ota(new))
    apply_update(flash, chip=chip)
    assert (
        flash.content[: len(before) // 2] != before[: len(before) // 2]
    ) is installed
    version = examine(flash, chip=chip).version
    assert version == ("1.18.300" if installed else "1.18.298")


def test_an_update_for_another_chip_is_installed_and_never_starts() -> None:
    flash = downloaded(images.ota(images.Build(chip="BK7231T")))
    apply_update(flash)
    assert examine(flash).running is Running.NOTHING


async def test_a_power_cut_while_it_is_installed_is_made_good_at_the_next_start() -> (
    None
):
    quick = Timings(link_window=0.05)
    flash = downloaded(images.ota())
    async with simulated_chip(flash, timings=quick, in_rom=False) as socket:
        socket.inject(Fault(name=FaultName.POWER_LOST, operation=2000))
        async with asyncio.timeout(10):
            await socket.wait_until(Running.NOTHING)
        assert not socket.powered
        assert examine(flash).running is Running.NOTHING
        socket.power(on=True)
        async with asyncio.timeout(10):
            await socket.wait_until(Running.OPENBEKEN)
        assert socket.verdict is not None
        assert socket.verdict.version == "1.18.300"
