"""QR codes of short texts (ISO/IEC 18004): versions 1 to 5, level L, bytes."""

from collections.abc import Callable, Collection, Iterator
from itertools import groupby, pairwise
from typing import Final

type Matrix = list[list[bool]]

# By version: bytes of data and of correction, which are one block at this level up to version 5.
_CAPACITIES: Final = ((19, 7), (34, 10), (55, 15), (80, 20), (108, 26))
_BYTES: Final = 0b0100
_PADDING: Final = (0xEC, 0x11)
_LEVEL_L: Final = 0b01
_POLYNOMIAL: Final = 0x11D
_FORMAT_POLYNOMIAL: Final = 0b10100110111
_FORMAT_MASK: Final = 0b101010000010010
_MASKS: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, column: row % 2 == 0,
    lambda row, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)
# A scanner needs this much white around the code, in modules.
_QUIET_ZONE: Final = 4


class TextTooLongError(ValueError):
    """The text takes more than the 106 bytes that these codes hold."""


def encode(text: str) -> Matrix:
    """Return the rows of a code, True for dark; raises TextTooLongError."""
    data = text.encode()
    for version, (room, correction) in enumerate(_CAPACITIES, start=1):
        if len(data) > room - 2:
            continue
        words = _words(data, room)
        words += _remainder(words, correction)
        masks = range(len(_MASKS))
        return min(
            (_draw(version, _bits(words), mask) for mask in masks), key=_unevenness
        )
    raise TextTooLongError(f"{len(data)} bytes")


def svg(text: str) -> str:
    """Return a picture of a code, dark on a white card in any surroundings."""
    rows = encode(text)
    size = len(rows) + 2 * _QUIET_ZONE
    dark = "".join(
        f"M{column + _QUIET_ZONE} {row + _QUIET_ZONE}h1v1h-1z"
        for row, line in enumerate(rows)
        for column, module in enumerate(line)
        if module
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        f'shape-rendering="crispEdges"><rect width="{size}" height="{size}" '
        f'fill="#fff"/><path d="{dark}"/></svg>'
    )


def _words(data: bytes, room: int) -> bytes:
    """Return mode, length, data and an end, filled up to the room there is."""
    bits = f"{_BYTES:04b}{len(data):08b}{''.join(f'{byte:08b}' for byte in data)}0000"
    words = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return words + bytes(_PADDING[index % 2] for index in range(room - len(words)))


def _times(left: int, right: int) -> int:
    """Multiply in the field of 256 elements."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left > 0xFF:
            left ^= _POLYNOMIAL
        right >>= 1
    return product


def _remainder(words: bytes, length: int) -> bytes:
    """Return the correction words of Reed and Solomon."""
    generator, root = [1], 1
    for _ in range(length):
        shifted = [*generator, 0]
        for index, factor in enumerate(generator):
            shifted[index + 1] ^= _times(factor, root)
        generator, root = shifted, _times(root, 2)
    rest = list(words) + [0] * length
    for start in range(len(words)):
        for index, factor in enumerate(generator):
            if index:
                rest[start + index] ^= _times(factor, rest[start])
    return bytes(rest[len(words) :])


def _bits(words: bytes) -> Iterator[bool]:
    return (bool(word >> shift & 1) for word in words for shift in range(7, -1, -1))


def _draw(version: int, bits: Iterator[bool], mask: int) -> Matrix:
    """Draw what a scanner finds the code by, then the data around it."""
    size = 17 + 4 * version
    drawn: dict[tuple[int, int], bool] = {}
    for center in ((3, 3), (3, size - 4), (size - 4, 3)):
        drawn |= _square(center, 4, size, light=(2, 4))
    for index in range(8, size - 8):
        drawn[6, index] = drawn[index, 6] = index % 2 == 0
    if version > 1:
        drawn |= _square((size - 7, size - 7), 2, size, light=(1,))
    drawn |= _format(mask, size)
    for row, column in _way(size):
        if (row, column) not in drawn:
            drawn[row, column] = next(bits, False) ^ _MASKS[mask](row, column)
    return [[drawn[row, column] for column in range(size)] for row in range(size)]


def _square(
    center: tuple[int, int], radius: int, size: int, *, light: Collection[int]
) -> dict[tuple[int, int], bool]:
    """Return rings around a center; those at some distances are light."""
    offsets = range(-radius, radius + 1)
    return {
        (center[0] + down, center[1] + right): max(abs(down), abs(right)) not in light
        for down in offsets
        for right in offsets
        if center[0] + down in range(size) and center[1] + right in range(size)
    }


def _format(mask: int, size: int) -> dict[tuple[int, int], bool]:
    """Return level and mask, twice, and the one module that is always dark."""
    rest = chosen = _LEVEL_L << 3 | mask
    for _ in range(10):
        rest = rest << 1 ^ (rest >> 9) * _FORMAT_POLYNOMIAL
    number = (chosen << 10 | rest) ^ _FORMAT_MASK
    # From the lowest bit on: around the upper left corner, then beside the other two.
    first = [*((row, 8) for row in (0, 1, 2, 3, 4, 5, 7, 8))]
    first += [(8, column) for column in (7, 5, 4, 3, 2, 1, 0)]
    second = [(8, size - 1 - index) for index in range(8)]
    second += [(size - 7 + index, 8) for index in range(7)]
    drawn = {(size - 8, 8): True}
    for places in (first, second):
        drawn |= {place: bool(number >> bit & 1) for bit, place in enumerate(places)}
    return drawn


def _way(size: int) -> Iterator[tuple[int, int]]:
    """Lead through the code as the data lies in it: two columns at a time, up and down."""
    for number, right in enumerate(range(size - 1, 0, -2)):
        # The column of the timing pattern does not count.
        right -= right <= 6
        rows = range(size - 1, -1, -1) if number % 2 == 0 else range(size)
        yield from ((row, right - left) for row in rows for left in range(2))


def _unevenness(matrix: Matrix) -> int:
    """Return how hard a code is to read: long runs and blocks of one colour are."""
    columns = [list(column) for column in zip(*matrix, strict=True)]
    runs = (len(list(run)) for line in (*matrix, *columns) for _, run in groupby(line))
    blocks = sum(
        len({*upper[at : at + 2], *lower[at : at + 2]}) == 1
        for upper, lower in pairwise(matrix)
        for at in range(len(upper) - 1)
    )
    return sum(run - 2 for run in runs if run >= 5) + 3 * blocks
