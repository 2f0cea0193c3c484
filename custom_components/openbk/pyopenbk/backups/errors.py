"""Why a backup cannot be kept, found or trusted."""

from ..errors import OpenBekenError


class BackupError(OpenBekenError):
    """A backup cannot be kept, found or trusted."""


class DiskFullError(BackupError):
    """There is no room left for the backup."""


class FolderNotWritableError(BackupError):
    """The backup folder cannot be made or written."""


class BackupStorageError(BackupError):
    """The storage of the backup folder failed."""


class BackupDamagedError(BackupError):
    """A backup is gone or its bytes are no longer those that were verified."""


class BackupExistsError(BackupError):
    """A backup of this name is there already; none is ever overwritten."""


class UnreadableRecordError(BackupError):
    """What was written down of a job cannot be read: nobody knows how far it got."""


class EmptyDumpError(BackupError):
    """Every byte of a dump is 0x00, as of a flash out of reach, or 0xFF, as of an erased one."""

    def __init__(self, byte: int) -> None:
        """Keep the byte."""
        super().__init__(f"a flash of nothing but 0x{byte:02X} is not worth keeping")
        self.byte = byte
