"""The chips that the simulator has, a row for each: what differs in their flash and in their code.

Written here once more, and not taken from the product: each of the two judges the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Chip(StrEnum):
    """Which chip the socket has."""

    BK7231N = "BK7231N"
    BK7231T = "BK7231T"
    BK7231U = "BK7231U"
    """Only asked what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What differs between the chips that OpenBeken runs on here; places are bytes of the flash."""

    chip_id: int | None = None
    """What the mask ROM reads at 0x800000, on chips whose loader is in it."""
    bootloader: str
    """What the bootloader calls itself."""
    application: int = 0x118F70
    """Bytes from 0x11000 on of the partition that the bootloader knows: 33848 records, of which the
    last three hold the header of what it has installed."""
    release: int
    """Bytes of it in the releases' files with a bootloader, a header at their end."""
    needs_mark: bool
    """The bootloader starts nothing without the header at the end."""
    download: int
    """Where an update over the air is put."""
    download_end: int
    """Where it and the file system behind it must end."""
    rf_calibration: int
    configuration: int
    """Where OpenBeken keeps its configuration, and Tuya's SDK the last network that was joined."""
    openbeken_code: int
    """About as many bytes as the releases fill of the application."""
    factory_code: int
    """As many bytes leave the last 64 KiB block of the application blank, as in real sockets."""
    factory: str
    """What Tuya's firmware calls the chip."""
    environment: bytes
    """What its store says of the chip."""


# The application is what the partition tables in the bootloaders say, of Tuya's and of the releases
# 1.18.300; seven factory dumps of BK7231T have their header at its end. Where updates go is there, too,
# and in hal_ota.h and our_lfs.h of the same version. On BK7231N they end where the radio's
# calibration begins. The files for BK7231T that are to be written by wire have no header there, and
# are started.
MODELS: Final[Mapping[Chip, Model]] = {
    Chip.BK7231N: Model(
        chip_id=0x7231C,
        bootloader="BK7231N_1.0.1",
        release=0x118F70,
        needs_mark=True,
        download=0x12A000,
        download_end=0x1D0000,
        rf_calibration=0x1D0000,
        configuration=0x1D1000,
        openbeken_code=0x104000,
        factory_code=0xED000,
        factory="bk7231n",
        environment=b"bk7231n",
    ),
    Chip.BK7231T: Model(
        bootloader="BK7231S_1.0.5",
        release=0xEF000,
        needs_mark=False,
        download=0x132000,
        download_end=0x1B3000,
        rf_calibration=0x1E0000,
        configuration=0x1E1000,
        openbeken_code=0xC2000,
        factory_code=0xC0000,
        factory="8710_2M",
        environment=b"bk7231s_2m",
    ),
}
BK7231N: Final = MODELS[Chip.BK7231N]
"""What most sockets have."""
