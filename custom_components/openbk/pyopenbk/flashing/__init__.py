"""Flashing jobs: where the boot ROM, the backups and the formats meet."""

from ..backups import Contents
from ..executor import RunBlocking
from .analysis import Analysis
from .errors import (
    BackupTrouble,
    BackupUnfitError,
    BootloaderTrouble,
    BootloaderUnfitError,
    ChipChangedError,
    ChipState,
    FlashingError,
    FlashSizeError,
    ForeignBackupError,
    ForeignKeyError,
    ImageUnfitError,
    JobOrderError,
    ProtectedRegionChangedError,
    RfSectorMisplacedError,
    RfSectorMissingError,
    RfSectorPresentError,
)
from .job import Comparison, FlashingJob
from .progress import Progress
from .records import JobRecord, JobRecords, Phase
from .writing import WriteReport

__all__ = [
    "Analysis",
    "BackupTrouble",
    "BackupUnfitError",
    "BootloaderTrouble",
    "BootloaderUnfitError",
    "ChipChangedError",
    "ChipState",
    "Comparison",
    "Contents",
    "FlashSizeError",
    "FlashingError",
    "FlashingJob",
    "ForeignBackupError",
    "ForeignKeyError",
    "ImageUnfitError",
    "JobOrderError",
    "JobRecord",
    "JobRecords",
    "Phase",
    "Progress",
    "ProtectedRegionChangedError",
    "RfSectorMisplacedError",
    "RfSectorMissingError",
    "RfSectorPresentError",
    "RunBlocking",
    "WriteReport",
]
