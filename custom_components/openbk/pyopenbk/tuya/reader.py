"""From a factory dump to the pins of its socket, by whichever way the dump offers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
import re
from typing import Final

from ..beken.chips import BK7231N, FLASHABLE, FlashableChip
from ..beken.code_flash import apply_cipher, strip_checksums
from ..errors import OpenBekenError
from ..file_kinds import FileKind, name_file
from .dump import NotADumpError
from .pins import PinReading, PinSource, profile_from_user_params
from .storage import USER_PARAM_KEY, StorageProblem, TuyaStorage, parse_storage
from .user_params import LONGEST_TEXT, UserParamsError, parse_user_params

# A socket whose firmware keeps one of these talks to a second chip that owns the pins.
_SERIAL_KEYS: Final = ("baud_cfg", "uart_adapt_params")
_SERIAL_PROJECT: Final = b"common_user_config_ty"
_CHIP_KEY: Final = "em_sys_env"
_CHIPS: Final = {name: chip.name for chip in FLASHABLE for name in chip.factory_names}
# What a text of user parameters in the firmware itself is known by.
_PARAMS_IN_CODE: Final = re.compile(rb",crc:[^\0]|,module:[^\0]|Jsonver:[^\0]")


class PinDataError(OpenBekenError):
    """The dump has a store, but no pins to take over; the subclass says why."""


class NoPinDataError(PinDataError):
    """Neither the store nor the firmware describes any pins."""

    def __init__(self, damage: Sequence[StorageProblem]) -> None:
        """Keep what is wrong with the store; where nothing is, it never had any."""
        super().__init__("no description of the pins in the dump")
        self.damage = tuple(damage)


class TuyaMcuError(PinDataError):
    """A second chip owns the pins and talks to this one over a serial line."""


class UntrustedPinDataError(PinDataError):
    """The description of the pins is damaged: its checksum is wrong."""


def read_pins(dump: bytes, chip: FlashableChip = BK7231N) -> PinReading:
    """Read the pins out of a factory dump that is meant to be of a chip.

    Raises a TuyaStorageError where the file is no such dump, a PinDataError where it says nothing
    about pins, and UserParamsError where what it says is no text of parameters. Takes tens of
    milliseconds, so it belongs into an executor.
    """
    storage = parse_storage(dump, chip)
    reading = _read_storage(storage, chip) or _read_application(dump, storage, chip)
    if reading is None:
        if name_file(dump) is FileKind.MANGLED:
            raise NotADumpError(FileKind.MANGLED)
        raise NoPinDataError(storage.damage)
    environment = storage.values.get(_CHIP_KEY)
    named = _CHIPS.get(environment.text.casefold()) if environment else None
    return replace(reading, chip=named or reading.chip, damage=storage.damage)


def _read_storage(storage: TuyaStorage, chip: FlashableChip) -> PinReading | None:
    if params := storage.values.get(USER_PARAM_KEY):
        if not params.trusted:
            raise UntrustedPinDataError("the checksum of the pin description is wrong")
        return profile_from_user_params(
            parse_user_params(params.data), PinSource.STORAGE, chip
        )
    if any(key in storage.values for key in _SERIAL_KEYS):
        raise TuyaMcuError("the store has settings of a serial line instead of pins")
    return None


def _read_application(
    dump: bytes, storage: TuyaStorage, chip: FlashableChip
) -> PinReading | None:
    region = chip.flash.application
    start = storage.to_file_offset(region.start)
    if start is None:
        return None
    code = apply_cipher(strip_checksums(dump[start : start + region.size]))
    if _SERIAL_PROJECT in code:
        raise TuyaMcuError("the firmware is the one for a second chip")
    for text in _texts_in_code(code):
        try:
            params = parse_user_params(text)
        except UserParamsError:
            continue
        reading = profile_from_user_params(params, PinSource.APPLICATION, chip)
        if reading.profile.pins:
            return reading
    return None


def _texts_in_code(code: bytes) -> Iterator[bytes]:
    """Yield each text between two NULs that looks like parameters, once."""
    end = 0
    for match in _PARAMS_IN_CODE.finditer(code):
        if match.start() < end:
            continue
        start = code.rfind(b"\0", 0, match.start()) + 1
        end = code.find(b"\0", match.start())
        if end < 0:
            return
        if end - start <= LONGEST_TEXT:
            yield code[start:end]
