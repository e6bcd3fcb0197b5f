"""Numbers as text: plain ASCII digits with a decimal point, and nothing that Python adds to that.

`float` and `int` also read `1_2` as 12, and digits of other scripts.
"""

import re

DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]+")


def is_decimal(text: str) -> bool:
    """Whether the text is a decimal number in ASCII, such as `12.5` or `1e3`."""
    return DECIMAL.fullmatch(text.strip()) is not None


def is_integer(text: str) -> bool:
    return INTEGER.fullmatch(text.strip()) is not None
