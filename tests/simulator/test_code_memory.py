"""Code lies in the simulated flash as bk7231tools finds it in real ones."""

import random

from bk7231tools.analysis.utils import block_crc_check
from bk7231tools.crypto.code import BekenCodeCipher
import pytest

from simulator.bootrom import STANDARD_CODE_KEY
from simulator.code_memory import (
    NO_KEY,
    UASCENT_KEY,
    CodeKey,
    damaged_records,
    encipher,
    from_records,
    to_records,
)


@pytest.mark.parametrize(
    "key", [STANDARD_CODE_KEY, UASCENT_KEY, NO_KEY, (1, 0x2345, 0x67, 0x123456E4)]
)
def test_the_cipher_is_the_one_that_bk7231tools_knows(key: CodeKey) -> None:
    """Every shape of the cipher agrees with the judge, at any address."""
    chooser = random.Random(1)
    judge = BekenCodeCipher(key)
    for address in (0, 0x10000, *(chooser.randrange(0x1FFFC0) & ~31 for _ in range(9))):
        data = chooser.randbytes(64)
        assert encipher(data, address, key) == judge.encrypt(data, address)


def test_the_first_words_of_an_application_are_those_of_the_releases() -> None:
    """The words that every OpenBeken release for BK7231N begins with come out."""
    plain = bytes.fromhex("0E0000EA14F09FE5")
    assert encipher(plain, 0x10000).hex() == "2f07b594352a9b"[:8] + "35ff2a9b"


def test_records_carry_the_crc_that_bk7231tools_checks() -> None:
    """Each record has its CRC, and dropping them gives the data back."""
    data = random.Random(2).randbytes(32 * 100)
    records = to_records(data)
    assert len(records) == 34 * 100
    for start in range(0, len(records), 34):
        assert block_crc_check(
            records[start : start + 32], records[start + 32 : start + 34]
        )
    assert from_records(records) == data


def test_damaged_records_are_found_and_blank_ones_are_none() -> None:
    """A record with one wrong bit is damaged, an erased one is empty."""
    records = bytearray(to_records(random.Random(3).randbytes(32 * 20)))
    records[34 * 4 : 34 * 5] = b"\xff" * 34
    assert damaged_records(bytes(records)) == []
    records[34 * 7 + 3] ^= 0x10
    records[34 * 9 + 33] ^= 0x01
    assert damaged_records(bytes(records)) == [34 * 7, 34 * 9]
