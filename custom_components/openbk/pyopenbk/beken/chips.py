"""The chips that OpenBeken is built for, and what differs between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, override

from .code_flash import CodeKey
from .flash_map import FlashMap, Region


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Chip:
    """A chip that a running socket may have. Names and numbers are OpenBeken's (1.18.299)."""

    name: str
    """As the firmware's build line has it, without its "Open": BK7231N."""
    group: str
    """The group topic that the firmware starts with; all chips of a kind share it."""
    prefix: str
    """What short name and client id begin with at first; eight digits of the MAC follow."""
    highest_pin: int
    update_suffix: str | None
    """How the name of an update over the air ends; None where no file is known to work."""
    modules: tuple[str, ...] = ()
    """What Tuya's names of modules with this chip begin with."""
    config_address: int | None = None
    """Where in the flash the configuration lies, laid out as on BK7231N; None where the firmware
    keeps it in a file, or in places that differ between builds."""

    @override
    def __repr__(self) -> str:
        """Return the name: the rest is always the same."""
        return f"{type(self).__name__}({self.name})"


class LoaderKind(StrEnum):
    """Where a chip has the code that reads and writes its flash over UART."""

    ROM = "rom"
    """In a mask ROM, which survives whatever is written to the flash."""
    BOOTLOADER = "bootloader"
    """In the bootloader, which is a part of the flash."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FlashableChip(Chip):
    """A chip whose flash is known: its dumps can be read, and it can be written by its loader."""

    loader: LoaderKind
    chip_id: int | None = None
    """What the ROM loader finds in the chip id register."""
    bootloader_name: str
    """What the bootloader calls the chip, in front of its version."""
    factory_names: tuple[str, ...]
    """What Tuya's firmware calls the chip, in lower case."""
    code_key: CodeKey
    """What OpenBeken's images for it are encrypted with."""
    flash: FlashMap

    def __post_init__(self) -> None:
        """Take the address of the configuration out of the map."""
        object.__setattr__(self, "config_address", self.flash.openbeken_config.start)


# Tuya's layout of the CB2S, as the SDK's partition table and 23 factory dumps have it. BK7231M and
# BL2028N have the same chip id; the latter keeps its RF calibration where BK7231T does.
BK7231N: Final = FlashableChip(
    name="BK7231N",
    group="bekens_n",
    prefix="obk",
    highest_pin=28,
    update_suffix=".rbl",
    modules=("CB", "T34", "T2"),
    loader=LoaderKind.ROM,
    chip_id=0x7231C,
    bootloader_name="BK7231N",
    factory_names=("bk7231n", "bk7231nl"),
    code_key=CodeKey.STANDARD,
    flash=FlashMap(
        size=0x200000,
        bootloader=Region("bootloader", 0x000000, 0x011000),
        application=Region("application", 0x011000, 0x12A000),
        application_length=0x118F70,
        ota=Region("ota", 0x12A000, 0x1D0000),
        rf_calibration=Region("rf_calibration", 0x1D0000, 0x1D1000),
        openbeken_config=Region("openbeken_config", 0x1D1000, 0x1D2000),
        tuya_storage=Region("tuya_storage", 0x1ED000, 0x200000),
    ),
)
# As 24 factory dumps of WB2S and WB3S have it. What is sent over the air may take as much of its
# partition as the file system does (our_lfs.h).
BK7231T: Final = FlashableChip(
    name="BK7231T",
    group="bekens_t",
    prefix="obk",
    highest_pin=28,
    update_suffix=".rbl",
    modules=("WB",),
    loader=LoaderKind.BOOTLOADER,
    bootloader_name="BK7231S",
    factory_names=("bk7231t", "bk7231s_2m", "8710_2m"),
    code_key=CodeKey.STANDARD,
    flash=FlashMap(
        size=0x200000,
        bootloader=Region("bootloader", 0x000000, 0x011000),
        application=Region("application", 0x011000, 0x132000),
        application_length=0x0EF000,
        ota=Region("ota", 0x132000, 0x1B3000),
        rf_calibration=Region("rf_calibration", 0x1E0000, 0x1E1000),
        openbeken_config=Region("openbeken_config", 0x1E1000, 0x1E2000),
        tuya_storage=Region("tuya_storage", 0x1ED000, 0x200000),
        holds_loader=True,
    ),
)
FLASHABLE: Final = (BK7231N, BK7231T)

# Chip | group | prefix | highest pin | end of an update's name | modules | address of the
# configuration (new_common.h, new_pins.h, http_fns.c).
_OTHERS: Final = """
BK7231U   | bekens_u   | obk       | 28 | .rbl        |
BK7238    | bekens_8s  | obk       | 28 | .rbl        | T1
BK7252    | bekens_52s | obk       | 39 | .rbl        |
BK7252N   | bekens_52n | obk       | 39 | .rbl        | T4
BL602     | bl602s     | obl       | 23 | .bin.xz.ota |
BL616     | bl616s     | bl616     | 34 | .bin.xz.ota |
W600      | w600s      | w600      | 16 | .img        |    | F0000
W800      | w800s      | w800      | 43 | .img        |
LN882H    | ln882h     | ln882h    | 25 | _OTA.bin    |
LN8825    | ln8825s    | ln8825    | 25 | _ota.img    |
XR806     | xr806s     | oxr       | 26 | .img        |
XR809     | xr809s     | oxr       | 23 | .img        |
XR872     | xr872s     | oxr       | 35 | .img        |
ESP32     | esp        | esp       | 39 | .img        |
ESP32C2   | esp        | esp       | 20 | .img        |
ESP32C3   | esp        | esp       | 21 | .img        |
ESP32C5   | esp        | esp       | 28 | .img        |
ESP32C6   | esp        | esp       | 30 | .img        |
ESP32C61  | esp        | esp       | 21 | .img        |
ESP32S2   | esp        | esp       | 46 | .img        |
ESP32S3   | esp        | esp       | 48 | .img        |
ESP8266   | esp8266s   | esp8266   | 13 | .img        |
TR6260    | tr6260s    | tr6260    | 24 | .img        |
ECR6600   | ecr6600s   | ecr6600   | 26 | .img        |
RTL87X0C  | rtl87x0c   | rtl87x0C  | 23 | .img        |
RTL8710A  | rtl8711am  | rtl8710a  | 19 | .img        |
RTL8710B  | rtl8710b   | rtl8710b  | 16 | .img        |
RTL8720D  | rtl8720d   | rtl8720d  | 63 | .img        |
RTL8720E  | rtl8720e   | rtl8720e  | 51 | .img        |
RTL8721DA | rtl8721da  | rtl8721da | 63 | .img        |
RDA5981   | rda5981s   | rda5981   | 28 |             |
TXW81X    | txw81x     | txw81x    | 63 |             |
GD32VW553 | gd32s      | gd32vw553 | 47 | .img        |
"""


def _read_table() -> Iterator[Chip]:
    for line in _OTHERS.strip().splitlines():
        name, group, prefix, highest_pin, suffix, modules, *address = (
            part.strip() for part in line.split("|")
        )
        yield Chip(
            name=name,
            group=group,
            prefix=prefix,
            highest_pin=int(highest_pin),
            update_suffix=suffix or None,
            modules=tuple(modules.split()),
            config_address=int(address[0], 16) if address else None,
        )


CHIPS: Final[Mapping[str, Chip]] = {
    chip.name: chip for chip in (*FLASHABLE, *_read_table())
}
"""All chips by their names."""

RF_PLACES: Final = tuple(dict.fromkeys(chip.flash.rf_calibration for chip in FLASHABLE))
"""Where chips have their RF calibration; BL2028N has it in BK7231T's place."""

FLASH_SIZES: Final = frozenset(chip.flash.size for chip in FLASHABLE)
"""How long a whole dump may be, in bytes."""

HIGHEST_PIN: Final = max(chip.highest_pin for chip in CHIPS.values())
"""The highest pin of any chip that OpenBeken runs on."""

# Tuya's modules with chips that OpenBeken does not run on, or has another name for.
_OTHER_MODULES: Final = {
    "WBR": "RTL8720CF",
    "CR": "RTL8720CF",
    "T3": "BK7236",
    "T5": "BK7258",
}
_MODULES: Final = _OTHER_MODULES | {
    start: chip.name for chip in CHIPS.values() for start in chip.modules
}


def chip_with_id(chip_id: int) -> FlashableChip | None:
    """Return the chip whose ROM loader finds this chip id."""
    return next((chip for chip in FLASHABLE if chip.chip_id == chip_id), None)


def chip_of_module(module: str) -> str | None:
    """Return the chip that a Tuya module of this name usually has, None for an unknown one."""
    name = module.strip().upper()
    starts = [start for start in _MODULES if name.startswith(start)]
    return _MODULES[max(starts, key=len)] if starts else None
