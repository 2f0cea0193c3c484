"""The chips that are tried: what each holds, what goes onto it, and what nobody may touch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
import hashlib
from typing import Final

from custom_components.openbk.pyopenbk.backups import Origin
from custom_components.openbk.pyopenbk.obk.config_sector import ConfigSector, build
from custom_components.openbk.pyopenbk.obk.image import FirmwareImage
from simulator.boot import Running, examine
from simulator.bootrom import STANDARD_CODE_KEY
from simulator.chips import Chip
from simulator.commands import Command
from simulator.faults import FaultName
from simulator.flash import TH25Q16HB, Flash
from tests.pyopenbk.flashing.dumps import (
    MAC,
    factory_chip,
    factory_t,
    openbeken_image,
    openbeken_image_t,
    put,
    written,
)

WIFI_PASSWORD: Final = "soak-wifi-Hk27vqZr"
BROKER_PASSWORD: Final = "soak-broker-9dTn3wXe"
TUYA_KEY: Final = "soak-tuya-Qm48cLyB"
PLANTED: Final = (WIFI_PASSWORD, BROKER_PASSWORD, TUYA_KEY)
"""What must never be seen outside of the flash and its dumps."""

FLASH_SIZE: Final = 0x200000

type Span = tuple[int, int]
"""First byte and the one behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One kind of chip. The places are written here once more: a judge shares no table."""

    name: str
    chip: Chip
    bootloader: Span
    application: Span
    radio: Span
    config: Span
    first_record: Span
    """Without it the chip starts nothing."""
    factory: Callable[[], bytes]
    """What it holds out of the box; with a secret of the vendor's in its store."""
    strange: Callable[[], bytes]
    """What another chip of its kind holds."""
    sector: Callable[[], bytes]
    """OpenBeken's configuration, with two secrets."""
    image: Callable[[str], FirmwareImage]
    """OpenBeken in a version."""
    mac: str
    protection: int
    """What the vendor's firmware leaves in the status registers."""
    origin: Origin
    """How its backups are told apart."""
    unanswered: frozenset[Command] = frozenset()
    """What its loader does not know."""
    untold: frozenset[FaultName] = frozenset()
    """What cannot be wrong with it, as its loader says nothing of it."""
    holds_loader: bool = False
    """The download code is in its bootloader: what breaks that, nobody can mend over UART."""

    @property
    def first_sector(self) -> Span:
        """Return where the application begins."""
        return self.application[0], self.application[0] + 0x1000

    @property
    def writable(self) -> tuple[Span, ...]:
        """Return what flashing may change."""
        return self.application, self.config

    def flashed(self, flash: bytes, version: str) -> bytes:
        """Return what flashing makes of a chip that holds ``flash``."""
        return written(flash, self.image(version), self.sector())

    @property
    def everything(self) -> Span:
        """Return what a restore of its own backup may change."""
        return (self.bootloader[1] if self.holds_loader else 0), FLASH_SIZE

    @property
    def restorable(self) -> tuple[Span, ...]:
        """Return what a restore may change that leaves the radio alone."""
        lowest, end = self.everything
        return (lowest, self.radio[0]), (self.radio[1], end)

    def starts(self, flash: bytes) -> Running:
        """Return what a chip with this flash runs when it is left alone."""
        start, end = self.first_record
        if flash[start:end] == b"\xff" * (end - start):
            return Running.NOTHING
        return examine(Flash(flash), chip=self.chip).running


@cache
def _sector() -> bytes:
    return build(
        ConfigSector(
            mqtt_client_id="obk8D123456",
            wifi_ssid="Nest",
            wifi_password=WIFI_PASSWORD,
            mqtt_host="192.0.2.9",
            mqtt_username="socket",
            mqtt_password=BROKER_PASSWORD,
        )
    )


def _with_a_secret(dump: bytes) -> bytes:
    return put(dump, 0x1EF000, f'"local_key":"{TUYA_KEY}"'.encode())


@cache
def _factory() -> bytes:
    return _with_a_secret(factory_chip())


@cache
def _factory_t() -> bytes:
    return _with_a_secret(factory_t())


_KEY: Final = b"".join(word.to_bytes(4, "big") for word in STANDARD_CODE_KEY)

STRANGERS_MAC: Final = "38:1f:8d:65:43:21"

# openbeken_image packs with a tool of others; no more versions than these are made.
OLD: Final = "1.18.299"
NEW: Final = "1.18.301"

SUBJECTS: Final = {
    subject.name: subject
    for subject in (
        Subject(
            name="bk7231n",
            chip=Chip.BK7231N,
            bootloader=(0x000000, 0x011000),
            application=(0x011000, 0x12A000),
            radio=(0x1D0000, 0x1D1000),
            config=(0x1D1000, 0x1D2000),
            first_record=(0x011000, 0x011022),
            factory=_factory,
            strange=lambda: factory_chip(STRANGERS_MAC),
            sector=_sector,
            image=openbeken_image,
            mac=MAC,
            protection=0x4004,
            unanswered=frozenset({Command.BOOT_VERSION}),
            origin=Origin(
                chip_id=0x7231C,
                jedec=TH25Q16HB.hex(),
                code_key_sha256=hashlib.sha256(_KEY).hexdigest(),
                mac=MAC,
                flash_size=FLASH_SIZE,
            ),
        ),
        Subject(
            name="bk7231t",
            chip=Chip.BK7231T,
            bootloader=(0x000000, 0x011000),
            application=(0x011000, 0x132000),
            radio=(0x1E0000, 0x1E1000),
            config=(0x1E1000, 0x1E2000),
            first_record=(0x011000, 0x011022),
            factory=_factory_t,
            strange=lambda: factory_t(STRANGERS_MAC),
            sector=_sector,
            image=openbeken_image_t,
            mac=MAC,
            protection=0x007C,
            origin=Origin(chip="BK7231T", mac=MAC, flash_size=FLASH_SIZE),
            unanswered=frozenset(
                {
                    Command.READ_REGISTER,
                    Command.WRITE_REGISTER,
                    Command.READ_STATUS,
                    Command.WRITE_STATUS,
                    Command.FLASH_ID,
                }
            ),
            untold=frozenset(
                {FaultName.CHIP_ID, FaultName.CODE_KEY, FaultName.FLASH_ID}
            ),
            holds_loader=True,
        ),
    )
}
