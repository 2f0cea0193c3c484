"""Backups of chips: files that are complete, private and verified."""

from .dumps import Backup, KnownBlocks, UnfinishedBackup
from .errors import (
    BackupDamagedError,
    BackupError,
    BackupExistsError,
    BackupStorageError,
    DiskFullError,
    EmptyDumpError,
    FolderNotWritableError,
)
from .folder import BackupFolder
from .sidecar import Contents, Origin, Sidecar

__all__ = [
    "Backup",
    "BackupDamagedError",
    "BackupError",
    "BackupExistsError",
    "BackupFolder",
    "BackupStorageError",
    "Contents",
    "DiskFullError",
    "EmptyDumpError",
    "FolderNotWritableError",
    "KnownBlocks",
    "Origin",
    "Sidecar",
    "UnfinishedBackup",
]
