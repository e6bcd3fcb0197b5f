"""Size bands of nodules, for figures by size: few models do equally well on all of them."""

SIZE_LIMITS_MM = (10.0, 20.0, 40.0)
UNKNOWN_SIZE = "unknown"
SIZE_BANDS = ("under-10", "10-20", "20-40", "over-40", UNKNOWN_SIZE)
"""The bands end below 10, 20 and 40 mm; the last begins at 40 mm."""


def size_band(size_mm: float | None) -> str:
    """The band of a nodule's largest diameter in mm."""
    if size_mm is None:
        return UNKNOWN_SIZE
    return SIZE_BANDS[sum(size_mm >= limit for limit in SIZE_LIMITS_MM)]
