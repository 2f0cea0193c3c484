"""The whole road of one socket: out of its box, to OpenBeken, and back."""

import asyncio
from pathlib import Path

import pytest

from custom_components.openbk.pyopenbk.backups import Contents, Origin
from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.bootrom.errors import (
    BootRomError,
    FlashUnreachableError,
)
from custom_components.openbk.pyopenbk.flashing import FlashingJob, Phase
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.obk.image import FirmwareImage, recognise
from simulator import images
from simulator.boot import Running
from simulator.chip import SimulatedSocket, simulated_chip
from simulator.chips import Chip
from simulator.factory import FactorySocket
from simulator.faults import Fault, FaultName
from simulator.flash import OperationKind
from tests.simulator.test_oracles import bk7231tools

from .bench import Bench, bench
from .dumps import CONFIG, put, written

FACTORY = FactorySocket().dump()
IMAGE = recognise(images.qio())
SOCKETS = (
    FactorySocket(),
    FactorySocket.numbered(0, chip=Chip.BK7231T),
)


def release_for(unit: FactorySocket) -> FirmwareImage:
    """Return the newest release for the chip of a socket."""
    if unit.chip is Chip.BK7231N:
        return IMAGE
    # What is published for BK7231T to be written by wire begins at its application.
    return recognise(images.ua(images.Build(chip=unit.chip)), BK7231T)


async def what_it_starts(flash: bytes, chip: Chip = Chip.BK7231N) -> Running:
    """Return what a chip with this flash runs when it is left alone."""
    async with (
        simulated_chip(flash, chip=chip, in_rom=False) as socket,
        asyncio.timeout(10),
    ):
        await socket.wait_until(Running.OPENBEKEN, Running.FACTORY, Running.NOTHING)
        return socket.running


async def read_with_bk7231tools(socket: SimulatedSocket) -> bytes:
    """Return the whole flash as a tool reads it that nobody here wrote."""
    socket.reset()
    return await bk7231tools(
        socket, lambda device: device.flash_read_bytes(0, 0x200000)
    )


async def prepared(chip: Bench, job: FlashingJob) -> bytes:
    """Back the chip up and return a configuration with the pins that were found."""
    await job.search(10)
    await job.identify()
    backup = await job.back_up()
    analysis = await job.analyse()
    assert backup.read() == chip.flash
    assert analysis.state is Contents.FACTORY
    assert analysis.pins is not None
    config = ConfigSector(mqtt_client_id="obk", wifi_ssid="Nest", mqtt_host="10.0.0.2")
    return build(config.with_profile(analysis.pins.profile))


@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.chip)
async def test_out_of_the_box_to_openbeken_and_back(
    unit: FactorySocket, tmp_path: Path
) -> None:
    factory, image = unit.dump(), release_for(unit)
    async with bench(factory, tmp_path, chip=unit.chip) as chip:
        assert await what_it_starts(chip.flash, unit.chip) is Running.FACTORY
        async with chip.job() as job:
            config = await prepared(chip, job)
            await job.write(image, config)
            await job.start()

        assert chip.flash == written(factory, image, config)
        assert await read_with_bk7231tools(chip.socket) == chip.flash
        assert await what_it_starts(chip.flash, unit.chip) is Running.OPENBEKEN

        async with chip.analysed() as job:
            analysis = await job.analyse()
            assert analysis.state is Contents.OPENBEKEN
            assert analysis.version == images.NEWEST.version
            assert analysis.config is not None
            assert analysis.config.profile.relays
            assert analysis.config.profile.has_meter
            backup = chip.folder.find(unit.mac)[-1]
            await job.restore(backup)

        assert chip.flash == factory
        assert await read_with_bk7231tools(chip.socket) == factory
        assert await what_it_starts(chip.flash, unit.chip) is Running.FACTORY


@pytest.mark.parametrize("unit", SOCKETS, ids=lambda unit: unit.chip)
@pytest.mark.parametrize("back_at", [0x180000, None], ids=["for a moment", "for good"])
async def test_flash_that_gets_out_of_reach_while_it_is_read(
    unit: FactorySocket, tmp_path: Path, back_at: int | None
) -> None:
    """It reads as zeros then, and the loader's CRC is right about them."""
    factory = unit.dump()
    async with bench(factory, tmp_path, chip=unit.chip) as chip:

        def told(phase: Phase, done: int, total: int) -> None:
            if phase is Phase.BACKUP and done == 0x100000:
                chip.socket.inject(Fault(name=FaultName.FLASH_UNREACHABLE))
            if phase is Phase.BACKUP and back_at is not None and done >= back_at:
                chip.socket.clear()

        async with chip.identified() as job:
            chip.told.listener = told
            with pytest.raises(FlashUnreachableError):
                await job.back_up()
        assert chip.folder.list() == ()

        chip.told.listener = None
        chip.socket.clear()
        async with chip.identified() as job:
            backup = await job.back_up()
        assert backup.read() == factory


async def test_half_written_socket_starts_nothing(tmp_path: Path) -> None:
    async with bench(FACTORY, tmp_path) as chip, chip.job() as job:
        config = await prepared(chip, job)
        writing = asyncio.create_task(job.write(IMAGE, config))
        chip.told.listener = lambda phase, done, total: (
            done > 0.9 * total and writing.cancel()
        )
        await asyncio.wait({writing})

        assert writing.cancelled()
        assert await what_it_starts(chip.flash) is Running.NOTHING


async def test_pins_of_a_half_written_socket_are_still_found(tmp_path: Path) -> None:
    """Its own store tells them, whoever left it half-written."""
    async with (
        bench(put(FACTORY, 0x11000, b"\xff" * 4096), tmp_path) as chip,
        chip.analysed() as job,
    ):
        analysis = await job.analyse()

    assert analysis.state is Contents.HALF_WRITTEN
    assert analysis.pins is not None


async def test_a_restore_leaves_a_bootloader_that_holds_the_loader(
    tmp_path: Path,
) -> None:
    """A backup of the same chip may have another version of it; it is never written."""
    unit = SOCKETS[1]
    factory = unit.dump()
    older = images.qio(images.Build(chip=unit.chip))[:0x11000]
    async with bench(put(factory, 0, older), tmp_path, chip=unit.chip) as chip:
        origin = Origin(chip=unit.chip, mac=unit.mac, flash_size=len(factory))
        other = put(factory, 0x20, b"\0" * 16)
        backup = chip.folder.save(other, origin, Contents.FACTORY, chip.now)
        async with chip.analysed() as job:
            await job.write(release_for(unit))
            await job.restore(backup)
        assert chip.flash == put(factory, 0, older)
        assert not any(
            operation.address < 0x11000
            for operation in chip.operations
            if operation.kind is not OperationKind.STATUS
        )


@pytest.mark.parametrize("operation", [1, 40, 700])
async def test_power_lost_on_a_bk7231t_is_made_good_by_the_next_job(
    operation: int, tmp_path: Path
) -> None:
    unit = SOCKETS[1]
    factory, image = unit.dump(), release_for(unit)
    async with bench(factory, tmp_path, chip=unit.chip) as chip:
        async with chip.analysed(patience=0.2) as job:
            chip.socket.inject(Fault(name=FaultName.POWER_LOST, operation=operation))
            with pytest.raises(BootRomError):
                await job.write(image, CONFIG)
        chip.socket.power(on=True)
        async with chip.analysed(patience=0.2) as job:
            assert job.unfinished is not None
            await job.write(image, CONFIG)
        assert chip.flash == written(factory, image, CONFIG)
