"""Say what a file is that was taken for a factory dump and holds no Tuya storage."""

from typing import Final

from ..beken.chips import FlashableChip
from ..beken.code_flash import check_records
from ..errors import OpenBekenError
from ..file_kinds import FileKind, name_file

# Where the firmware of chips with a larger application ends, such as BK7231U.
_LONGEST_FIRMWARE: Final = 0x132000
# A few bytes may be anything.
_TELLING: Final = 64


class TuyaStorageError(OpenBekenError):
    """The file gives no Tuya storage; the subclass says why."""


class SmallDumpError(TuyaStorageError):
    """The file is smaller than the two sectors that a store has at least."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes."""
        super().__init__(f"{size} bytes are no dump")
        self.size = size


class StorageErasedError(TuyaStorageError):
    """The file, or the part of it where the store belongs, is blank."""


class OpenBekenInsteadError(TuyaStorageError):
    """The file is a configuration of OpenBeken, or a dump of a socket that runs it."""


class FirmwareInsteadError(TuyaStorageError):
    """The file is code alone: a firmware image, or a dump that ends after the application."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes; 1.1 or 1.2 MB are usual."""
        super().__init__(f"firmware of {size} bytes, without the store behind it")
        self.size = size


class CutDumpError(TuyaStorageError):
    """The dump ends before the store, which lies in the last 72 KiB."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes; 2 097 152 would be whole."""
        super().__init__(f"a dump of {size} bytes ends before the store")
        self.size = size


class OtherFlashSizeError(TuyaStorageError):
    """The dump is larger than this chip's flash, and no store is in it."""

    def __init__(self, size: int) -> None:
        """Keep the size in bytes."""
        super().__init__(f"{size} bytes are more than the chip has")
        self.size = size


class NotADumpError(TuyaStorageError):
    """The file is something else; ``kind`` says what it seems to be."""

    def __init__(self, kind: FileKind) -> None:
        """Keep what the file seems to be."""
        super().__init__(f"no dump, but {kind}")
        self.kind = kind


class StorageDamagedError(TuyaStorageError):
    """A whole dump, but neither copy of the key that opens its store can be read."""


def explain_small_file(data: bytes) -> TuyaStorageError:
    """Return the error that describes a file that is too small for a store."""
    kind = name_file(data)
    if len(data) < _TELLING or kind in (FileKind.UNKNOWN, FileKind.BLANK):
        return SmallDumpError(len(data))
    if kind is FileKind.OPENBEKEN_CONFIG:
        return OpenBekenInsteadError("the file is OpenBeken's configuration")
    return NotADumpError(kind)


def explain_missing_storage(dump: bytes, chip: FlashableChip) -> TuyaStorageError:
    """Return the error that describes a file in which no key of a store was found."""
    flash = chip.flash
    records = check_records(dump[: flash.application.end])
    is_code = records.sound > len(records.damaged)
    is_flash = is_code or dump.startswith(b"TLV\0", flash.rf_calibration.start)
    kind = FileKind.FLASH_DUMP if is_flash else name_file(dump)
    if kind not in (FileKind.FLASH_DUMP, FileKind.UNKNOWN):
        return NotADumpError(kind)
    if len(dump) > flash.size:
        return OtherFlashSizeError(len(dump))
    if not is_flash:
        return NotADumpError(kind)
    if len(dump) <= _LONGEST_FIRMWARE:
        return FirmwareInsteadError(len(dump))
    store = dump[flash.tuya_storage.start :]
    if len(dump) < flash.size:
        return CutDumpError(len(dump))
    if store.count(b"\xff") < len(store):
        return StorageDamagedError("no sector opens with the key of Tuya's store")
    if dump.startswith(b"CFG", flash.openbeken_config.start):
        return OpenBekenInsteadError("the socket runs OpenBeken, its store is blank")
    return StorageErasedError("the part of the flash where the store belongs is blank")
