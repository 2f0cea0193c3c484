"""Numbers that came from elsewhere, as JSON has them."""

from math import isfinite


def finite(value: object) -> float:
    """Return a number as a float.

    Raises TypeError for what is none, such as a text or a truth value, and ValueError for what is
    not finite or too large: JSON may say 1e999, NaN, or a thousand digits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    try:
        number = float(value)
    except OverflowError as err:
        raise ValueError("too large a number") from err
    if not isfinite(number):
        raise ValueError("no finite number")
    return number
