"""How many cases a worker claims at once: as many as it can read in a given time.

What is claimed cannot be overtaken, so a batch is the time that an urgent case, or one of a hospital that has just
come, waits beside a flood.
"""


class AdaptiveBatch:
    """Remembers what an image lately took; the newest batch counts as much as all before it."""

    def __init__(self, max_images: int, batch_s: float) -> None:
        self._most = max_images
        self._batch_s = batch_s
        self._image_s: float | None = None

    def size(self) -> int:
        """One at least; the most, until something was read."""
        if not self._image_s:
            return self._most
        return max(int(min(self._batch_s / self._image_s, self._most)), 1)

    def record(self, images: int, seconds: float) -> None:
        if images:
            newest = seconds / images
            self._image_s = (
                newest if self._image_s is None else (self._image_s + newest) / 2
            )
