"""Tuya's store: what a sound one holds, and how much of a damaged one can be saved."""

from collections.abc import Sequence
from random import Random
from time import perf_counter

from bk7231tools.analysis.kvstorage import DataBlock, KeyBlock, KVStorage, make_data_aes
from Crypto.Cipher import AES
import pytest

from custom_components.openbk.pyopenbk.file_kinds import FileKind
from custom_components.openbk.pyopenbk.tuya.dump import (
    CutDumpError,
    FirmwareInsteadError,
    NotADumpError,
    OpenBekenInsteadError,
    OtherFlashSizeError,
    SmallDumpError,
    StorageDamagedError,
    StorageErasedError,
)
from custom_components.openbk.pyopenbk.tuya.storage import (
    KeySource,
    ProblemKind,
    StorageProblem,
    TuyaStorage,
    parse_storage,
)
from tests.pyopenbk.obk import packer
from tests.reference import fragmented_dump

from . import store_writer as write
from .store_writer import BLOW, Entry

WSM = b'{"ssid":"Neighbours","passwd":"TG9uZyBzZWNyZXQ="}'

# Two parts with another value's pages in the hole, a value that lies before its index, one that
# has no value, and one in a block that bk7231tools' window of 32 KiB does not reach.
ENTRIES = [
    Entry("user_param_key", BLOW, (1, 5), [(1, 6, 6), (1, 8, 10)]),
    Entry("is_stride", b"0\0", (1, 7), [(0, 31, 31)]),
    Entry("gw_wsm", WSM, (3, 20), [(3, 2, 2)]),
    Entry("empty", b"", (0, 1)),
    Entry("timer_arr", bytes(range(256)) * 3, (9, 1), [(10, 30, 31), (9, 2, 5)]),
]
NEAR_ENTRIES = ENTRIES[:-1]


def values(storage: TuyaStorage) -> dict[str, bytes]:
    """Return the plain values by name."""
    return {name: value.data for name, value in storage.values.items()}


def problems(storage: TuyaStorage) -> set[tuple[ProblemKind, int | str | None]]:
    """Return the problems with what they are about."""
    return {
        (problem.kind, problem.name if problem.block is None else problem.block)
        for problem in storage.problems
    }


def test_a_sound_store_is_read_whole() -> None:
    """Every value comes out exactly, wherever its parts lie."""
    storage = parse_storage(write.dump(write.store(ENTRIES)))
    assert values(storage) == {entry.name: entry.value for entry in ENTRIES}
    assert all(value.trusted for value in storage.values.values())
    assert storage.problems == ()
    assert storage.origin.key_sector == 0x1EE000
    assert storage.origin.key_source is KeySource.KEY_SECTOR
    assert storage.origin.valid_sectors == 17
    assert not storage.origin.rotated


def test_bk7231tools_reads_what_we_read() -> None:
    """An independent reader finds the same values in the dump that our tests write."""
    dump = write.dump(write.store(NEAR_ENTRIES))
    theirs = KVStorage.decrypt_and_unpack(dump, find=True).read_all_values()
    assert theirs == values(parse_storage(dump))


def test_we_read_what_bk7231tools_writes() -> None:
    """An independent writer's store is understood."""

    def index(
        page: int, name: str, value: bytes, parts: Sequence[tuple[int, int, int]]
    ) -> DataBlock.IndexPage:
        return DataBlock.IndexPage(
            crc=sum(value),
            length=len(value),
            block_id=0,
            page_id=page,
            parts_size=len(parts),
            element=1,
            name=name,
            parts_data=[DataBlock.IndexPage.Part(*part) for part in parts],
            page_padding=b"\xff" * (110 - len(name) - 1 - 4 * len(parts)),
        )

    def data(piece: bytes) -> DataBlock.DataPage:
        return DataBlock.DataPage(data=piece.ljust(128, b"\xff"))

    pages = [
        index(1, "user_param_key", BLOW, [(0, 3, 4), (0, 6, 7)]),
        index(2, "baud_cfg", b'{"baud":9600}', [(0, 5, 5)]),
        data(BLOW[:128]),
        data(BLOW[128:256]),
        data(b'{"baud":9600}'),
        data(BLOW[256:384]),
        data(BLOW[384:]),
        *[data(b"")] * 24,
    ]
    block = DataBlock(
        block_id=0,
        unknown=3,
        map_size=4,
        map_data=[0b110, 0, 0, 0],
        page_padding=b"\xff" * 109,
        pages=pages,
    )
    key = KeyBlock(key=write.INNER_KEY, block_padding=b"\xff" * 4072)
    master = AES.new(write.MASTER_KEY, AES.MODE_ECB)
    content = key.pack(aes=master) + block.pack(aes=make_data_aes(write.INNER_KEY))

    storage = parse_storage(write.dump(content))
    assert values(storage) == {"user_param_key": BLOW, "baud_cfg": b'{"baud":9600}'}
    assert all(value.trusted for value in storage.values.values())


def test_a_fragmented_dump_agrees_with_bk7231tools() -> None:
    """The reference dump, in which every older copy is empty."""
    dump = fragmented_dump()
    storage = parse_storage(dump)
    theirs = KVStorage.decrypt_and_unpack(dump, find=True).read_all_values()
    assert values(storage) == theirs
    assert storage.values["em_sys_env"].text == "bk7231n"


def test_a_whole_dump_takes_milliseconds() -> None:
    """The search decrypts 16 bytes of each sector at once."""
    dump = write.dump(write.store(ENTRIES))
    parse_storage(dump)
    times = []
    for _ in range(5):
        start = perf_counter()
        parse_storage(dump)
        times.append(perf_counter() - start)
    assert min(times) < 0.1


@pytest.mark.parametrize("magic", [0x98761234, 0x135726AB, 0x13579753])
def test_all_generations_of_the_store_are_known(magic: int) -> None:
    """TuyaOS 3 changed the magic of its sectors."""
    storage = parse_storage(write.dump(write.store(ENTRIES, magic=magic)))
    assert values(storage)["user_param_key"] == BLOW


@pytest.mark.parametrize("start", [0x1EE000, 0x1DD000, 0x1F5000, 0x123000, 0x1EE123])
def test_the_store_is_found_wherever_it_starts(start: int) -> None:
    """The usual places, any other sector, and a file that is cut at an odd place."""
    content = write.store(ENTRIES)[: write.FLASH_SIZE - start]
    storage = parse_storage(write.dump(content, start))
    assert values(storage)["user_param_key"] == BLOW
    assert storage.origin.key_sector == start


def test_a_file_of_the_store_alone_is_enough() -> None:
    """72 KiB, as some tools save it; flash addresses have no place in it."""
    content = write.store(ENTRIES)
    assert len(content) == 0x12000
    storage = parse_storage(content)
    assert values(storage)["user_param_key"] == BLOW
    assert storage.origin.key_sector == 0
    assert storage.to_file_offset(0x11000) is None


def test_a_rotated_dump_is_recognised() -> None:
    """The reader started behind the bootloader and wrapped around."""
    whole = write.dump(write.store(ENTRIES))
    rotated = whole[0x11000:] + whole[:0x11000]
    storage = parse_storage(rotated)
    assert values(storage)["user_param_key"] == BLOW
    assert storage.origin.rotated
    offset = storage.to_file_offset(0x1D0000)
    assert offset is not None
    assert rotated.startswith(b"TLV\0", offset)
    assert storage.to_file_offset(0) == 0x200000 - 0x11000


def test_a_dump_that_wrapped_around_longer_still_has_its_store() -> None:
    """3 MB files come from reading more than there is."""
    whole = write.dump(write.store(ENTRIES))
    storage = parse_storage(whole + whole[:0x100000])
    assert values(storage)["user_param_key"] == BLOW


def test_the_newest_generation_counts() -> None:
    """Older copies with other values lie behind the main sectors and are not used."""
    older = [
        write.data_sector(
            1, [Entry("user_param_key", b"{rl1_pin:%d,}" % pin, (1, 1))], generation=pin
        )
        for pin in (4, 3, 2)
    ]
    storage = parse_storage(write.dump(write.store(ENTRIES, older)))
    assert values(storage)["user_param_key"] == BLOW
    assert storage.problems == ()


def test_a_newer_copy_elsewhere_wins() -> None:
    """The spare sector was written, the main one not yet erased."""
    newer = [
        write.data_sector(1, [Entry("user_param_key", b"new", (1, 1))], generation=6)
    ]
    storage = parse_storage(write.dump(write.store(ENTRIES, newer)))
    assert values(storage)["user_param_key"] == b"new"


def test_the_main_sector_wins_over_an_equal_copy() -> None:
    """Two blocks with one number and one generation: the first one."""
    same = [write.data_sector(1, [Entry("user_param_key", b"copy", (1, 1))])]
    storage = parse_storage(write.dump(write.store(ENTRIES, same)))
    assert values(storage)["user_param_key"] == BLOW


def test_a_torn_write_is_saved_by_the_older_copy() -> None:
    """One flipped bit in a main sector; bk7231tools yields nothing here."""
    older = [write.data_sector(1, ENTRIES, generation=4)]
    content = write.flip(write.store(ENTRIES, older), 2 * write.SECTOR + 700)
    storage = parse_storage(write.dump(content))
    assert values(storage) == {entry.name: entry.value for entry in ENTRIES}
    assert problems(storage) == {(ProblemKind.OLDER_COPY_USED, 1)}


def test_an_older_copy_that_does_not_fit_is_not_trusted() -> None:
    """The value had moved since: its own checksum shows that other bytes lie there now."""
    moved = [Entry("user_param_key", BLOW, (1, 5), [(2, 1, 4)]), *ENTRIES[1:]]
    older = [write.data_sector(2, [], generation=4)]
    content = write.flip(write.store(moved, older), 3 * write.SECTOR + 700)
    storage = parse_storage(write.dump(content))
    assert not storage.values["user_param_key"].trusted
    assert problems(storage) == {
        (ProblemKind.OLDER_COPY_USED, 2),
        (ProblemKind.UNTRUSTED_VALUE, "user_param_key"),
    }


def test_a_damaged_sector_without_copy_costs_its_values_only() -> None:
    """What lies in other blocks is found, what is missing is said."""
    content = write.flip(write.store(ENTRIES), 10 * write.SECTOR + 99)
    storage = parse_storage(write.dump(content))
    assert "timer_arr" not in storage.values
    assert values(storage)["user_param_key"] == BLOW
    assert problems(storage) == {(ProblemKind.DAMAGED_SECTOR, 9)}


def test_a_value_with_a_lost_part_is_not_made_up() -> None:
    """Its index says that a part lies in a block that cannot be read."""
    content = write.flip(write.store(ENTRIES), 11 * write.SECTOR + 99)
    storage = parse_storage(write.dump(content))
    assert "timer_arr" not in storage.values
    assert problems(storage) == {
        (ProblemKind.DAMAGED_SECTOR, 10),
        (ProblemKind.INCOMPLETE_VALUE, "timer_arr"),
    }


def test_blank_sectors_are_passed_over() -> None:
    """An erased block in the middle does not end the store."""
    content = bytearray(write.store(ENTRIES))
    content[5 * write.SECTOR : 6 * write.SECTOR] = b"\xff" * write.SECTOR
    storage = parse_storage(write.dump(bytes(content)))
    assert set(storage.values) == {entry.name for entry in ENTRIES}
    assert problems(storage) == {(ProblemKind.DAMAGED_SECTOR, 4)}


def test_the_protected_sector_saves_a_damaged_key() -> None:
    """It holds the same inner key."""
    damaged_key = write.flip(write.store(ENTRIES), 10)
    content = write.protected_sector({"gw_bi": b"{}"}) + damaged_key
    storage = parse_storage(write.dump(content, 0x1ED000))
    assert values(storage)["user_param_key"] == BLOW
    assert storage.origin.key_source is KeySource.PROTECTED_SECTOR
    assert storage.origin.key_sector == 0x1EE000


def test_a_key_that_neither_sector_has_makes_the_store_unreadable() -> None:
    """Nothing is decrypted with half a key."""
    damaged = write.flip(write.store(ENTRIES), 20)
    for content, start in (
        (damaged, 0x1EE000),
        (write.flip(write.protected_sector({}), 300) + damaged, 0x1ED000),
    ):
        with pytest.raises(StorageDamagedError):
            parse_storage(write.dump(content, start))


def test_the_protected_sector_is_not_taken_for_the_key_sector() -> None:
    """Both start with one magic."""
    content = write.protected_sector({"gw_bi": b"{}"}) + write.store(ENTRIES)
    storage = parse_storage(write.dump(content, 0x1ED000))
    assert storage.origin.key_source is KeySource.KEY_SECTOR
    assert storage.origin.key_sector == 0x1EE000
    assert storage.problems == ()


def test_of_two_key_sectors_the_one_with_more_data_counts() -> None:
    """A stray copy of the key sector has nothing behind it."""
    flash = bytearray(write.dump(write.store(ENTRIES)))
    flash[0x1DD000:0x1DE000] = write.key_sector()
    storage = parse_storage(bytes(flash))
    assert storage.origin.key_sector == 0x1EE000
    assert values(storage)["user_param_key"] == BLOW


def test_a_wrong_value_checksum_is_kept_but_not_trusted() -> None:
    """The sector is sound, the value is not what was stored."""
    entry = Entry("user_param_key", BLOW, (1, 5), checksum=sum(BLOW) + 1)
    storage = parse_storage(write.dump(write.store([entry])))
    assert values(storage)["user_param_key"] == BLOW
    assert not storage.values["user_param_key"].trusted
    assert problems(storage) == {(ProblemKind.UNTRUSTED_VALUE, "user_param_key")}


@pytest.mark.parametrize(
    "bad",
    [
        Entry("bad", b"x" * 200, (2, 5), [(2, 30, 32)]),
        Entry("bad", b"x" * 200, (2, 5), [(2, 9, 8)]),
        Entry("bad", b"x" * 200, (2, 5), [(2, 0, 2)]),
        Entry("bad", b"x", (2, 5), name_length=0),
        Entry("bad", b"x", (2, 5), name_length=1),
        Entry("bad", b"x", (2, 5), name_length=127),
        Entry("bad", b"x", (2, 5), name_length=20),
        Entry("bäd", b"x", (2, 5)),
        Entry("bad", b"x", (2, 5), part_count=90),
        Entry("bad", b"x", (2, 5), own_page=6),
        Entry("bad", b"x", (2, 5), own_block=3),
        Entry("bad", b"x" * 100, (2, 5), length=5000),
        Entry("bad", b"x" * 300, (2, 5), [(1, 5, 7)]),
    ],
)
def test_an_entry_that_makes_no_sense_is_left_out_alone(bad: Entry) -> None:
    """Every other value is found as before."""
    content = write.store([Entry("good", BLOW, (2, 10)), bad, *ENTRIES])
    storage = parse_storage(write.dump(content))
    assert "bad" not in storage.values
    assert values(storage)["good"] == BLOW
    assert values(storage)["user_param_key"] == BLOW
    kinds = {problem.kind for problem in storage.problems}
    assert kinds == {ProblemKind.DAMAGED_INDEX}


def test_a_part_in_a_block_that_does_not_exist_makes_a_value_incomplete() -> None:
    """Block 200 of 14."""
    bad = Entry("bad", b"x" * 200, (2, 5), [(2, 6, 6), (200, 1, 1)])
    storage = parse_storage(write.dump(write.store([bad])))
    assert storage.problems == (
        StorageProblem(kind=ProblemKind.INCOMPLETE_VALUE, name="bad"),
    )


def test_of_two_values_with_one_name_the_sound_one_counts() -> None:
    """Then the one from the newer block."""
    damaged = Entry("twice", b"damaged", (1, 1), checksum=1)
    sound = Entry("twice", b"sound", (2, 1))
    for entries in ([damaged, sound], [sound, damaged]):
        storage = parse_storage(write.dump(write.store(entries)))
        assert values(storage) == {"twice": b"sound"}

    content = write.key_sector()
    content += write.data_sector(0, [Entry("twice", b"old", (0, 1))], generation=4)
    content += write.data_sector(1, [Entry("twice", b"new", (1, 1))], generation=7)
    content += write.data_sector(2, [Entry("twice", b"older", (2, 1))], generation=1)
    assert values(parse_storage(write.dump(content))) == {"twice": b"new"}


def test_unreferenced_pages_are_nobodys_value() -> None:
    """Stale index pages stay in the flash; only the map of the sector counts."""
    block = bytearray(write.plain_block(1, [Entry("user_param_key", BLOW, (1, 1))]))
    block[20 * 128 : 21 * 128] = Entry("stale", b"old", (1, 20)).index_page()
    block[4:8] = (sum(block[8:]) & 0xFFFFFFFF).to_bytes(4, "little")
    content = bytearray(write.store([]))
    content[2 * write.SECTOR : 3 * write.SECTOR] = write.encrypt(
        write.data_key(), bytes(block)
    )
    assert set(parse_storage(write.dump(bytes(content))).values) == {"user_param_key"}


def test_a_cut_dump_gives_what_it_has() -> None:
    """The file ends in the eighth block."""
    dump = write.dump(write.store(ENTRIES))[:0x1F6000]
    storage = parse_storage(dump)
    assert values(storage)["user_param_key"] == BLOW
    assert "timer_arr" not in storage.values
    assert (ProblemKind.CUT_STORE, None) in problems(storage)


def test_a_cut_in_the_middle_of_a_sector_is_no_trouble() -> None:
    """Neither at the data nor at the key sector."""
    dump = write.dump(write.store(ENTRIES))
    assert values(parse_storage(dump[:0x1F2345]))["user_param_key"] == BLOW
    odd = write.dump(write.store(ENTRIES), 0x1EE123)
    with pytest.raises(CutDumpError):
        parse_storage(odd[:0x1EE800])


def test_texts_lose_the_nuls_around_them() -> None:
    """Some values keep one, one is a fixed field."""
    entries = [Entry("em_sys_env", b"bk7231n".ljust(20, b"\0"), (1, 1))]
    storage = parse_storage(write.dump(write.store(entries)))
    assert storage.values["em_sys_env"].text == "bk7231n"


def test_nothing_of_a_store_shows_in_texts() -> None:
    """Passwords and keys stay out of logs, whatever is printed."""
    storage = parse_storage(write.dump(write.store(ENTRIES)))
    shown = f"{storage!r} {storage} {storage.values['gw_wsm']!r} {storage.origin}"
    for secret in ("Neighbours", "TG9uZyBzZWNyZXQ", "fedcba", "sel_pin"):
        assert secret not in shown


QIO = packer.qio(packer.tuya_code())


@pytest.mark.parametrize(
    ("dump", "error"),
    [
        (b"", SmallDumpError),
        (b"\xff" * 0x1FFF, SmallDumpError),
        (b"\xff" * 0x2000, StorageErasedError),
        (b"\xff" * 0x200000, StorageErasedError),
        (b"CFG" + bytes(0x2000), OpenBekenInsteadError),
        (QIO, FirmwareInsteadError),
        (packer.application(packer.openbeken_code()), FirmwareInsteadError),
        (packer.full_dump(packer.tuya_code())[:0x1D8000], CutDumpError),
        (packer.full_dump(packer.tuya_code()), StorageErasedError),
        (packer.full_dump(packer.tuya_code()) * 2, OtherFlashSizeError),
        (Random(1).randbytes(0x400000), OtherFlashSizeError),
        (Random(2).randbytes(0x200000), NotADumpError),
        (Random(3).randbytes(0x12000), NotADumpError),
        (write.dump(Random(4).randbytes(0x12000)), StorageDamagedError),
    ],
    ids=[
        "empty",
        "small",
        "blank sectors",
        "blank flash",
        "configuration",
        "firmware image",
        "application",
        "cut",
        "blank store",
        "4 MiB",
        "4 MiB of noise",
        "noise",
        "noise as large as a store",
        "damaged store",
    ],
)
def test_files_without_a_store_are_told_apart(
    dump: bytes, error: type[Exception]
) -> None:
    """Each has its own error, so that a dialog can say what the file is."""
    with pytest.raises(error) as refused:
        parse_storage(dump)
    assert type(refused.value) is error


def test_a_socket_that_runs_openbeken_is_told() -> None:
    """Its configuration is there, Tuya's store is gone."""
    dump = bytearray(packer.full_dump(packer.openbeken_code()))
    dump[0x1D1000:0x1D1003] = b"CFG"
    with pytest.raises(OpenBekenInsteadError):
        parse_storage(bytes(dump))


@pytest.mark.parametrize(
    ("dump", "kind"),
    [
        (b"<!DOCTYPE html>".ljust(0x3000), FileKind.WEB_PAGE),
        (b"PK\x03\x04".ljust(0x3000, b"\1"), FileKind.ARCHIVE),
        (packer.over_the_air(packer.openbeken_code()), FileKind.OVER_THE_AIR),
        (b"\xe9\x03\x02\x20".ljust(0x3000, b"\x91"), FileKind.ESP_IMAGE),
    ],
)
def test_other_files_are_named(dump: bytes, kind: FileKind) -> None:
    """People pick the wrong file."""
    with pytest.raises(NotADumpError) as refused:
        parse_storage(dump)
    assert refused.value.kind is kind


def test_noise_never_ends_in_anything_else_than_our_errors() -> None:
    """Flips all over a real store: values may be lost, nothing else happens."""
    random = Random(5)
    content = bytearray(write.store(ENTRIES))
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(random.randrange(1, 40)):
            damaged[random.randrange(write.SECTOR, len(damaged))] ^= (
                1 << random.randrange(8)
            )
        storage = parse_storage(bytes(damaged))
        for entry in ENTRIES:
            value = storage.values.get(entry.name)
            assert value is None or not value.trusted or value.data == entry.value
