"""Reads sizes as people type them: `14`, `14,5 mm`, `1.2cm`, `1.4 x 0.9 cm`.

The page reads sizes by the same rule (`services/api/web/static/sizes.js`); a test compares the two.
"""

import math
import re
import unicodedata

from shared.errors import InputError

MM_PER_UNIT = {"mm": 1, "밀리미터": 1, "cm": 10, "센티미터": 10}
UNITS = "|".join(MM_PER_UNIT)
LENGTH = rf"([0-9]+(?:\.[0-9]*|,[0-9]{{1,2}})?|\.[0-9]+|,[0-9]{{1,2}})\s*({UNITS})?"
"""A comma is a decimal comma before one or two digits; before three it may part thousands."""
TYPED = re.compile(
    rf"{LENGTH}(?:\s*[x×*]\s*{LENGTH})?(?:\s*[x×*]\s*{LENGTH})?", re.IGNORECASE
)
"""Of text with single blanks: a long run of them would be divided in every possible way."""
MAX_MM = 300.0
MAX_SIDES_RATIO = 7
"""A nodule is not longer than this times its width. If one of several lengths has no unit of its
own and they differ more, they were typed in different units: `14 x 9 x 1.2 cm`.
"""


class SizeNotUnderstood(InputError):
    code = "size-invalid"
    text = (
        "The size {size!r} is not understood. Write the largest diameter in mm or cm, such as "
        "14.5, 14,5 mm or 1.2 cm, up to {most:g} mm."
    )


def parse_size_mm(text: str) -> float:
    """Return the largest of the typed diameters in mm, in hundredths.

    A number without a unit has the unit of the next number, else mm. Both `14.5` and `14,5` are
    fourteen and a half. Raises SizeNotUnderstood, also if the lengths differ as if they had
    different units.
    """
    words = unicodedata.normalize("NFKC", text).split()
    match = TYPED.fullmatch(" ".join(words))
    if match is None or _has_raised_digit(text):
        raise SizeNotUnderstood(size=text, most=MAX_MM)
    sides_mm = _sides_mm(match.groups())
    size_mm = _hundredths(max(sides_mm))
    has_all_units = len(sides_mm) == sum(map(bool, match.groups()[1::2]))
    is_unclear = not has_all_units and max(sides_mm) > MAX_SIDES_RATIO * min(sides_mm)
    if is_unclear or not 0 < size_mm <= MAX_MM:
        raise SizeNotUnderstood(size=text, most=MAX_MM)
    return size_mm


def _has_raised_digit(text: str) -> bool:
    """Whether a digit is raised, lowered or circled, as in `14²`; NFKC makes it a plain one."""
    return any(unicodedata.category(character) == "No" for character in text)


def _sides_mm(parts: tuple[str | None, ...]) -> list[float]:
    """The lengths in mm; `parts` are numbers and units by turns."""
    sides = []
    unit = "mm"
    for number, named_unit in reversed(list(zip(parts[::2], parts[1::2], strict=True))):
        if number is None:
            continue
        if named_unit is not None:
            unit = named_unit.lower()
        sides.append(float(number.replace(",", ".")) * MM_PER_UNIT[unit])
    return sides


def _hundredths(size_mm: float) -> float:
    """Round half up, as JavaScript does."""
    return math.floor(size_mm * 100 + 0.5) / 100
