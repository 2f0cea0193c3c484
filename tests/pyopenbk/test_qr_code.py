"""QR codes are those that another encoder draws, and have a white card around them."""

import hashlib
import re

import pytest

from custom_components.openbk.pyopenbk.qr_code import TextTooLongError, encode, svg

# Drawn by python-qrcode 8.2 at level L with the same mask.
LETTER_A = """
#######..#.##.#######
#.....#..###..#.....#
#.###.#.##.##.#.###.#
#.###.#..#.#..#.###.#
#.###.#...#.#.#.###.#
#.....#.....#.#.....#
#######.#.#.#.#######
........##.##........
###.########.##...#..
..#.##.#..#...#...##.
....#.#####.#...#...#
##.#.#...##...#...#..
##..####....#.#.#.#.#
........##.#.#.#.#.##
#######.#..#.###.####
#.....#.######.###...
#.###.#.#.##.###.##.#
#.###.#...#...#...##.
#.###.#.##..#...#...#
#.....#.##....#...##.
#######.##..#.#.#.###
"""
DIGESTS = {
    "WIFI:S:OpenBK7231N_E4720741;T:nopass;;": (
        "db2f13255a6e3bd9c67fa9cd8b0b99e10098afc383cee46c1c8b945c781da8eb"
    ),
    "z" * 106: "363885bd2127b99bbe38be0dcea7e05205691fed0cfdbcc64c8cb06f22daae32",
}


def drawing(text: str) -> str:
    return "\n".join(
        "".join("#" if module else "." for module in row) for row in encode(text)
    )


def test_smallest_code() -> None:
    assert drawing("a") == LETTER_A.strip()


@pytest.mark.parametrize("text", DIGESTS)
def test_larger_codes(text: str) -> None:
    assert hashlib.sha256(drawing(text).encode()).hexdigest() == DIGESTS[text]


@pytest.mark.parametrize(
    ("length", "size"), [(17, 21), (18, 25), (32, 25), (33, 29), (78, 33), (79, 37)]
)
def test_size_grows_with_the_text(length: int, size: int) -> None:
    assert len(encode("x" * length)) == size


def test_length_is_that_in_bytes() -> None:
    assert len(encode("ż" * 53)) == 37
    with pytest.raises(TextTooLongError):
        encode("ż" * 53 + "x")


def test_picture_is_dark_on_a_white_card_with_room_around_it() -> None:
    picture = svg("a")
    assert 'viewBox="0 0 29 29"' in picture
    assert '<rect width="29" height="29" fill="#fff"/>' in picture
    places = [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)", picture)]
    assert len(places) == LETTER_A.count("#")
    assert {min(axis) for axis in zip(*places, strict=True)} == {4}
    assert {max(axis) for axis in zip(*places, strict=True)} == {24}
