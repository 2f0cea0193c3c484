"""The record of an unfinished job: what it keeps and what it survives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import stat

import pytest

from custom_components.openbk.pyopenbk.backups import (
    BackupFolder,
    FolderNotWritableError,
)
from custom_components.openbk.pyopenbk.backups.errors import (
    BackupError,
    UnreadableRecordError,
)
from custom_components.openbk.pyopenbk.flashing import JobRecord, JobRecords, Phase
from tests.support.flash_map import FLASH_JOB, FLASH_SIZE

MAC = "38:1f:8d:12:34:56"
RECORD = JobRecord(
    mac=MAC,
    started=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
    phase=Phase.WRITE_APPLICATION,
    backup="bk7231n_381f8d123456_20261122T175812Z.bin",
    content="1.18.299",
    content_sha256="ab" * 32,
    regions=FLASH_JOB.borders,
)


def is_unreadable(records: JobRecords) -> bool:
    """Return whether it is known that there is a record, and of what chip, but not what it says."""
    with pytest.raises(UnreadableRecordError):
        records.find(MAC)
    assert records.list() == ()
    return records.unreadable() == (MAC,)


@pytest.fixture
def records(tmp_path: Path) -> JobRecords:
    return JobRecords(BackupFolder(tmp_path / "backups"))


def test_record_is_found_by_the_mac(records: JobRecords) -> None:
    records.save(RECORD)

    assert records.find(MAC) == RECORD
    assert records.find("38:1f:8d:12:34:57") is None


def test_one_record_a_chip(records: JobRecords) -> None:
    later = replace(RECORD, phase=Phase.VERIFY)
    other = replace(
        RECORD,
        mac="38:1f:8d:00:00:01",
        started=RECORD.started + timedelta(hours=1),
    )
    for record in (RECORD, other, later):
        records.save(record)

    assert records.list() == (other, later)


def test_finished_job_leaves_nothing(records: JobRecords, tmp_path: Path) -> None:
    records.save(RECORD)
    records.remove(MAC)
    records.remove(MAC)

    assert records.find(MAC) is None
    assert records.list() == ()
    assert list((tmp_path / "backups").iterdir()) == []


def test_only_the_owner_may_read(records: JobRecords, tmp_path: Path) -> None:
    records.save(RECORD)

    (path,) = (tmp_path / "backups").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_records_are_no_backups(tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path)
    JobRecords(folder).save(RECORD)

    assert folder.list() == ()
    assert folder.unfinished() == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "17", "{}", '{"format": 9}', RECORD.as_json()[:-40], "\udce4"],
)
def test_damaged_record_does_not_count_as_none(
    records: JobRecords, tmp_path: Path, text: str
) -> None:
    records.save(RECORD)
    (path,) = (tmp_path / "backups").iterdir()
    path.write_bytes(text.encode(errors="surrogateescape"))

    assert is_unreadable(records)


@pytest.mark.parametrize(
    "change",
    [
        {"started": "0001-01-01T00:00:00+14:00"},
        {"started": "9999-12-31T23:59:59-14:00"},
        {"started": 5},
        {"mac": 5},
        {"mac": "38:1f:8d:12:34:5g"},
        {"regions": [[0, 1e999]]},
        {"regions": [[0, 1 << 70]]},
        {"regions": [[5, 5]]},
        {"regions": 5},
        {"content": "\ud800"},
        {"backup": "x" * 1000},
        {"restores": 7},
        {"phase": []},
    ],
    ids=repr,
)
def test_record_with_an_odd_field_does_not_count_as_none(
    records: JobRecords, tmp_path: Path, change: dict[str, object]
) -> None:
    records.save(RECORD)
    (path,) = (tmp_path / "backups").iterdir()
    text = json.dumps(json.loads(RECORD.as_json()) | change)
    path.write_text(text.replace("Infinity", "1e999"))

    assert is_unreadable(records)


@pytest.mark.parametrize("text", ["[" * 60_000, " " * 70_000, '{"a":' * 12_000])
def test_record_that_breaks_a_reader_does_not_count_as_none_and_is_named(
    records: JobRecords, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    records.save(RECORD)
    (path,) = (tmp_path / "backups").iterdir()
    path.write_text(text)

    assert is_unreadable(records)
    assert path.name in caplog.text


def test_what_is_no_file_does_not_count_as_none(
    records: JobRecords, tmp_path: Path
) -> None:
    """A pipe would wait for ever for somebody who writes into it."""
    records.save(RECORD)
    (path,) = (tmp_path / "backups").iterdir()
    path.unlink()
    os.mkfifo(path)
    path.with_name("zero.job").symlink_to("/dev/zero")

    assert is_unreadable(records)
    records.save(RECORD)
    assert records.find(MAC) == RECORD


def test_record_of_another_chip_under_this_name_does_not_count_as_none(
    records: JobRecords, tmp_path: Path
) -> None:
    records.save(RECORD)
    (path,) = (tmp_path / "backups").iterdir()
    path.write_text(replace(RECORD, mac="38:1f:8d:00:00:01").as_json())

    assert is_unreadable(records)


def test_no_folder_is_no_record(records: JobRecords) -> None:
    assert records.find(MAC) is None
    assert records.list() == ()
    records.remove(MAC)


def test_folder_that_cannot_be_read_is_not_said_to_be_empty(
    records: JobRecords, tmp_path: Path
) -> None:
    """Nobody is kept out of a folder that leads into itself, but nobody can read it either."""
    (tmp_path / "backups").symlink_to(tmp_path / "backups")

    for ask in (records.list, records.unreadable, lambda: records.find(MAC)):
        with pytest.raises(BackupError):
            ask()


def test_folder_on_a_drive_that_is_away_is_not_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "openbk").symlink_to("/nowhere/nas")
    folder = BackupFolder(tmp_path / "openbk" / "backups")
    records = JobRecords(folder)

    for ask in (folder.list, records.list, lambda: records.find(MAC)):
        with pytest.raises(BackupError):
            ask()


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderNotWritableError):
        JobRecords(BackupFolder(tmp_path / "file")).save(RECORD)


def test_untouched_is_all_that_the_job_must_leave() -> None:
    def untouched(record: JobRecord) -> list[tuple[int, int]]:
        parts = record.allowance.outside(FLASH_SIZE)
        return [(part.start, part.end) for part in parts]

    assert untouched(RECORD) == [
        (0x000000, 0x011000),
        (0x12A000, 0x1D1000),
        (0x1D2000, FLASH_SIZE),
    ]
    assert untouched(replace(RECORD, regions=((0, FLASH_SIZE),))) == []
    overlapping = replace(RECORD, regions=((0x1000, 0x3000), (0x2000, 0x200000)))
    assert untouched(overlapping) == [(0x0000, 0x1000)]
