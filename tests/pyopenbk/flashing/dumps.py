"""Dumps of chips in every state; their code is packed by a tool that nobody here wrote.

They hold far less than the simulator's factory dump, so that jobs on them take a moment.
"""

from functools import cache
from random import Random

from custom_components.openbk.pyopenbk.beken.chips import BK7231T
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.obk.image import FirmwareImage, recognise
from simulator.code_memory import to_records
from simulator.factory import rf_calibration, without
from tests.pyopenbk.obk import packer
from tests.support.flash_map import FLASH_SIZE

MAC = "38:1f:8d:12:34:56"
GENERIC_MAC = "c8:47:8c:00:00:00"
RF_START = 0x1D0000
CONFIG_START = 0x1D1000
APPLICATION_START = 0x11000
CONFIG = build(ConfigSector(mqtt_client_id="obk8D123456", wifi_ssid="Nest"))


def rf_sector(mac: str = MAC) -> bytes:
    """Return the sector of an RF calibration."""
    return rf_calibration(mac).ljust(4096, b"\xff")


def put(dump: bytes, start: int, data: bytes) -> bytes:
    """Return the dump with other bytes from ``start`` on."""
    return dump[:start] + data + dump[start + len(data) :]


def blank(dump: bytes, start: int, end: int) -> bytes:
    """Return the dump with everything from ``start`` to ``end`` erased."""
    return without(dump, start, end - start)


@cache
def chip(code: bytes, mac: str | None = MAC) -> bytes:
    """Return 2 MiB with bootloader, an application and an RF sector."""
    dump = packer.qio(code).ljust(FLASH_SIZE, b"\xff")
    return dump if mac is None else put(dump, RF_START, rf_sector(mac))


@cache
def plain_chip(code: bytes, mac: str = MAC) -> bytes:
    """Return a chip without a code key and with another map, as a BL2028N is.

    Its firmware may be longer than a BK7231N's, and its RF calibration lies at 0x1E0000.
    """
    dump = packer.bootloader(packer.NO_KEY) + to_records(code[: len(code) // 32 * 32])
    dump = put(dump.ljust(FLASH_SIZE, b"\xff"), 0x1E0000, rf_sector(mac))
    return put(dump, 0x140000, Random(mac).randbytes(0x3000))


@cache
def factory_chip(mac: str = MAC, size: int = 120_000) -> bytes:
    """Return a chip that runs Tuya's firmware and has data in all of its regions."""
    code = packer.tuya_code() + Random(1).randbytes(size)
    dump = chip(code, mac)
    for start, length in (
        (0x140000, 0x3000),
        (0x1D1000, 0x2000),
        (0x1E0000, 0x3000),
        (0x1ED000, 0x13000),
    ):
        dump = put(dump, start, Random(f"{mac} {start}").randbytes(length))
    return dump


@cache
def factory_t(mac: str = MAC, size: int = 120_000) -> bytes:
    """Return a BK7231T that runs Tuya's firmware and has data in all of its regions."""
    code = packer.tuya_code("8710_2M") + Random(2).randbytes(size)
    bootloader = packer.bootloader(build=int(mac[-2:], 16))
    dump = bootloader + packer.application(code)
    dump = put(dump.ljust(FLASH_SIZE, b"\xff"), 0x1E0000, rf_sector(mac))
    for start, length in (
        (0x140000, 0x3000),
        (0x1D0000, 0x3000),
        (0x1E1000, 0x2000),
        (0x1ED000, 0x13000),
    ):
        dump = put(dump, start, Random(f"{mac} {start}").randbytes(length))
    return dump


@cache
def openbeken_image_t(version: str = "1.18.299", size: int = 130_000) -> FirmwareImage:
    """Return a release image for BK7231T that the simulated chip starts, too."""
    code = packer.openbeken_code("BK7231T", version) + Random(version).randbytes(size)
    code += f"OpenBK7231T {version} Jul 24 2026 12:00:00\0".encode()
    return recognise(packer.update_by_wire(code), BK7231T)


@cache
def openbeken_image(version: str = "1.18.299", size: int = 130_010) -> FirmwareImage:
    """Return a release image that the simulated chip starts, too.

    For code of every other sixteen bytes the packer writes a mark with impossible sizes.
    """
    code = packer.openbeken_code(version=version) + Random(version).randbytes(size)
    code += f"OpenBK7231N {version} Jul 24 2026 12:00:00\0".encode()
    return recognise(packer.qio(code))


@cache
def written(dump: bytes, image: FirmwareImage, config: bytes | None = CONFIG) -> bytes:
    """Return what a job makes of a chip."""
    flash = image.target.flash
    application = image.application.ljust(flash.application.size, b"\xff")
    dump = put(dump, flash.application.start, application)
    return dump if config is None else put(dump, flash.openbeken_config.start, config)
