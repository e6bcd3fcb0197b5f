"""How many cases a worker claims at once: as many as it reads in a given time.

A claimed case cannot be overtaken. So the time of a batch is the time that an urgent case waits, or
the first case of another hospital, while one hospital sends a flood.
"""


class AdaptiveBatch:
    """Averages the time per image. The newest batch weighs as much as all earlier ones together."""

    def __init__(self, max_images: int, batch_s: float) -> None:
        self._max_images = max_images
        self._batch_s = batch_s
        self._image_s: float | None = None

    def size(self) -> int:
        """At least one case; the maximum before the first batch."""
        if not self._image_s:
            return self._max_images
        images_in_time = min(self._batch_s / self._image_s, self._max_images)
        return max(int(images_in_time), 1)

    def record(self, images: int, seconds: float) -> None:
        if images == 0:
            return
        newest_s = seconds / images
        if self._image_s is None:
            self._image_s = newest_s
        else:
            self._image_s = (self._image_s + newest_s) / 2
