"""Size bands of nodules.

Figures are reported by band, because few models are equal on all sizes.
"""

SIZE_LIMITS_MM = (10.0, 20.0, 40.0)
UNKNOWN_SIZE = "unknown"
SIZE_BANDS = ("under-10", "10-20", "20-40", "over-40", UNKNOWN_SIZE)
"""The bands end below 10, 20 and 40 mm; the last begins at 40 mm."""


def size_band(size_mm: float | None) -> str:
    """Return the band of a nodule's largest diameter in mm."""
    if size_mm is None:
        return UNKNOWN_SIZE
    return SIZE_BANDS[sum(size_mm >= limit for limit in SIZE_LIMITS_MM)]
