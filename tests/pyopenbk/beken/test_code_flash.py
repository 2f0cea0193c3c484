"""The records and the cipher of the code flash, judged by bk7231tools."""

from random import Random

from bk7231tools.analysis.crc16 import crc16
from bk7231tools.crypto.code import BekenCodeCipher
import pytest

from custom_components.openbk.pyopenbk.beken.code_flash import (
    RECORD_SIZE,
    STANDARD_KEY,
    apply_cipher,
    check_records,
    strip_checksums,
)

DATA = Random(7231).randbytes(32 * 300)


def with_checksums(data: bytes) -> bytes:
    """Put bk7231tools' CRC behind every 32 bytes."""
    records = (data[start : start + 32] for start in range(0, len(data), 32))
    return b"".join(
        record + crc16(record, initial_value=0xFFFF).to_bytes(2) for record in records
    )


FLASH = with_checksums(DATA)


@pytest.mark.parametrize(
    "address", [0, 4, 0x10000, 0x1FF00, 0x1FFFC, 0x7FFFFC, 0xFFFF_0000]
)
def test_cipher_agrees_with_bk7231tools(address: int) -> None:
    """Blocks, the borders between them and high addresses have the right key words."""
    expected = bytes(BekenCodeCipher(STANDARD_KEY).encrypt(DATA, address))
    assert apply_cipher(DATA, address) == expected


@pytest.mark.parametrize("last", [0x12345670, 0x00345670, 0xFF345670])
def test_cipher_of_any_key_agrees_with_bk7231tools(last: int) -> None:
    """The last word of a key switches parts off, and chooses how the address is mixed."""
    random = Random(last)
    for choice in range(0, 0x2000, 37):
        words = [random.getrandbits(32) for _ in range(3)]
        key = (*words, last & ~0x1FFF | choice)
        for address in (0, 0x7FFFFC, 0xFFFF_0000):
            expected = bytes(BekenCodeCipher(key).encrypt(DATA[:64], address))
            assert apply_cipher(DATA[:64], address, key) == expected


def test_cipher_undoes_itself() -> None:
    """The same call encrypts and decrypts."""
    assert apply_cipher(apply_cipher(DATA)) == DATA


def test_cipher_turns_the_known_first_words() -> None:
    """An application starts with these words, plain and in flash."""
    plain = bytes.fromhex("0E0000EA14F09FE5")
    assert apply_cipher(plain) == bytes.fromhex("2F07B59435FF2A9B")


def test_cipher_takes_a_last_piece_of_any_length() -> None:
    """A cut file still decrypts up to its last byte."""
    assert apply_cipher(DATA[:1001]) == apply_cipher(DATA)[:1001]
    assert apply_cipher(b"") == b""


def test_cipher_refuses_half_words() -> None:
    """An address between two words would decrypt into nonsense."""
    with pytest.raises(ValueError, match="32-bit"):
        apply_cipher(DATA, 2)


def test_sound_records_pass() -> None:
    """Every record that bk7231tools makes is sound."""
    check = check_records(FLASH)
    assert (check.count, check.sound, check.blank, check.damaged) == (300, 300, 0, ())


def test_every_flipped_bit_is_found_in_its_record() -> None:
    """A flip anywhere in a record, its checksum included, names that record alone."""
    for bit in range(RECORD_SIZE * 8):
        flash = bytearray(FLASH)
        flash[RECORD_SIZE * 17 + bit // 8] ^= 1 << bit % 8
        assert check_records(bytes(flash)).damaged == (RECORD_SIZE * 17,)


def test_blank_records_are_no_damage() -> None:
    """Erased flash between the code and the mark at its end is normal."""
    blank = b"\xff" * RECORD_SIZE * 5
    check = check_records(FLASH + blank + FLASH[:RECORD_SIZE])
    assert (check.count, check.blank, check.damaged) == (306, 5, ())


def test_damage_is_found_behind_much_that_is_erased() -> None:
    """Also where a record on either side is no whole number of kilobytes away."""
    gap = b"\xff" * RECORD_SIZE * 5000
    record = b"\xff" + FLASH[1:RECORD_SIZE]
    for flash in (record + gap + FLASH, FLASH + gap + record, record + gap + record):
        damaged = [
            at for at in (0, len(flash) - RECORD_SIZE) if flash.startswith(record, at)
        ]
        check = check_records(flash)
        assert check.damaged == tuple(damaged)
        assert (check.count, check.blank) == (len(flash) // RECORD_SIZE, 5000)


def test_a_nearly_blank_record_is_damage() -> None:
    """A single programmed bit makes it a record whose checksum is wrong."""
    record = b"\xff" * (RECORD_SIZE - 1) + b"\xfe"
    assert check_records(FLASH + record).damaged == (len(FLASH),)


def test_a_cut_record_is_left_out() -> None:
    """Only whole records can be judged."""
    assert check_records(FLASH[:-1]).count == 299
    assert check_records(b"").count == 0
    assert strip_checksums(FLASH[:-1]) == DATA[:-32]


def test_stripping_returns_the_data() -> None:
    """Two of every 34 bytes are checksums."""
    assert strip_checksums(FLASH) == DATA
