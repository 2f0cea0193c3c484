"""The folder of backups: what is kept, who may read it, and what it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import hashlib
import json
import os
from pathlib import Path
import random
import resource
import stat

import pytest

from custom_components.openbk.pyopenbk.backups import (
    BackupDamagedError,
    BackupExistsError,
    BackupFolder,
    BackupStorageError,
    Contents,
    DiskFullError,
    EmptyDumpError,
    FolderNotWritableError,
    Origin,
    Sidecar,
    UnfinishedBackup,
)
from custom_components.openbk.pyopenbk.backups.files import write_private_file
from custom_components.openbk.pyopenbk.beken.flash_map import BLOCK_SIZE
from custom_components.openbk.pyopenbk.checksums import crc32_jamcrc
from tests.support.flash_map import FLASH_SIZE

DATE = datetime(2026, 11, 22, 17, 58, 12, tzinfo=UTC)
ORIGIN = Origin(
    chip_id=0x7231C,
    jedec="eb6015",
    code_key_sha256=hashlib.sha256(b"a key").hexdigest(),
    mac="38:1f:8d:12:34:56",
    flash_size=FLASH_SIZE,
)
BLOCKS = FLASH_SIZE // BLOCK_SIZE
# A field of a sidecar and what somebody may have put there.
ODD_FIELDS = [
    ("flash_size", "1e999"),
    ("flash_size", 0),
    ("flash_size", True),
    ("flash_size", 1 << 60),
    ("date", "0001-01-01T00:00:00+14:00"),
    ("date", "9999-12-31T23:59:59-14:00"),
    ("date", "2026-11-22T17:58:12"),
    ("date", 5),
    ("mac", 5),
    ("mac", {}),
    ("mac", "\ud800"),
    ("sha256", 5),
    ("sha256", ""),
    ("jedec", None),
    ("chip_id", "-7"),
    ("tool", "a\nb"),
    ("tool", "x" * 1000),
    ("contents", {}),
    ("contents", ["factory"]),
    ("block_crcs", 5),
    ("block_crcs", ["00000000"] * 31),
    ("block_crcs", ["0" * 300] * 32),
    ("code_key_sha256", []),
]


@pytest.fixture(scope="module")
def dump() -> bytes:
    """Return what a chip might hold."""
    return random.Random(7).randbytes(FLASH_SIZE)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    """Return a backup folder that is not there yet."""
    return BackupFolder(tmp_path / "openbk" / "backups", tool="openbk 0.1.0")


def block(dump: bytes, index: int) -> bytes:
    """Return one block of 64 KiB."""
    return dump[index * BLOCK_SIZE : (index + 1) * BLOCK_SIZE]


def begin(folder: BackupFolder, dump: bytes, blocks: range) -> UnfinishedBackup:
    """Begin a backup and put some blocks into it."""
    unfinished = folder.begin(ORIGIN, DATE)
    for index in blocks:
        unfinished.put(index, block(dump, index))
    return unfinished


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let writes beyond ``size`` fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Take away the right to write into ``folder``, from root as well."""
    before = mode(folder)
    folder.chmod(0o500)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(before)


def test_finished_backup_is_listed_and_reads_back(
    folder: BackupFolder, dump: bytes
) -> None:
    """What was put in block by block comes back whole, with what is known of it."""
    backup = begin(folder, dump, range(BLOCKS)).finish(Contents.FACTORY)

    assert folder.list() == (backup,)
    assert backup.read() == dump
    assert backup.complete
    assert backup.mac == "38:1f:8d:12:34:56"
    assert backup.date == DATE
    assert backup.path.name == "bk7231n_381f8d123456_20261122T175812Z.bin"
    assert backup.path.read_bytes() == dump

    stored = json.loads(backup.path.with_suffix(".json").read_text())
    assert stored == {
        "format": 1,
        "chip": "BK7231N",
        "chip_id": "0007231c",
        "jedec": "eb6015",
        "code_key_sha256": hashlib.sha256(b"a key").hexdigest(),
        "mac": "38:1f:8d:12:34:56",
        "flash_size": 0x200000,
        "date": "2026-11-22T17:58:12+00:00",
        "tool": "openbk 0.1.0",
        "contents": "factory",
        "sha256": hashlib.sha256(dump).hexdigest(),
        "block_crcs": [
            f"{crc32_jamcrc(block(dump, index)):08x}" for index in range(BLOCKS)
        ],
    }


def test_only_the_owner_may_read(folder: BackupFolder, dump: bytes) -> None:
    """The folder and every file in it are closed to others, while growing and after."""
    folder.path.mkdir(parents=True, mode=0o755)
    umask = os.umask(0)
    try:
        unfinished = begin(folder, dump, range(BLOCKS))
        growing = {path.suffixes[-1]: mode(path) for path in folder.path.iterdir()}
        unfinished.finish(Contents.FACTORY)
    finally:
        os.umask(umask)

    assert growing == {".part": 0o600}
    assert {path.suffix: mode(path) for path in folder.path.iterdir()} == {
        ".bin": 0o600,
        ".json": 0o600,
    }
    assert mode(folder.path) == 0o700


def test_dump_has_its_name_only_when_whole(folder: BackupFolder, dump: bytes) -> None:
    """Until the last block is there nothing carries the final name, nor is it listed."""
    unfinished = begin(folder, dump, range(BLOCKS - 1))

    with pytest.raises(BackupDamagedError):
        unfinished.finish(Contents.FACTORY)

    assert list(folder.path.glob("*.bin")) == []
    assert list(folder.path.glob("*.json")) == []
    assert folder.list() == ()


def test_unfinished_backup_is_gone_on_with(folder: BackupFolder, dump: bytes) -> None:
    """A second job of the same chip finds the blocks of the first."""
    begin(folder, dump, range(5))

    again = BackupFolder(folder.path).begin(ORIGIN, DATE + timedelta(days=1))

    assert again.missing == tuple(range(5, BLOCKS))
    for index in again.missing:
        again.put(index, block(dump, index))
    backup = again.finish(Contents.UNKNOWN)
    assert backup.read() == dump
    assert backup.date == DATE
    assert folder.unfinished() == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(ORIGIN, mac="38:1f:8d:12:34:57"),
        replace(ORIGIN, mac=None),
        replace(ORIGIN, jedec="1c7015"),
        replace(ORIGIN, code_key_sha256=hashlib.sha256(b"other").hexdigest()),
    ],
)
def test_other_chip_gets_its_own_backup(
    folder: BackupFolder, dump: bytes, other: Origin
) -> None:
    """Blocks of one chip never become part of another's backup."""
    begin(folder, dump, range(5))

    unfinished = folder.begin(other, DATE)

    assert unfinished.missing == tuple(range(BLOCKS))
    assert not folder.known_blocks(other).may_have(0)


def test_block_damaged_on_disk_counts_as_missing(
    folder: BackupFolder, dump: bytes
) -> None:
    """What a crash of the host took from the file is read again."""
    unfinished = begin(folder, dump, range(BLOCKS))
    with unfinished.path.open("r+b") as file:
        file.seek(3 * BLOCK_SIZE)
        file.write(bytes(512))

    assert folder.begin(ORIGIN, DATE).missing == (3,)
    with pytest.raises(BackupDamagedError):
        unfinished.finish(Contents.FACTORY)
    unfinished.put(3, block(dump, 3))
    assert unfinished.finish(Contents.FACTORY).read() == dump


def test_known_blocks_come_from_finished_and_unfinished_backups(
    folder: BackupFolder, dump: bytes
) -> None:
    """A block is found by its place and the CRC that the chip gives for it."""
    folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    newer = bytes(BLOCK_SIZE)
    folder.begin(ORIGIN, DATE).put(1, newer)

    known = folder.known_blocks(ORIGIN)

    assert known.find(0, crc32_jamcrc(block(dump, 0))) == block(dump, 0)
    assert known.find(1, crc32_jamcrc(block(dump, 1))) == block(dump, 1)
    assert known.find(1, crc32_jamcrc(newer)) == newer
    assert known.find(2, crc32_jamcrc(block(dump, 0))) is None


def test_known_block_that_was_damaged_is_not_used(
    folder: BackupFolder, dump: bytes
) -> None:
    """The CRC of the sidecar is not trusted without the bytes."""
    backup = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    with backup.path.open("r+b") as file:
        file.write(bytes(16))

    known = folder.known_blocks(ORIGIN)

    assert known.find(0, crc32_jamcrc(block(dump, 0))) is None
    assert known.find(1, crc32_jamcrc(block(dump, 1))) == block(dump, 1)


def test_changed_backup_is_not_handed_out(folder: BackupFolder, dump: bytes) -> None:
    """A file that is not what was verified is an error, never silently read."""
    backup = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    with backup.path.open("r+b") as file:
        file.write(b"x")

    with pytest.raises(BackupDamagedError):
        backup.read()
    backup.path.unlink()
    with pytest.raises(BackupDamagedError):
        backup.read()


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_dump_of_one_byte_is_refused(folder: BackupFolder, byte: int) -> None:
    """Zeros and FFs are what an unreachable flash reads as."""
    with pytest.raises(EmptyDumpError):
        folder.save(bytes([byte]) * FLASH_SIZE, ORIGIN, Contents.UNKNOWN, DATE)

    assert list(folder.path.iterdir()) == []


def test_nothing_is_overwritten(folder: BackupFolder, dump: bytes) -> None:
    """Two backups of one second get two names; a name taken meanwhile is an error."""
    first = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    second = folder.save(dump[::-1], ORIGIN, Contents.OPENBEKEN, DATE)
    assert first.path != second.path
    assert first.read() == dump

    third = begin(folder, dump, range(BLOCKS))
    taken = third.path.with_suffix("")
    taken.write_bytes(b"somebody's")
    with pytest.raises(BackupExistsError):
        third.finish(Contents.FACTORY)
    assert taken.read_bytes() == b"somebody's"


def test_listing_passes_over_foreign_and_damaged_files(
    folder: BackupFolder, dump: bytes
) -> None:
    """Whatever else lies in the folder neither shows up nor hides the backups."""
    older = folder.save(dump, ORIGIN, Contents.FACTORY, DATE - timedelta(days=3))
    newer = folder.save(dump, replace(ORIGIN, mac=None), Contents.OPENBEKEN, DATE)
    sidecar = newer.path.with_suffix(".json").read_text()
    (folder.path / "notes.txt").write_text("Kitchen")
    (folder.path / "dump.bin").write_bytes(dump)
    (folder.path / "folder.json").mkdir()
    (folder.path / "without_dump.json").write_text(sidecar)
    (folder.path / "list.json").write_text("[]")
    (folder.path / "number.json").write_text("17")
    (folder.path / "latin.json").write_bytes(b"\xe4\xf6")
    (folder.path / "empty.json").write_text("")
    for name, text in {
        "future": sidecar.replace('"format": 1', '"format": 9'),
        "crc": sidecar.replace("block_crcs", "block_sums"),
        "date": sidecar.replace("2026-11-22T", "yesterday "),
        "contents": sidecar.replace("openbeken", "toaster"),
        "short": sidecar,
    }.items():
        (folder.path / f"{name}.json").write_text(text)
        (folder.path / f"{name}.bin").write_bytes(dump if name != "short" else b"x")
    (folder.path / "half.json.part").write_text(sidecar)

    assert folder.list() == (newer, older)
    assert folder.find("38:1F:8D:12:34:56") == (older,)
    assert folder.unfinished() == ()


@pytest.mark.parametrize("change", ODD_FIELDS, ids=repr)
def test_a_sidecar_with_an_odd_field_hides_only_its_own_dump(
    folder: BackupFolder, dump: bytes, change: tuple[str, object]
) -> None:
    """Whoever wrote it: types, lengths and dates are looked at before anything is believed."""
    good = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    stored = json.loads(good.path.with_suffix(".json").read_text())
    name, value = change
    (folder.path / "odd.bin").write_bytes(dump)
    text = json.dumps(stored | {name: value}).replace('"1e999"', "1e999")
    for suffix in (".json", ".json.part"):
        (folder.path / f"odd{suffix}").write_text(text)
    (folder.path / "odd.bin.part").write_bytes(dump)

    assert folder.list() == (good,)
    assert folder.unfinished() == ()


@pytest.mark.parametrize(
    "text",
    [b"[" * 60_000, b'{"a":' * 12_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff"],
    ids=["deep list", "deep object", "long number", "no text"],
)
def test_a_sidecar_of_any_text_is_passed_over_and_named(
    folder: BackupFolder, dump: bytes, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """JSON has more ways to break a reader than to be wrong."""
    good = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    (folder.path / "odd.json").write_bytes(text)

    assert folder.list() == (good,)
    assert "odd.json" in caplog.text


def test_whatever_lies_in_the_folder_neither_blocks_nor_fills_the_memory(
    folder: BackupFolder, dump: bytes
) -> None:
    """A pipe has nobody at its other end, a device never ends, a name need not be text."""
    good = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    sidecar = good.path.with_suffix(".json").read_bytes()
    os.mkfifo(folder.path / "pipe.json")
    (folder.path / "zero.json").symlink_to("/dev/zero")
    (folder.path / "loop.json").symlink_to("loop.json")
    (folder.path / "large.json").write_bytes(sidecar.ljust(70_000))
    odd_name = folder.path / os.fsdecode(b"caf\xe9.json")
    odd_name.write_bytes(sidecar)
    odd_name.with_suffix(".bin").write_bytes(dump)
    # A dump that was exchanged is found out when it is read.
    (folder.path / "swap.json").write_bytes(sidecar)
    (folder.path / "swap.bin").write_bytes(dump)
    listed = folder.list()
    (folder.path / "swap.bin").unlink()
    os.mkfifo(folder.path / "swap.bin")

    assert {backup.path.name for backup in listed} == {good.path.name, "swap.bin"}
    for backup in listed:
        if backup.path.name == "swap.bin":
            with pytest.raises(BackupDamagedError):
                backup.read()
    assert folder.list() == (good,)


@pytest.mark.parametrize("umask", [0, 0o022, 0o177, 0o777])
def test_folders_and_files_are_private_whatever_the_umask(
    folder: BackupFolder, dump: bytes, umask: int
) -> None:
    """Those above the folder that had to be made, too."""
    before = os.umask(umask)
    try:
        backup = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
        write_private_file(folder.path / "note", b"binary \xff")
    finally:
        os.umask(before)

    assert mode(folder.path) == mode(folder.path.parent) == 0o700
    for path in (backup.path, backup.path.with_suffix(".json"), folder.path / "note"):
        assert mode(path) == 0o600
    # What was there before is somebody else's.
    assert mode(folder.path.parent.parent) != 0o600


def test_a_temporary_file_left_behind_is_replaced(tmp_path: Path) -> None:
    """Even where it is something that a writer would wait for."""
    os.mkfifo(tmp_path / "note.tmp")
    write_private_file(tmp_path / "note", "text")

    assert (tmp_path / "note").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_an_upload_that_does_not_fit_leaves_nothing(
    folder: BackupFolder, dump: bytes
) -> None:
    """Nobody goes on with half of it."""
    folder.prepare()
    with files_no_larger_than(8 * BLOCK_SIZE), pytest.raises(DiskFullError):
        folder.save(dump, ORIGIN, Contents.FACTORY, DATE)

    assert list(folder.path.iterdir()) == []


def test_folder_that_is_not_there_is_empty(folder: BackupFolder) -> None:
    """Looking does not make the folder."""
    assert folder.list() == ()
    assert folder.unfinished() == ()
    assert not folder.path.exists()


def test_full_disk_at_the_start(folder: BackupFolder) -> None:
    """No room for a dump is said before anything is read from the chip."""
    with files_no_larger_than(FLASH_SIZE // 2), pytest.raises(DiskFullError):
        folder.begin(ORIGIN, DATE)

    assert folder.list() == folder.unfinished() == ()


def test_full_disk_on_the_way_keeps_what_was_read(
    folder: BackupFolder, dump: bytes
) -> None:
    """The blocks before the disk filled up are still good when there is room again."""
    unfinished = begin(folder, dump, range(5))
    with files_no_larger_than(8 * BLOCK_SIZE), pytest.raises(DiskFullError):
        unfinished.put(9, block(dump, 9))

    again = folder.begin(ORIGIN, DATE)

    assert set(range(5)).isdisjoint(again.missing)
    assert 9 in again.missing


def test_read_only_folder(folder: BackupFolder, dump: bytes) -> None:
    """A folder that cannot be written is an error of its own."""
    backup = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)
    with as_nobody(folder.path):
        with pytest.raises(FolderNotWritableError):
            folder.begin(ORIGIN, DATE)
        with pytest.raises(FolderNotWritableError):
            write_private_file(folder.path / "note.json", "{}")

    assert folder.list() == (backup,)


def test_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    """A file where the folder should be, or above it, is said."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "backups"):
        folder = BackupFolder(path)
        assert folder.list() == ()
        with pytest.raises(FolderNotWritableError):
            folder.begin(ORIGIN, DATE)


def test_folder_that_vanishes(folder: BackupFolder, dump: bytes) -> None:
    """A disk that is pulled out is an error of the storage, not a crash."""
    unfinished = folder.begin(ORIGIN, DATE)
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()

    with pytest.raises(BackupStorageError):
        unfinished.put(0, block(dump, 0))


def test_secrets_stay_out_of_texts(folder: BackupFolder) -> None:
    """Neither a backup nor its errors show what is in the dump."""
    secret = b"correct horse battery staple"
    dump = (secret * (FLASH_SIZE // len(secret) + 1))[:FLASH_SIZE]
    unfinished = begin(folder, dump, range(3))
    with pytest.raises(BackupDamagedError) as error:
        unfinished.finish(Contents.FACTORY)
    backup = folder.save(dump, ORIGIN, Contents.FACTORY, DATE)

    texts = repr(error.value) + repr(backup) + repr(unfinished) + str(error.value)
    assert "horse" not in texts
    assert "horse" not in backup.path.with_suffix(".json").read_text()


def test_sidecar_survives_its_own_text() -> None:
    """What is written is what is read."""
    sidecar = Sidecar(
        origin=ORIGIN,
        date=DATE,
        tool="openbk 0.1.0",
        block_crcs=(*range(BLOCKS - 1), None),
    )

    assert Sidecar.from_json(sidecar.as_json()) == sidecar
